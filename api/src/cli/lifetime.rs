//! How long a key lives, as people write it.

use std::str::FromStr;

use gateway_shared::clock::Millis;

/// A time span: a number and `m`, `h`, `d` or `y` (minutes, hours, days, years).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime(pub(super) Millis);

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a number and m, h, d or y, such as 30d".to_owned();
        let unit = text.chars().last().ok_or_else(wrong)?;
        let number = text.strip_suffix(unit).ok_or_else(wrong)?;
        let minutes: Millis = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'y' => 365 * 24 * 60,
            _ => return Err(wrong()),
        };
        let number: Millis = number.parse().map_err(|_| wrong())?;
        number
            .checked_mul(minutes * 60_000)
            .filter(|millis| *millis > 0)
            .map(Self)
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!("30d".parse(), Ok(Lifetime(30 * 86_400_000)));
        assert_eq!("5m".parse(), Ok(Lifetime(300_000)));
        for text in ["", "d", "30", "0d", "-1d", "1x", "ä"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }
}
