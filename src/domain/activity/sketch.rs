//! Sketch: quantiles of milliseconds that can be added up, by the method of DDSketch (Masson, Rim and
//! Lee 2019): values are counted in bins whose width grows with them, so that a quantile is wrong by
//! [`ERROR`] of itself at most, and two sketches are added bin by bin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Millis;

/// The largest relative error of a quantile.
pub const ERROR: f64 = 0.02;
/// The quotient of the bounds of a bin.
const GAMMA: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Longer times are counted as this long: a year.
const LONGEST: Millis = 366 * 86_400_000;

/// Counts of milliseconds by their size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sketch {
    /// The sum of all values.
    sum: u64,
    /// The number of values in each bin that has some. Bin 0 holds zeros, and bin `n` values from
    /// `GAMMA` to the power of `n - 1` up to the power of `n`.
    bins: BTreeMap<u16, u64>,
}

impl Sketch {
    /// Counts a value; a negative one as 0.
    pub fn add(&mut self, value: Millis) {
        let value = value.clamp(0, LONGEST);
        self.sum = self.sum.saturating_add(value.unsigned_abs());
        let count = self.bins.entry(bin_of(value)).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds all values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        for (bin, count) in &other.bins {
            let sum = self.bins.entry(*bin).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The sum of the values, in milliseconds.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The value below which the share `quantile` (0 to 1) of the values lies; `None` without values.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Millis> {
        let rank = (quantile.clamp(0.0, 1.0) * self.count().saturating_sub(1) as f64) as u64;
        let mut passed = 0_u64;
        for (bin, count) in &self.bins {
            passed = passed.saturating_add(*count);
            if passed > rank {
                return Some(value_of(*bin));
            }
        }
        // The sum of the counts saturates.
        self.bins.keys().next_back().map(|bin| value_of(*bin))
    }
}

fn bin_of(value: Millis) -> u16 {
    if value < 1 {
        return 0;
    }
    let bin = ((value as f64).ln() / GAMMA.ln()).floor() as u16;
    bin + 1
}

/// The value that is least wrong for all values of a bin.
fn value_of(bin: u16) -> Millis {
    if bin == 0 {
        return 0;
    }
    let value = (2.0 * GAMMA.powi(i32::from(bin)) / (GAMMA + 1.0)).round() as Millis;
    value.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[Millis]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

    /// Whether `found` is a value of the exact rank, or wrong by the error and the rounding at most.
    fn is_near(found: Millis, exact: Millis) -> bool {
        let (found, exact) = (found as f64, exact as f64);
        (found - exact).abs() <= exact * ERROR + 0.5
    }

    #[test]
    fn a_sketch_without_values_has_no_quantile() {
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert_eq!((Sketch::default().count(), Sketch::default().sum()), (0, 0));
    }

    #[test]
    fn small_values_are_exact_and_negative_ones_are_zero() {
        let sketch = sketch(&[-5, 0, 1, 2, 3]);
        assert_eq!((sketch.count(), sketch.sum()), (5, 6));
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|q| sketch.quantile(q)), [0, 0, 1, 2, 3].map(Some));
    }

    #[test]
    fn a_sketch_that_no_server_wrote_makes_no_panic() {
        let strange = r#"{"sum":18446744073709551615,"bins":{"65535":18446744073709551615,"0":1}}"#;
        let mut strange: Sketch = serde_json::from_str(strange).expect("it decodes");
        strange.merge(&strange.clone());
        strange.add(Millis::MAX);
        assert_eq!(strange.quantile(1.0), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_error(values in prop::collection::vec(0..400_000_000_i64, 1..300), q in 0.0..1.0) {
            let found = sketch(&values).quantile(q).expect("values");
            let mut sorted = values;
            sorted.sort_unstable();
            let rank = (q * (sorted.len() - 1) as f64) as usize;
            prop_assert!(is_near(found, sorted[rank]), "{found} for {}", sorted[rank]);
        }

        #[test]
        fn a_sum_of_sketches_is_the_sketch_of_all_values(a in prop::collection::vec(0..10_000_000_i64, 0..50), b in prop::collection::vec(0..10_000_000_i64, 0..50)) {
            let mut sum = sketch(&a);
            sum.merge(&sketch(&b));
            prop_assert_eq!(&sum, &sketch(&[a, b].concat()));
            let text = serde_json::to_string(&sum).expect("it encodes");
            prop_assert_eq!(serde_json::from_str::<Sketch>(&text).expect("it decodes"), sum);
        }
    }
}
