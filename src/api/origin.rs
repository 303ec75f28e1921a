//! Origin: refuses changes that another site makes a browser ask for, and serves below a path.
//!
//! A browser sends the cookie of a session with every request to this server, whoever asks for it. So a
//! change by a browser must come from the server's own pages, by `Sec-Fetch-Site` or `Origin`. A program
//! that sends a token in `Authorization` is no browser with a cookie, and may ask from anywhere.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    handler::HandlerWithoutStateExt,
    http::{StatusCode, Uri, header, uri::PathAndQuery},
    response::Response,
};
use tower_http::{
    csrf::{CsrfLayer, ProtectionError},
    normalize_path::NormalizePath,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{error::ApiError, front::Front};
use crate::domain::access::public_url::PublicUrl;

const REFUSAL: &str = "The request comes from another site: changes need this server's own pages, or a token \
                       in the Authorization header. Behind a proxy, set publicUrl and pass Host and Origin on";

/// Serves `site`, with a check of the origins of requests and without the base of `public` in their paths. A
/// proxy may have taken the base off before. A slash at a path's end is dropped. `front` notes the changes
/// that are refused.
pub fn protect<A: Future<Output = Response> + Send + 'static>(
    site: impl Fn(Request) -> A + Clone + Send + Sync + 'static,
    public: Option<&PublicUrl>,
    front: Front,
) -> Router {
    let mut own_site = CsrfLayer::new();
    if let Some(public) = public {
        // An origin that cannot be trusted by name is still compared with `Host`.
        own_site = own_site.clone().add_trusted_origin(public.origin()).unwrap_or(own_site);
    }
    let asked = site.clone();
    let guarded =
        own_site.with_rejection_response(mark).layer((move |request: Request| asked(request)).into_service());
    let base: Arc<str> = public.map_or("", PublicUrl::base).into();
    let all = move |mut request: Request| {
        let (site, mut guarded, front) = (site.clone(), guarded.clone(), front.clone());
        if let Some(uri) = below(&base, request.uri()) {
            *request.uri_mut() = uri;
        }
        async move {
            if request.headers().contains_key(header::AUTHORIZATION) {
                return site(request).await;
            }
            let asked = (!request.method().is_safe()).then(|| without_body(&request));
            let Ok(response) = guarded.call(request).await;
            match asked {
                Some(asked) if response.extensions().get::<OtherSite>().is_some() => {
                    front.refuse_other_site(asked, ApiError::forbidden(REFUSAL)).await
                }
                _ => response,
            }
        }
    };
    Router::new().fallback_service(NormalizePath::trim_trailing_slash(all.into_service()))
}

/// Marks the answer to a change of another site.
#[derive(Clone)]
struct OtherSite;

fn mark(_: ProtectionError) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.extensions_mut().insert(OtherSite);
    response
}

/// The parts of a request that tell who sent it, and whereto.
fn without_body(request: &Request) -> Request {
    let mut copy = Request::default();
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy.extensions_mut().extend(request.extensions().clone());
    copy
}

/// The address without the base; `None` if it does not begin with the base.
fn below(base: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base).filter(|_| !base.is_empty())?;
    let path = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        None | Some('?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_base_loses_it() {
        for (path, rest) in [
            ("/ops/isochron/admin/scheduler?limit=1", Some("/admin/scheduler?limit=1")),
            ("/ops/isochron", Some("/")),
            ("/ops/isochron/", Some("/")),
            ("/ops/isochron?a", Some("/?a")),
            ("/ops/isochronous", None),
            ("/admin/scheduler", None),
        ] {
            let found = below("/ops/isochron", &path.parse().expect("a path"));
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), rest, "{path}");
        }
        assert_eq!(below("", &Uri::from_static("/a")), None);
    }
}
