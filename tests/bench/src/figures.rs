//! Medians, percentiles and comparisons.

use std::time::Duration;

use serde::Serialize;

/// The median of some figures; 0 of none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The figure that `share` (0 to 1) of all do not exceed; 0 of none.
pub(crate) fn percentile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Milliseconds with their fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The same figure of the gateway and of what it is measured against, round by round.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Duel {
    /// The gateway's rounds.
    pub(crate) gateway: Vec<f64>,
    /// The other's rounds.
    pub(crate) plain: Vec<f64>,
}

impl Duel {
    /// The gateway's median over the other's.
    pub(crate) fn ratio(&self) -> f64 {
        let plain = median(&self.plain);
        if plain == 0.0 {
            0.0
        } else {
            median(&self.gateway) / plain
        }
    }

    /// How much the gateway's median is above the other's.
    pub(crate) fn above(&self) -> f64 {
        median(&self.gateway) - median(&self.plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), 50.0);
        assert_eq!(percentile(&hundred, 0.99), 99.0);
        assert_eq!(percentile(&hundred, 1.0), 100.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_duel_compares_medians() {
        let duel = Duel {
            gateway: vec![1.0, 3.0, 2.0],
            plain: vec![4.0, 4.0, 9.0],
        };
        assert_eq!(duel.ratio(), 0.5);
        assert_eq!(duel.above(), -2.0);
        assert_eq!(Duel::default().ratio(), 0.0);
    }
}
