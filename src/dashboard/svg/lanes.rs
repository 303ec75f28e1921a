//! Lanes: the runs of one task over a span as bars, its planned times as ticks.

use super::percent;
use crate::{
    dashboard::{
        documents::{Lane, LaneRun, Load},
        markup::{Markup, Tag},
        status::{class, word},
        times::{Viewpoint, duration},
    },
    domain::Millis,
};

/// Pixels of a lane.
const HEIGHT: f64 = 24.0;
/// Pixels of the load.
const LOAD: f64 = 56.0;

/// The span that lanes show.
#[derive(Debug, Clone, Copy)]
pub(in crate::dashboard) struct Span {
    pub(in crate::dashboard) from: Millis,
    pub(in crate::dashboard) to: Millis,
}

impl Span {
    fn at(self, moment: Millis) -> String {
        percent(moment, self.from, self.to)
    }

    /// The width of a stretch of time within the span.
    fn width(self, start: Millis, end: Millis) -> String {
        let (start, end) = (start.max(self.from), end.min(self.to));
        percent((end - start).max(0), 0, self.to - self.from)
    }

    /// The moments of the axis with their labels: full hours, or days, at most twelve.
    pub(in crate::dashboard) fn ticks(self, at: Viewpoint) -> Vec<(String, String)> {
        const MINUTE: Millis = 60_000;
        const STEPS: [Millis; 12] = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];
        let length = self.to - self.from;
        let fits = |step: &&Millis| length / (**step * MINUTE) <= 12;
        let step = STEPS.iter().find(fits).copied().unwrap_or(2880) * MINUTE;
        // The zone's own hours: a label says 12:00 in every zone.
        let offset = at.offset(self.from);
        let first = (self.from + offset).div_euclid(step) * step + step - offset;
        let format = if step >= 1440 * MINUTE { "%-d %b" } else { "%H:%M" };
        let mut moments = Vec::new();
        let mut moment = first;
        while moment < self.to {
            moments.push((self.at(moment), at.format(moment, format)));
            moment += step;
        }
        moments
    }
}

/// Draws a lane; `link` is the address of a run.
pub(in crate::dashboard) fn draw(
    lane: &Lane,
    span: Span,
    at: Viewpoint,
    link: impl Fn(&LaneRun) -> String,
) -> Markup {
    let mut inside: Markup = span.ticks(at).iter().map(|(x, _)| rule("grid", x)).collect();
    inside.push(&rule("present", &span.at(at.now)));
    for planned in &lane.planned {
        let x = span.at(*planned);
        let text = format!("{}, planned", at.short(*planned));
        let tick =
            Tag::open("line").with("class", "due").with("x1", &x).with("x2", &x).with("y1", 7).with("y2", 17);
        inside.push(&tick.around(&Markup::element("title", &[], &Markup::text(text))));
    }
    for run in &lane.runs {
        inside.push(&bar(run, span, at, &link(run)));
    }
    let label = format!("{}: {} runs, {} planned", lane.task_name, lane.runs.len(), lane.planned.len());
    Tag::open("svg")
        .with("class", "lane")
        .with("width", "100%")
        .with("height", HEIGHT)
        .with("role", "group")
        .with("aria-label", label)
        .around(&inside)
}

fn bar(run: &LaneRun, span: Span, at: Viewpoint, link: &str) -> Markup {
    let end = run.end.unwrap_or(at.now).max(run.start);
    let text = format!(
        "{}, {}, {}",
        at.short(run.start),
        word(&run.status),
        duration(end.saturating_sub(run.start))
    );
    let title = Markup::element("title", &[], &Markup::text(&text));
    let x = span.at(run.start);
    let rect = |class: &str, y: i32, height: i32| {
        Tag::open("rect").with("class", class).with("x", &x).with("y", y).with("height", height)
    };
    // The stroke keeps a short run as wide as a pixel or two.
    let shape = rect("run", 4, 16).with("width", span.width(run.start, end)).empty();
    let mut inside: Markup = [title, shape].into_iter().collect();
    if run.status == crate::domain::execution::ExecutionStatus::Failed {
        // A failure is told by its shape too: it stands out of the lane.
        inside.push(
            &Tag::open("line")
                .with("class", "flag")
                .with("x1", &x)
                .with("x2", &x)
                .with("y1", 0)
                .with("y2", 24)
                .empty(),
        );
    }
    Tag::open("a")
        .with("href", link)
        .with("class", format_args!("s-{}", class(&run.status)))
        .with("aria-label", text)
        .around(&inside)
}

fn rule(class: &str, x: &str) -> Markup {
    Tag::open("line")
        .with("class", class)
        .with("x1", x)
        .with("x2", x)
        .with("y1", 0)
        .with("y2", "100%")
        .empty()
}

/// Draws the starts of all tasks over the span, in columns.
#[expect(clippy::cast_precision_loss, reason = "a height needs no more than six figures")]
pub(in crate::dashboard) fn draw_load(load: &[Load], span: Span, at: Viewpoint) -> Markup {
    // The figures of a long span are per hour; those of a short one, per minute, are joined to columns that
    // the eye can tell apart.
    let length = span.to - span.from;
    let width = if length > 300 * 60_000 { 3_600_000 } else { (length / 144).max(60_000) };
    let mut columns: Vec<(Millis, u64, bool)> = Vec::new();
    for part in load {
        let start = span.from + (part.time - span.from).div_euclid(width) * width;
        let planned = part.running.is_none();
        match columns.last_mut() {
            Some((time, starts, _)) if *time == start => *starts += part.started,
            _ => columns.push((start, part.started, planned)),
        }
    }
    let most = columns.iter().map(|(_, starts, _)| *starts).max().unwrap_or(0).max(1);
    let mut inside: Markup = span.ticks(at).iter().map(|(x, _)| rule("grid", x)).collect();
    inside.push(&rule("present", &span.at(at.now)));
    for (start, starts, planned) in columns.into_iter().filter(|(_, starts, _)| *starts > 0) {
        let height = (starts as f64 / most as f64 * (LOAD - 14.0)).max(1.0);
        let text = format!("{}, {starts} {}", at.short(start), if planned { "planned" } else { "ended" });
        let column = Tag::open("rect")
            .with("class", if planned { "planned" } else { "ended" })
            .with("x", span.at(start))
            .with("width", span.width(start, start + width * 9 / 10))
            .with("y", format_args!("{:.1}", LOAD - height))
            .with("height", format_args!("{height:.1}"));
        inside.push(&column.around(&Markup::element("title", &[], &Markup::text(text))));
    }
    let label = Tag::open("text").with("class", "label").with("x", 0).with("y", 10);
    inside.push(&label.around(&Markup::text(format!("at most {most} in {}", duration(width)))));
    Tag::open("svg")
        .with("class", "load")
        .with("width", "100%")
        .with("height", LOAD)
        .with("role", "img")
        .with("aria-label", format_args!("Runs of all tasks, at most {most} in {}", duration(width)))
        .around(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_full_hours_of_the_readers_zone() {
        let span = Span { from: 1_795_871_002_000, to: 1_795_871_002_000 + 86_400_000 };
        let at = Viewpoint { now: span.from, zone: chrono_tz::Asia::Kolkata };
        let labels: Vec<_> = span.ticks(at).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels.len(), 12, "{labels:?}");
        assert_eq!((labels[0].as_str(), labels[2].as_str()), ("20:00", "00:00"), "{labels:?}");
    }
}
