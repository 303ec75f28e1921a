//! Redirects: "HTTP-redirect fetch" of the Fetch standard, without the parts for browsers.

use hyper::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::{
    Failure,
    failure::Kind,
    request::{Upload, check_url},
};

/// The most redirects that are followed.
pub(super) const MOST: usize = 20;

/// Where a response redirects to, if it does.
pub(super) fn target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, Failure> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(header::LOCATION) else { return Ok(None) };
    let invalid =
        || Failure::new(Kind::Redirect, format!("{from} redirects to an address that is not valid"));
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| invalid())?;
    let to = from.join(location).map_err(|_| invalid())?;
    if !matches!(to.scheme(), "http" | "https") {
        let message =
            format!("{from} redirects to the scheme {}: only http and https are possible", to.scheme());
        return Err(Failure::new(Kind::Redirect, message));
    }
    check_url(to).map(Some).map_err(|_| {
        Failure::new(Kind::Redirect, format!("{from} redirects to a URL with a user name or password"))
    })
}

/// The method and the headers of the request that follows a redirect; `replay` is its body.
///
/// # Errors
/// When the body was a stream, which cannot be sent again.
pub(super) fn follow(
    status: StatusCode,
    (from, to): (&Url, &Url),
    (method, headers): (&mut Method, &mut HeaderMap),
    replay: &mut Replay,
) -> Result<(), Failure> {
    if status != StatusCode::SEE_OTHER && matches!(replay, Replay::Gone) {
        let message =
            format!("{from} redirects a request whose body is a stream, which cannot be sent again");
        return Err(Failure::new(Kind::Redirect, message));
    }
    let becomes_get = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        *method = Method::GET;
        *replay = Replay::None;
        for name in [
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_LOCATION,
            header::CONTENT_TYPE,
        ] {
            headers.remove(name);
        }
    }
    if from.origin() != to.origin() {
        for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
    }
    Ok(())
}

/// The body of a request that may have to be sent again.
pub(super) enum Replay {
    None,
    Bytes(hyper::body::Bytes),
    /// It was a stream.
    Gone,
}

impl Replay {
    /// Keeps bytes for sending them again.
    pub(super) fn of(upload: &Upload) -> Self {
        match upload {
            Upload::None => Self::None,
            Upload::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Upload::Stream(_) => Self::Gone,
        }
    }

    /// The body to send after a redirect.
    pub(super) fn upload(&self) -> Upload {
        match self {
            Self::Bytes(bytes) => Upload::Bytes(bytes.clone()),
            Self::None | Self::Gone => Upload::None,
        }
    }
}
