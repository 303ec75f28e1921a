//! The address at which people reach the server.

use std::{fmt, str::FromStr};

use url::Url;

/// An address with `http` or `https`, and a path if the server is below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    base: String,
}

/// A text that is no public address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address with http or https and no query, such as https://ops.example.com/isochron")]
pub struct NotAPublicUrl;

impl PublicUrl {
    /// Scheme, host and port, as a browser's `Origin` has them.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path below which the server is: empty, or with a slash at its start and none at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether browsers reach the server by `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let url = Url::parse(text).map_err(|_| NotAPublicUrl)?;
        let plain = ["http", "https"].contains(&url.scheme())
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(NotAPublicUrl);
        }
        let base = url.path().trim_end_matches('/').to_owned();
        // A cookie's path ends at a semicolon.
        if base.contains([';', ',']) {
            return Err(NotAPublicUrl);
        }
        Ok(Self { origin: url.origin().ascii_serialization(), base })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_an_origin_and_a_base() {
        let read = |text: &str| text.parse::<PublicUrl>();
        let url = read("HTTPS://Ops.Example.com:443/a/isochron/").expect("an address");
        assert_eq!(
            (url.origin(), url.base(), url.is_secure()),
            ("https://ops.example.com", "/a/isochron", true)
        );
        let url = read("http://127.0.0.1:8686").expect("an address");
        assert_eq!((url.origin(), url.base(), url.is_secure()), ("http://127.0.0.1:8686", "", false));
        for wrong in
            ["", "example.com", "ftp://a", "https://a?x", "https://a#x", "https://u:p@a", "https://a/;x"]
        {
            assert_eq!(read(wrong), Err(NotAPublicUrl), "{wrong}");
        }
    }
}
