//! Visit: one request of one person, with everything that a page needs to know about them.

mod error;
mod places;
mod preferences;
mod queries;

use askama::Template;
use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;

use self::places::{PLACES, Place};
pub(super) use self::{
    error::{Asked, dress},
    preferences::{Preferences, Theme, cookie, set_cookie},
};
use super::{
    Shared,
    ask::{Ask, Fault},
    links::{Links, Query},
    markup::{Markup, show_turns},
    times::Viewpoint,
};
use crate::domain::{Millis, access::Role};

/// The cookie with the news for the next page.
const NEWS: &str = "news";
/// News that no page has shown by then are dropped, in seconds.
const NEWS_KEPT: u32 = 60;

/// Everything that pages without a session need.
#[derive(Clone, Copy)]
pub(super) struct Bare<'a> {
    pub(super) links: &'a Links,
    pub(super) preferences: Preferences,
}

/// The columns of the list of runs that can be chosen, besides the task.
pub(super) const COLUMNS: &[&str] =
    &["outcome", "start", "duration", "late", "started", "planned", "attempt", "id"];

/// One request of one person.
#[derive(Clone)]
pub(super) struct Visit {
    /// Every address.
    pub(super) links: Links,
    /// Asks the API with the visitor's credentials.
    pub(super) api: Ask,
    /// The moment, and the zone of all times.
    pub(super) at: Viewpoint,
    /// The zone, the theme and the keys.
    pub(super) preferences: Preferences,
    /// The token's name.
    pub(super) name: String,
    /// The token's role.
    pub(super) role: Role,
    /// The path, without the base.
    pub(super) path: String,
    /// The query.
    pub(super) query: Query,
    /// The result of the change before, in a sentence.
    pub(super) news: Option<String>,
    /// The id of the last event before anything was read for the page.
    pub(super) heard: String,
    /// Whether the token is bound to some handlers.
    is_bound: bool,
    back: Option<String>,
}

/// The answer of `/admin/me`.
#[derive(Deserialize)]
struct Me {
    name: String,
    role: Role,
    #[serde(default)]
    handlers: Option<Vec<String>>,
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Shared) -> Result<Self, Fault> {
        let heard = dashboard.api.newest_event();
        let api = Ask::like(dashboard.api.clone(), parts);
        let me = api.get::<Me>("/admin/me").await?;
        let query = Query::read(parts.uri.query().unwrap_or_default());
        if let (Some(route), &Method::GET) = (parts.extensions.get::<MatchedPath>(), &parts.method) {
            queries::check(route.as_str(), &query)?;
        }
        let preferences = Preferences::read(&parts.headers);
        let zone = preferences.zone.unwrap_or(chrono_tz::UTC);
        let referer = parts.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
        Ok(Self {
            links: dashboard.links.clone(),
            api,
            at: Viewpoint { now: dashboard.clock.now(), zone },
            preferences,
            name: me.name,
            role: me.role,
            heard,
            is_bound: me.handlers.is_some(),
            path: parts.uri.path().to_owned(),
            query,
            news: cookie(&parts.headers, NEWS).filter(|news| !news.is_empty()),
            back: referer.and_then(|address| address.parse::<Uri>().ok()).and_then(|address| {
                let address = address.path_and_query()?.as_str();
                dashboard.links.within(address).map(|path| dashboard.links.to(path))
            }),
        })
    }
}

impl Visit {
    /// The part of a page that a script asks for; empty for the whole page.
    pub(super) fn part(&self) -> &str {
        self.query.get("part")
    }

    /// The address of a part of this page.
    pub(super) fn part_of(&self, part: &str) -> String {
        self.query.with("part", part).after(&self.links.to(&self.path))
    }

    /// The address of this page with one value of its query changed.
    pub(super) fn here_with(&self, name: &str, value: impl std::fmt::Display) -> String {
        self.query.with("part", "").with(name, value).after(&self.links.to(&self.path))
    }

    /// The first segment of the path, which the navigation marks.
    pub(super) fn section(&self) -> &str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }

    /// The places of the navigation that the visitor may see.
    pub(super) fn places(&self) -> Vec<&'static Place> {
        PLACES.iter().filter(|place| self.may(place.role) && !(place.whole && self.is_bound)).collect()
    }

    /// The number of places that the bar of small screens shows; it has room for five, of which
    /// the last one opens the others.
    pub(super) fn places_in_bar(&self) -> usize {
        let count = self.places().len();
        if count > 5 { 4 } else { count }
    }

    /// The colours to choose from.
    pub(super) fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    /// Whether the visitor's role suffices for what `role` may do.
    pub(super) fn may(&self, role: Role) -> bool {
        self.role >= role
    }

    /// Whether the visitor may run, pause, resume and cancel.
    pub(super) fn operates(&self) -> bool {
        self.may(Role::Operator)
    }

    /// Whether the visitor may create, change and delete tasks.
    pub(super) fn edits(&self) -> bool {
        self.may(Role::Editor)
    }

    /// A time, see [`Viewpoint::time`].
    pub(super) fn time(&self, moment: &Millis) -> Markup {
        self.at.time(*moment)
    }

    /// See [`Viewpoint::date_time`].
    pub(super) fn date_time(&self, moment: &Millis) -> Markup {
        self.at.date_time(*moment)
    }

    /// See [`Viewpoint::distance`].
    pub(super) fn distance(&self, moment: &Millis) -> Markup {
        self.at.distance(*moment)
    }

    /// See [`Viewpoint::elapsed`].
    pub(super) fn elapsed(&self, since: &Millis) -> Markup {
        self.at.elapsed(*since)
    }

    /// Answers with a page, or with a part of one.
    ///
    /// # Errors
    /// When the template fails.
    pub(super) fn show(&self, page: &impl Template) -> Result<Response, Fault> {
        let mut response =
            ([(header::CACHE_CONTROL, "no-store")], Html(show_turns(page.render()?))).into_response();
        if self.news.is_some()
            && self.part().is_empty()
            && let Some(gone) = set_cookie(&self.links, NEWS, "", 0)
        {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
        Ok(response)
    }

    /// Goes to another page after a change, and tells `news` there.
    pub(super) fn go(&self, address: &str, news: &str) -> Response {
        let mut response = StatusCode::SEE_OTHER.into_response();
        if let Ok(address) = HeaderValue::try_from(address) {
            response.headers_mut().insert(header::LOCATION, address);
        }
        if let Some(news) = set_cookie(&self.links, NEWS, news, NEWS_KEPT).filter(|_| !news.is_empty()) {
            response.headers_mut().append(header::SET_COOKIE, news);
        }
        response
    }

    /// Goes back to the page with the form, or to `otherwise`.
    pub(super) fn go_back(&self, otherwise: &str, news: &str) -> Response {
        self.go(self.back.as_deref().unwrap_or(otherwise), news)
    }
}
