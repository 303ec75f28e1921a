//! Why a request failed.

use std::{error::Error, fmt, io};

use rustls::CertificateError;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The part of the request that failed.
    pub kind: Kind,
    /// The code that Node has for it, if there is one.
    pub code: Option<&'static str>,
    /// A sentence that names the host, the address or the limit.
    pub message: String,
}

/// The part of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request itself: its URL, method, headers or body.
    Request,
    /// A rule of the server refuses the host or the address.
    Policy,
    /// The host's name was not resolved.
    Dns,
    /// No connection was made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The time ran out.
    Timeout,
    /// The connection broke off.
    Reset,
    /// The answer is not HTTP, or its body does not decode.
    Protocol,
    /// A redirect was not followed.
    Redirect,
    /// A limit was reached.
    Limit,
    /// The request was cancelled.
    Cancelled,
}

impl Kind {
    /// One word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Policy => "policy",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Redirect => "redirect",
            Self::Limit => "limit",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl Failure {
    /// A failure without a code.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, code: None, message: message.into() }
    }

    /// A failure with Node's code.
    pub(crate) fn coded(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code: Some(code), message: message.into() }
    }

    /// A name that was not resolved.
    pub(super) fn of_resolving(host: &str, error: &io::Error) -> Self {
        let text = error.to_string();
        if text.contains("emporary failure") {
            return Self::coded(
                Kind::Dns,
                "EAI_AGAIN",
                format!("no DNS server answered for the name {host}"),
            );
        }
        Self::coded(Kind::Dns, "ENOTFOUND", format!("the name {host} was not found"))
    }

    /// A connection that was not made; `target` has the address, the port and the name.
    pub(super) fn of_connecting(target: &str, error: &io::Error) -> Self {
        use io::ErrorKind as E;
        let (code, words) = match error.kind() {
            E::ConnectionRefused => ("ECONNREFUSED", "refused the connection"),
            E::ConnectionReset => ("ECONNRESET", "reset the connection"),
            E::TimedOut => ("ETIMEDOUT", "did not answer"),
            E::HostUnreachable => ("EHOSTUNREACH", "cannot be reached"),
            E::NetworkUnreachable => ("ENETUNREACH", "cannot be reached: there is no route to its network"),
            E::AddrNotAvailable => ("EADDRNOTAVAIL", "is no address to connect to"),
            _ => return Self::new(Kind::Connect, format!("no connection to {target}: {error}")),
        };
        Self::coded(Kind::Connect, code, format!("{target} {words}"))
    }

    /// A TLS handshake that failed.
    pub(super) fn of_tls(host: &str, error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(certificate)) = cause {
            return Self::of_certificate(host, certificate);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::coded(
                Kind::Tls,
                "ECONNRESET",
                format!("{host} closed the connection during the TLS handshake"),
            ),
            _ => Self::coded(Kind::Tls, "EPROTO", format!("the TLS handshake with {host} failed: {error}")),
        }
    }

    fn of_certificate(host: &str, error: &CertificateError) -> Self {
        use CertificateError as E;
        let (code, words) = match error {
            E::Expired | E::ExpiredContext { .. } => ("CERT_HAS_EXPIRED", "has expired"),
            E::NotValidYet | E::NotValidYetContext { .. } => ("CERT_NOT_YET_VALID", "is not valid yet"),
            E::UnknownIssuer => (
                "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
                "was issued by none of the authorities that this machine trusts",
            ),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                ("ERR_TLS_CERT_ALTNAME_INVALID", "is for other names")
            }
            E::Revoked => ("CERT_REVOKED", "is revoked"),
            other => {
                let message = format!("the certificate of {host} is not valid: {other}");
                return Self::coded(Kind::Tls, "CERT_UNTRUSTED", message);
            }
        };
        Self::coded(Kind::Tls, code, format!("the certificate of {host} {words}"))
    }

    /// An exchange that broke off. The cause may be a failure of ours, from the stream or the body.
    pub(super) fn of_exchange(host: &str, error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut deepest = error;
        while let Some(error) = cause {
            deepest = error;
            if let Some(failure) = error.downcast_ref::<Self>() {
                return failure.clone();
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                let inner = io.get_ref();
                if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<Self>()) {
                    return failure.clone();
                }
                return match inner.and_then(|inner| inner.downcast_ref::<hyper::Error>()) {
                    Some(inner) => Self::of_exchange(host, inner),
                    None => Self::of_stream(host, io),
                };
            }
            cause = error.source();
        }
        match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
                Self::coded(
                    Kind::Reset,
                    "ECONNRESET",
                    format!("{host} closed the connection before the end of its answer"),
                )
            }
            Some(error) if error.is_parse_too_large() => Self::coded(
                Kind::Limit,
                "UND_ERR_HEADERS_OVERFLOW",
                format!("{host} sent more headers than are read"),
            ),
            _ => Self::new(Kind::Protocol, format!("the answer of {host} is not valid HTTP: {deepest}")),
        }
    }

    fn of_stream(host: &str, error: &io::Error) -> Self {
        use io::ErrorKind as E;
        let (code, words) = match error.kind() {
            E::ConnectionReset => ("ECONNRESET", "reset the connection"),
            E::BrokenPipe => ("EPIPE", "closed the connection"),
            E::UnexpectedEof => ("ECONNRESET", "closed the connection before the end of its answer"),
            E::TimedOut => ("ETIMEDOUT", "did not answer"),
            E::InvalidData | E::InvalidInput | E::Other => {
                return Self::new(Kind::Protocol, format!("the answer of {host} is not valid: {error}"));
            }
            _ => return Self::new(Kind::Reset, format!("the connection to {host} broke: {error}")),
        };
        Self::coded(Kind::Reset, code, format!("{host} {words}"))
    }
}
