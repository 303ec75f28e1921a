//! ntfy: a message in JSON for a topic (<https://docs.ntfy.sh/publish/#publish-as-json>).

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;

use super::{Format, Message, Millis, Outgoing, headers};
use crate::domain::alerts::{Kind, cut};

/// Characters of a message; ntfy makes a file of more than 4,096 bytes.
const LONGEST: usize = 1200;

/// A topic of ntfy.
pub(super) struct Ntfy {
    /// The server, without the topic.
    url: String,
    topic: String,
    token: Option<String>,
    priority: BTreeMap<Kind, u8>,
}

impl Ntfy {
    /// # Errors
    /// When the address has no topic.
    pub(super) fn new(
        url: &str,
        token: Option<String>,
        priority: BTreeMap<Kind, u8>,
    ) -> Result<Self, String> {
        let no_topic = || "url must end with a topic, as https://ntfy.sh/mine does".to_owned();
        let mut url = Url::parse(url).map_err(|_| no_topic())?;
        let topic = url.path_segments().and_then(|mut parts| parts.next_back().map(str::to_owned));
        let topic = topic.filter(|topic| !topic.is_empty()).ok_or_else(no_topic)?;
        url.path_segments_mut().map_err(|()| no_topic())?.pop();
        Ok(Self { url: url.to_string(), topic, token, priority })
    }
}

impl Format for Ntfy {
    fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, message: &Message, _now: Millis) -> Result<Outgoing, String> {
        let details = message.details();
        let text = if details.is_empty() { message.summary.clone() } else { details };
        let mut body = json!({
            "topic": self.topic,
            "title": cut(&message.summary, 200),
            "message": cut(&text, LONGEST),
            "priority": self.priority.get(&message.kind).copied().unwrap_or(priority(message.kind)),
            "tags": [message.kind.name()],
        });
        if let Some(link) = message.links.execution.as_ref().or(message.links.task.as_ref()) {
            body["click"] = link.as_str().into();
        }
        let mut headers = headers(message);
        if let Some(token) = &self.token {
            headers.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()));
        }
        Ok(Outgoing { url: self.url.clone(), headers, body: Some(body.to_string().into_bytes()) })
    }
}

/// The priority of a kind where the settings name none; 3 is that of ntfy.
fn priority(kind: Kind) -> u8 {
    match kind {
        Kind::Failure | Kind::Exhausted | Kind::Missed => 4,
        _ => 3,
    }
}
