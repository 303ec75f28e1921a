//! Names of time zones.

use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};
use thiserror::Error;

/// No name in the tz database is longer; a longer text is not worth a search.
const LONGEST_NAME: usize = 64;
/// Typing errors that still make a name "near": a letter or two.
const NEAR: usize = 2;

/// Why a text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ZoneError {
    /// Nothing was given.
    #[error("the time zone is empty: give an IANA name such as \"Europe/Berlin\" or \"UTC\"")]
    Empty,
    /// Longer than any zone's name, in bytes.
    #[error("the time zone has {0} bytes, no IANA name is that long: give one such as \"Europe/Berlin\"")]
    TooLong(usize),
    /// Not in the tz database, and nothing in it looks alike.
    #[error("{0:?} is not a time zone: give an IANA name such as \"Europe/Berlin\" or \"UTC\"")]
    Unknown(String),
    /// Not in the tz database, which has a name much like it.
    #[error("{name:?} is not a time zone: did you mean {near:?}?")]
    Near {
        /// The text that was given.
        name: String,
        /// The IANA name that is nearest to it.
        near: &'static str,
    },
}

/// Reads the IANA name of a time zone, with capitals as the tz database writes them.
///
/// # Errors
/// [`ZoneError`] says what would be right, with the nearest name if one is near.
pub fn parse_zone(name: &str) -> Result<Tz, ZoneError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(ZoneError::Empty);
    }
    if name.len() > LONGEST_NAME {
        return Err(ZoneError::TooLong(name.len()));
    }
    Tz::from_str(name).map_err(|_| match nearest(name) {
        Some(near) => ZoneError::Near { name: name.to_owned(), near },
        None => ZoneError::Unknown(name.to_owned()),
    })
}

fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase().replace([' ', '-'], "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let same_city = |known: &&str| {
        known.rsplit('/').next().is_some_and(|city| known.contains('/') && city.eq_ignore_ascii_case(&wanted))
    };
    names()
        .find(|known| known.to_lowercase().replace('-', "_") == wanted)
        .or_else(|| names().find(same_city))
        .or_else(|| {
            // Three letters are within two typing errors of nearly everything.
            let length = wanted.chars().count();
            let allowed = NEAR.min(length / 4);
            names()
                // A letter more or less is an error each.
                .filter(|known| known.len().abs_diff(length) <= allowed)
                .map(|known| (strsim::levenshtein(&wanted, &known.to_lowercase()), known))
                .filter(|(distance, _)| *distance <= allowed)
                .min()
                .map(|(_, known)| known)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_read() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "CET", " UTC "] {
            assert_eq!(parse_zone(name).map(Tz::name).as_deref(), Ok(name.trim()), "{name:?}");
        }
    }

    #[test]
    fn unknown_names_come_with_the_nearest() {
        let cases = [
            ("europe/berlin", Some("Europe/Berlin")),
            ("Berlin", Some("Europe/Berlin")),
            ("new york", Some("America/New_York")),
            ("Europe/Berln", Some("Europe/Berlin")),
            ("Asia/Tokio", Some("Asia/Tokyo")),
            ("America/Port au-Prince", Some("America/Port-au-Prince")),
            ("utc", Some("UTC")),
            ("Mars/Olympus", None),
            ("+02:00", None),
            ("XX", None),
            ("東京", None),
            ("\u{0}", None),
        ];
        for (name, expected) in cases {
            let near = match parse_zone(name) {
                Err(ZoneError::Near { near, .. }) => Some(near),
                Err(ZoneError::Unknown(_)) => None,
                other => panic!("{name:?}: {other:?}"),
            };
            assert_eq!(near, expected, "{name:?}");
        }
        assert_eq!(parse_zone("  "), Err(ZoneError::Empty));
        assert_eq!(parse_zone(&"x".repeat(65)), Err(ZoneError::TooLong(65)));
    }
}
