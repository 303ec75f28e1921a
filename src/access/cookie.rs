//! The cookie of a session.

use crate::domain::access::session::LONGEST;

/// The name of the cookie.
const NAME: &str = "isochron";

/// The text of the session's cookie in the values of `Cookie` headers.
pub fn read<'a>(mut headers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    headers.find_map(|header| {
        header.split(';').find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
    })
}

/// The value of `Set-Cookie` that gives a browser the text of a session. `base` is the path of the public
/// address; without `secure` the browser sends the cookie without encryption too.
#[must_use]
pub fn set(text: &str, base: &str, secure: bool) -> String {
    line(text, LONGEST / 1000, base, secure)
}

/// The value of `Set-Cookie` that makes a browser forget the session.
#[must_use]
pub fn clear(base: &str, secure: bool) -> String {
    line("", 0, base, secure)
}

fn line(text: &str, seconds: i64, base: &str, secure: bool) -> String {
    let path = if base.is_empty() { "/" } else { base };
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={text}; HttpOnly; SameSite=Strict; Path={path}; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        for (header, found) in [
            ("isochron=abc", Some("abc")),
            ("tz=UTC; isochron=abc; theme=dark", Some("abc")),
            ("isochron2=x; xisochron=y", None),
            ("isochron", None),
            ("", None),
        ] {
            assert_eq!(read([header].into_iter()), found, "{header}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_server_only() {
        assert_eq!(
            set("x", "", true),
            "isochron=x; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; Secure"
        );
        assert_eq!(clear("/ops", false), "isochron=; HttpOnly; SameSite=Strict; Path=/ops; Max-Age=0");
    }
}
