//! Bars: the ends of runs over time by outcome, stacked, with the lateness of starts below them.

use super::{line, percent};
use crate::{
    dashboard::{
        documents::Ended,
        markup::{Markup, Tag},
        times::{Viewpoint, duration},
    },
    domain::Millis,
};

/// Pixels of the stacks.
const HEIGHT: f64 = 132.0;
/// Pixels above the highest stack, for its label.
const ABOVE: f64 = 16.0;
/// Pixels of the lateness.
const LATE: f64 = 34.0;
const BETWEEN: f64 = 20.0;
const TIMES: f64 = 22.0;
/// The least height of a failure that is there, in pixels: it must be seen among thousands of successes.
const LEAST: f64 = 3.0;

/// Draws the buckets of `length` milliseconds between two moments; `link` is the address of a bucket's runs.
pub(in crate::dashboard) fn draw(
    buckets: &[Ended],
    (from, to): (Millis, Millis),
    length: Millis,
    at: Viewpoint,
    link: impl Fn(Millis) -> String,
) -> Markup {
    let most = round_up(buckets.iter().map(total).max().unwrap_or(0));
    let latest = buckets.iter().filter_map(|bucket| bucket.lateness_p95).max().unwrap_or(0).max(1);
    let mut inside = Markup::default();
    for share in [0.0, 0.5, 1.0] {
        let y = ABOVE + (HEIGHT - ABOVE) * (1.0 - share);
        let label = if share > 0.0 { count(most, share) } else { String::new() };
        inside.push(&line("grid", y, &label));
    }
    let late_top = HEIGHT + BETWEEN;
    inside.push(&line("grid", late_top + LATE, ""));
    let label = Tag::open("text").with("class", "label").with("x", 0).with("y", late_top - 5.0);
    let text = format!("started late, 95 % within (most {})", duration(latest));
    inside.push(&label.around(&Markup::text(text)));
    for bucket in buckets {
        let stack = stack(bucket, most, (from, to), length);
        let late = late(bucket, latest, (from, to), length);
        let text = describe(bucket, at);
        let title = Markup::element("title", &[], &Markup::text(&text));
        // The whole column answers to the pointer, not only its bar.
        let column = Tag::open("rect")
            .with("class", "column")
            .with("x", percent(bucket.time, from, to))
            .with("width", percent(length, 0, to - from))
            .with("y", "0")
            .with("height", late_top + LATE)
            .empty();
        let link = Tag::open("a").with("href", link(bucket.time)).with("aria-label", text);
        inside.push(&link.around(&[title, column, stack, late].into_iter().collect()));
    }
    for quarter in 0..=4 {
        let moment = from + (to - from) * quarter / 4;
        let anchor = ["start", "middle", "middle", "middle", "end"][usize::try_from(quarter).unwrap_or(0)];
        let text = Tag::open("text")
            .with("class", if quarter % 2 == 1 { "label minor" } else { "label" })
            .with("x", percent(moment, from, to))
            .with("y", late_top + LATE + TIMES - 6.0)
            .with("text-anchor", anchor);
        inside.push(&text.around(&Markup::text(at.format(moment, "%a %H:%M"))));
    }
    Tag::open("svg")
        .with("class", "plot bars")
        .with("width", "100%")
        .with("height", late_top + LATE + TIMES)
        .with("role", "group")
        .with("aria-label", "Ends of runs by outcome, and the lateness of starts")
        .around(&inside)
}

fn total(bucket: &Ended) -> u64 {
    bucket.completed + bucket.failed + bucket.cancelled + bucket.skipped
}

/// The least of 1, 2, 5, 10, 20, 50, … that is at least `most`.
fn round_up(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 5] {
            if unit.saturating_mul(step) >= most {
                return unit.saturating_mul(step);
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a label needs no more than six figures")]
fn count(most: u64, share: f64) -> String {
    format!("{}", most as f64 * share)
}

/// The outcomes of a bucket from the base upwards, failures first.
#[expect(clippy::cast_precision_loss, reason = "a height needs no more than six figures")]
fn stack(bucket: &Ended, most: u64, (from, to): (Millis, Millis), length: Millis) -> Markup {
    let outcomes = [
        ("failed", bucket.failed),
        ("cancelled", bucket.cancelled),
        ("skipped", bucket.skipped),
        ("completed", bucket.completed),
    ];
    let mut base = HEIGHT;
    let mut bars = Markup::default();
    for (name, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
        let height =
            (count as f64 / most as f64 * (HEIGHT - ABOVE)).max(if name == "failed" { LEAST } else { 1.0 });
        base -= height;
        bars.push(&bar(name, bucket.time, base, height, (from, to), length));
    }
    bars
}

#[expect(clippy::cast_precision_loss, reason = "a height needs no more than six figures")]
fn late(bucket: &Ended, latest: Millis, span: (Millis, Millis), length: Millis) -> Markup {
    let Some(late) = bucket.lateness_p95 else { return Markup::default() };
    let height = (late as f64 / latest as f64 * LATE).max(1.0);
    bar("late", bucket.time, HEIGHT + BETWEEN + LATE - height, height, span, length)
}

fn bar(
    name: &str,
    time: Millis,
    y: f64,
    height: f64,
    (from, to): (Millis, Millis),
    length: Millis,
) -> Markup {
    Tag::open("rect")
        .with("class", format_args!("s-{name}"))
        .with("x", percent(time + length / 10, from, to))
        .with("width", percent(length * 8 / 10, 0, to - from))
        .with("y", format_args!("{y:.1}"))
        .with("height", format_args!("{height:.1}"))
        .empty()
}

fn describe(bucket: &Ended, at: Viewpoint) -> String {
    let mut parts = vec![at.short(bucket.time), format!("{} completed", bucket.completed)];
    for (count, word) in
        [(bucket.failed, "failed"), (bucket.cancelled, "cancelled"), (bucket.skipped, "skipped")]
    {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if let Some(late) = bucket.lateness_p95 {
        parts.push(format!("95 % started within {}", duration(late)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_among_thousands_is_seen_and_the_scale_is_round() {
        assert_eq!([0, 1, 3, 7, 10, 11, 4999].map(round_up), [1, 1, 5, 10, 10, 20, 5000]);
        let bucket = Ended { time: 0, completed: 4000, failed: 1, lateness_p95: Some(7), ..Ended::default() };
        let at = Viewpoint { now: 3_600_000, zone: chrono_tz::UTC };
        let drawn =
            draw(&[bucket], (0, 3_600_000), 3_600_000, at, |time| format!("/runs?from={time}")).to_string();
        assert!(
            drawn.contains("class=\"s-failed\" x=\"10.00%\" width=\"80.00%\" y=\"129.0\" height=\"3.0\""),
            "{drawn}"
        );
        assert!(drawn.contains("4000 completed, 1 failed, 95 % started within 7 ms"), "{drawn}");
        assert!(drawn.contains("href=\"/runs?from=0\""), "{drawn}");
    }
}
