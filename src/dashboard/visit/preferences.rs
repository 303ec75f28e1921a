//! Preferences: the zone, the theme and the keys that a visitor has chosen, kept in cookies.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono_tz::Tz;
use url::form_urlencoded;

use crate::{dashboard::links::Links, domain::zone::parse_zone};

/// A year: preferences are kept so long, in seconds.
const KEPT: u32 = 365 * 24 * 60 * 60;

/// The colours of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dashboard) enum Theme {
    /// The theme of the visitor's system.
    System,
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

impl Theme {
    /// All of them, as the settings list them.
    pub(in crate::dashboard) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The name in cookies and pages.
    pub(in crate::dashboard) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(in crate::dashboard) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or(Self::System)
    }
}

/// The preferences of a visitor.
#[derive(Debug, Clone, Copy)]
pub(in crate::dashboard) struct Preferences {
    /// The zone of all times; `None` until it is known.
    pub(in crate::dashboard) zone: Option<Tz>,
    /// The colours.
    pub(in crate::dashboard) theme: Theme,
    /// Whether single keys act.
    pub(in crate::dashboard) keys: bool,
}

impl Preferences {
    /// The preferences in the cookies of a request.
    pub(in crate::dashboard) fn read(headers: &HeaderMap) -> Self {
        Self {
            zone: cookie(headers, "tz").and_then(|name| parse_zone(&name).ok()),
            theme: Theme::named(&cookie(headers, "theme").unwrap_or_default()),
            keys: cookie(headers, "keys").is_none_or(|value| value != "off"),
        }
    }

    /// The cookies that keep them.
    pub(in crate::dashboard) fn cookies(self, links: &Links) -> Vec<HeaderValue> {
        let mut values = vec![
            ("theme", self.theme.name().to_owned()),
            ("keys", if self.keys { "on" } else { "off" }.to_owned()),
        ];
        values.extend(self.zone.map(|zone| ("tz", zone.name().to_owned())));
        values.into_iter().filter_map(|(name, value)| set_cookie(links, name, &value, KEPT)).collect()
    }
}

/// A cookie's value, decoded.
pub(in crate::dashboard) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let value = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))?;
    // The value stands for a name, so that `=` and `&` in it are not taken for separators.
    form_urlencoded::parse(value.as_bytes()).next().map(|(decoded, _)| decoded.into_owned())
}

/// A header that sets a cookie for all pages, for `seconds`.
pub(in crate::dashboard) fn set_cookie(
    links: &Links,
    name: &str,
    value: &str,
    seconds: u32,
) -> Option<HeaderValue> {
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let path = links.root();
    HeaderValue::try_from(format!("{name}={value}; Path={path}; Max-Age={seconds}; SameSite=Lax")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &'static str) -> Preferences {
        Preferences::read(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookies))]))
    }

    #[test]
    fn preferences_survive_their_cookies_and_anything_else_is_the_default() {
        let chosen = read("a=b; tz=Europe%2FBerlin; theme=dark; keys=off");
        assert_eq!(chosen.zone, Some(Tz::Europe__Berlin));
        assert_eq!((chosen.theme, chosen.keys), (Theme::Dark, false));
        let cookies = chosen.cookies(&Links::new("/ops", "v"));
        assert!(cookies.iter().any(|cookie| {
            cookie
                .to_str()
                .is_ok_and(|text| text == "tz=Europe%2FBerlin; Path=/ops/; Max-Age=31536000; SameSite=Lax")
        }));
        let broken = read("tz=Mars; theme==;;=; keys");
        assert_eq!((broken.zone, broken.theme, broken.keys), (None, Theme::System, true));
    }
}
