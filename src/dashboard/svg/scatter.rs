//! The scatter: durations over time, one mark for each run; the mark's shape and colour tell the outcome.

use super::{LogScale, line, percent};
use crate::{
    dashboard::{
        markup::{Markup, Tag},
        status::{class, word},
        times::{Viewpoint, duration},
    },
    domain::{Millis, execution::ExecutionStatus},
};

/// Pixels of the plot, without the line of times below it.
const HEIGHT: f64 = 168.0;
/// Pixels above the highest duration, for its label.
const ABOVE: f64 = 16.0;
const TIMES: f64 = 22.0;

/// One run in the plot.
pub(in crate::dashboard) struct Point {
    pub(in crate::dashboard) status: ExecutionStatus,
    pub(in crate::dashboard) start: Millis,
    pub(in crate::dashboard) duration: Millis,
    /// The address of the run.
    pub(in crate::dashboard) link: String,
    /// The hash of the handler's source.
    pub(in crate::dashboard) source: Option<String>,
}

/// Draws runs, given newest first. `timeout` is drawn as a line where it is on the scale.
pub(in crate::dashboard) fn draw(points: &[Point], timeout: Millis, at: Viewpoint) -> Markup {
    let (Some(newest), Some(oldest)) = (points.first(), points.last()) else { return Markup::default() };
    let (from, to) = (oldest.start, newest.start.max(oldest.start + 1));
    let scale = LogScale::of(points.iter().map(|point| point.duration), HEIGHT - ABOVE);
    let mut inside = Markup::default();
    for (y, label) in scale.ticks() {
        inside.push(&line("grid", y + ABOVE, &label));
    }
    if scale.y(timeout) > 0.0 {
        inside.push(&line("timeout", scale.y(timeout) + ABOVE, &format!("timeout {}", duration(timeout))));
    }
    for pair in points.windows(2) {
        if pair[0].source != pair[1].source && pair[0].source.is_some() && pair[1].source.is_some() {
            inside.push(&changed(&percent(pair[0].start, from, to)));
        }
    }
    for (anchor, moment) in [("start", from), ("end", to)] {
        let text = Tag::open("text")
            .with("class", "label")
            .with("x", if anchor == "start" { "0" } else { "100%" })
            .with("y", HEIGHT + TIMES - 6.0)
            .with("text-anchor", anchor);
        inside.push(&text.around(&Markup::text(at.format(moment, "%-d %b, %H:%M"))));
    }
    for point in points {
        let y = scale.y(point.duration) + ABOVE;
        inside.push(&mark(point, &percent(point.start, from, to), y, at));
    }
    Tag::open("svg")
        .with("class", "plot")
        .with("width", "100%")
        .with("height", HEIGHT + TIMES)
        .with("role", "group")
        .with("aria-label", format_args!("Durations of the newest {} runs", points.len()))
        .around(&inside)
}

fn changed(x: &str) -> Markup {
    let title = Markup::element("title", &[], &Markup::text("The handler's source changed here"));
    Tag::open("line")
        .with("class", "changed")
        .with("x1", x)
        .with("x2", x)
        .with("y1", "0")
        .with("y2", HEIGHT)
        .around(&title)
}

fn mark(point: &Point, x: &str, y: f64, at: Viewpoint) -> Markup {
    let text = format!("{}, {}, {}", word(&point.status), duration(point.duration), at.short(point.start));
    let title = Markup::element("title", &[], &Markup::text(&text));
    let tag = match point.status {
        ExecutionStatus::Completed => {
            Tag::open("circle").with("cx", x).with("cy", format_args!("{y:.1}")).with("r", 3.5)
        }
        status => Tag::open("use")
            .with("href", format_args!("#m-{}", class(&status)))
            .with("x", x)
            .with("y", format_args!("{y:.1}")),
    };
    let shape = tag.empty();
    Tag::open("a")
        .with("href", &point.link)
        .with("class", format_args!("mark s-{}", class(&point.status)))
        .with("aria-label", text)
        .around(&[title, shape].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_a_link_and_a_change_of_the_source_is_marked() {
        let point = |status, start, source: &str| Point {
            status,
            start,
            duration: 40,
            link: format!("/runs/{start}"),
            source: Some(source.to_owned()),
        };
        let points = [
            point(ExecutionStatus::Failed, 3000, "b"),
            point(ExecutionStatus::Completed, 2000, "a"),
            point(ExecutionStatus::Completed, 1000, "a"),
        ];
        let at = Viewpoint { now: 4000, zone: chrono_tz::UTC };
        let drawn = draw(&points, 60_000, at).to_string();
        assert_eq!(drawn.matches("<a href=\"/runs/").count(), 3, "{drawn}");
        assert_eq!(drawn.matches("class=\"changed\" x1=\"100.00%\"").count(), 1, "{drawn}");
        assert!(drawn.contains("cx=\"50.00%\"") && !drawn.contains("timeout"), "{drawn}");
        assert_eq!(draw(&[], 60_000, at), Markup::default());
    }
}
