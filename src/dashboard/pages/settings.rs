//! The preferences of a visitor.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    dashboard::{
        ask::{Fault, Refusal},
        forms::Form,
        visit::{Preferences, Theme, Visit},
    },
    domain::zone::parse_zone,
};

/// `POST /settings`: fields that the form does not have stay as they are.
pub(in crate::dashboard) async fn save(
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Fault> {
    let mut preferences = Preferences::read(&headers);
    if form.has("zone") {
        let zone = parse_zone(form.get("zone")).map_err(|error| {
            Fault::Refused(Refusal {
                code: StatusCode::BAD_REQUEST.as_u16(),
                message: error.to_string(),
                details: Vec::new(),
            })
        })?;
        preferences.zone = Some(zone);
    }
    if form.has("theme") {
        preferences.theme = Theme::named(form.get("theme"));
    }
    if form.has("keys") {
        preferences.keys = form.get("keys") == "on";
    }
    let mut response = visit.go_back(&visit.links.root(), "").into_response();
    let cookies = preferences.cookies(&visit.links);
    response.headers_mut().extend(cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
