//! Heartbeats: calls of an address, for a dead man's switch elsewhere.

use super::{Format, Message, Millis, Outgoing, headers};
use crate::domain::alerts::Kind;

/// A heartbeat.
pub(super) struct Heartbeat {
    pub(super) url: String,
}

impl Format for Heartbeat {
    fn url(&self) -> &str {
        &self.url
    }

    /// A success calls the address itself; `/start` and `/fail` are added to its path.
    fn request(&self, message: &Message, _now: Millis) -> Result<Outgoing, String> {
        let end = match message.kind {
            Kind::Start => "/start",
            Kind::Fail => "/fail",
            _ => "",
        };
        let (path, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(p, q)| (p, Some(q)));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = if end.is_empty() { path } else { path.trim_end_matches('/') };
        let mut headers = headers(message);
        headers.retain(|(name, _)| name != "content-type");
        Ok(Outgoing { url: format!("{path}{end}{query}"), headers, body: None })
    }
}
