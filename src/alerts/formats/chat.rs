//! Slack and Discord.

use serde_json::json;

use super::{Format, Message, Millis, Outgoing, headers};
use crate::domain::alerts::{Kind, cut};

/// Characters of a message that Discord takes.
const DISCORD: usize = 2000;
/// Characters of a text that Slack shows whole.
const SLACK: usize = 3000;

/// An incoming webhook of Slack.
pub(super) struct Slack {
    pub(super) url: String,
}

/// A webhook of Discord.
pub(super) struct Discord {
    pub(super) url: String,
}

impl Format for Slack {
    fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, message: &Message, _now: Millis) -> Result<Outgoing, String> {
        let mut text = format!("{} {}", sign(message.kind), escape(&message.summary));
        if let Some(link) = message.links.execution.as_ref().or(message.links.task.as_ref()) {
            text += &format!(" (<{link}|open>)");
        }
        let details = cut(&escape(&message.details()), SLACK);
        if !details.is_empty() {
            text += &format!("\n```{}```", details.replace("```", "'''"));
        }
        Ok(post(&self.url, message, &json!({ "text": text })))
    }
}

impl Format for Discord {
    fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, message: &Message, _now: Millis) -> Result<Outgoing, String> {
        let mut text = format!("{} {}", sign(message.kind), cut(&message.summary, 500));
        if let Some(link) = message.links.execution.as_ref().or(message.links.task.as_ref()) {
            text += &format!("\n<{link}>");
        }
        let left = DISCORD.saturating_sub(text.chars().count() + 10);
        let details = cut(&message.details().replace("```", "'''"), left);
        if !details.is_empty() {
            text += &format!("\n```\n{details}```");
        }
        // Text of handlers mentions nobody.
        Ok(post(&self.url, message, &json!({ "content": text, "allowed_mentions": { "parse": [] } })))
    }
}

fn post(url: &str, message: &Message, body: &serde_json::Value) -> Outgoing {
    let body = Some(body.to_string().into_bytes());
    Outgoing { url: url.to_owned(), headers: headers(message), body }
}

/// The three characters that mean something to Slack.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Recovery => "✅",
        Kind::Test => "🔔",
        Kind::Late | Kind::Slow | Kind::Skipped => "⚠️",
        _ => "🔴",
    }
}
