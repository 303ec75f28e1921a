//! Scales: from values to positions.

use crate::{
    dashboard::{
        markup::{Markup, Tag},
        times::duration,
    },
    domain::Millis,
};

/// The position of a value between two others, as a percentage with two places.
#[expect(clippy::cast_precision_loss, reason = "a position needs no more than six figures")]
pub(in crate::dashboard) fn percent(value: Millis, from: Millis, to: Millis) -> String {
    let span = (to - from).max(1) as f64;
    format!("{:.2}%", ((value - from) as f64 / span * 100.0).clamp(0.0, 100.0))
}

/// A line across a plot at `y`, with its label above it if it has one.
pub(in crate::dashboard) fn line(kind: &str, y: f64, label: &str) -> Markup {
    let line = Tag::open("line")
        .with("class", kind)
        .with("x1", "0")
        .with("x2", "100%")
        .with("y1", format_args!("{y:.1}"))
        .with("y2", format_args!("{y:.1}"))
        .empty();
    if label.is_empty() {
        return line;
    }
    let text =
        Tag::open("text").with("class", "label").with("x", "0").with("y", format_args!("{:.1}", y - 4.0));
    [line, text.around(&Markup::text(label))].into_iter().collect()
}

/// Durations on a logarithmic scale: a tenth is as far from one as one from ten.
#[derive(Debug, Clone, Copy)]
pub(in crate::dashboard) struct LogScale {
    least: f64,
    most: f64,
    height: f64,
}

/// The lengths that people count in, in milliseconds.
const ROUND: [Millis; 17] = [
    1,
    10,
    100,
    1000,
    5000,
    10_000,
    30_000,
    60_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    604_800_000,
];

/// Lines across a plot: their heights and their labels.
pub(in crate::dashboard) type Ticks = Vec<(f64, String)>;

impl LogScale {
    /// A scale for these durations, over `height` pixels.
    pub(in crate::dashboard) fn of(durations: impl Iterator<Item = Millis>, height: f64) -> Self {
        let (mut least, mut most) = (Millis::MAX, 1);
        for duration in durations {
            least = least.min(duration.max(1));
            most = most.max(duration);
        }
        let least = least.min(most);
        let below = ROUND.iter().rev().find(|&&round| round <= least).copied().unwrap_or(1);
        let above = ROUND.iter().find(|&&round| round > most && round > below).copied().unwrap_or(most);
        Self { least: ln(below), most: ln(above), height }
    }

    /// The height of a duration's point above the lower edge, in pixels.
    pub(in crate::dashboard) fn height(self, duration: Millis) -> f64 {
        let share = (ln(duration) - self.least) / (self.most - self.least).max(f64::EPSILON);
        share.clamp(0.0, 1.0) * self.height
    }

    /// The y of a duration's point.
    pub(in crate::dashboard) fn y(self, duration: Millis) -> f64 {
        self.height - self.height(duration)
    }

    /// The round durations on the scale, at least 24 pixels apart.
    pub(in crate::dashboard) fn ticks(self) -> Ticks {
        let mut ticks = Ticks::new();
        for round in ROUND {
            let inside = (self.least..=self.most).contains(&ln(round));
            let y = self.y(round);
            if inside && ticks.last().is_none_or(|(before, _)| before - y >= 24.0) {
                ticks.push((y, duration(round)));
            }
        }
        ticks
    }
}

#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53")]
fn ln(duration: Millis) -> f64 {
    (duration.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_scale_spans_its_durations_with_round_ends() {
        let scale = LogScale::of([40, 900].into_iter(), 100.0);
        assert!((scale.height(10) - 0.0).abs() < 1e-9 && (scale.height(1000) - 100.0).abs() < 1e-9);
        assert!((scale.height(100) - 50.0).abs() < 1e-9);
        assert_eq!(
            scale.ticks().iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(),
            ["10 ms", "100 ms", "1 s"]
        );
    }

    #[test]
    fn a_scale_of_one_or_no_duration_has_a_height_too() {
        for durations in [vec![], vec![0], vec![7, 7], vec![Millis::MAX]] {
            let scale = LogScale::of(durations.iter().copied(), 100.0);
            for duration in [0, 7, Millis::MAX] {
                assert!((0.0..=100.0).contains(&scale.height(duration)), "{durations:?} {duration}");
            }
        }
        assert_eq!(percent(5, 5, 5), "0.00%");
        assert_eq!(percent(25, 0, 100), "25.00%");
    }
}
