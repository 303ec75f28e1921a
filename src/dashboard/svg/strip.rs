//! The strip: a bar for each of a task's newest outcomes, the oldest at the left. A bar's height tells
//! the duration on a logarithmic scale, its colour and its foot the outcome.

use super::LogScale;
use crate::{
    dashboard::{
        documents::Recent,
        markup::{Markup, Tag},
        status::{class, word},
        times::duration,
    },
    domain::execution::ExecutionStatus,
};

/// The outcomes that a strip has room for.
const MOST: usize = 30;
/// Pixels from one bar to the next.
const STEP: usize = 5;
const HEIGHT: f64 = 22.0;
/// The shortest bar.
const LEAST: f64 = 4.0;

/// Draws outcomes, given newest first.
pub(in crate::dashboard) fn draw(newest: &[Recent]) -> Markup {
    let shown = &newest[..newest.len().min(MOST)];
    let scale = LogScale::of(shown.iter().filter_map(|one| one.duration), HEIGHT - LEAST);
    let bars =
        shown.iter().rev().enumerate().map(|(index, one)| bar(index + MOST - shown.len(), *one, scale));
    Tag::open("svg")
        .with("class", "strip")
        .with("role", "img")
        .with("width", MOST * STEP)
        .with("height", HEIGHT)
        .with("aria-label", describe(shown))
        .around(&std::iter::once(base()).chain(bars).collect())
}

/// The line on which the bars stand, as long as the strip of a task with many runs.
fn base() -> Markup {
    let y = HEIGHT - 0.5;
    Tag::open("line").with("x2", MOST * STEP).with("y1", y).with("y2", y).empty()
}

fn bar(index: usize, one: Recent, scale: LogScale) -> Markup {
    let height = one.duration.map_or(0.0, |length| scale.height(length)) + LEAST;
    // A failure is never a short bar that the eye passes over.
    let height = if one.status == ExecutionStatus::Failed { HEIGHT } else { height };
    let text = match one.duration {
        Some(length) => format!("{}, {}", word(&one.status), duration(length)),
        None => word(&one.status).to_owned(),
    };
    let title = Markup::element("title", &[], &Markup::text(text));
    Tag::open("rect")
        .with("class", format_args!("s-{}", class(&one.status)))
        .with("x", index * STEP)
        .with("y", format_args!("{:.1}", HEIGHT - height))
        .with("width", STEP - 1)
        .with("height", format_args!("{height:.1}"))
        .with("rx", 1)
        .around(&title)
}

/// The strip in words.
fn describe(shown: &[Recent]) -> String {
    if shown.is_empty() {
        return "No run has ended yet".to_owned();
    }
    let counts = [
        ExecutionStatus::Failed,
        ExecutionStatus::Completed,
        ExecutionStatus::Cancelled,
        ExecutionStatus::Skipped,
    ]
    .map(|status| (shown.iter().filter(|one| one.status == status).count(), word(&status).to_lowercase()));
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("The newest {} runs: {}", shown.len(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: ExecutionStatus, duration: Option<i64>) -> Recent {
        Recent { status, duration }
    }

    #[test]
    fn the_newest_outcome_is_at_the_right_and_the_strip_is_told_in_words() {
        let newest =
            [outcome(ExecutionStatus::Failed, Some(5)), outcome(ExecutionStatus::Completed, Some(900))];
        let drawn = draw(&newest).to_string();
        assert!(drawn.contains("aria-label=\"The newest 2 runs: 1 failed, 1 completed\""), "{drawn}");
        let (completed, failed) = drawn.split_once("s-failed").expect("a failed bar");
        assert!(completed.contains("s-completed") && completed.contains("x=\"140\""), "{drawn}");
        assert!(failed.contains("x=\"145\"") && failed.contains("Failed, 5 ms"), "{drawn}");
        assert!(draw(&[]).to_string().contains("No run has ended yet"));
    }
}
