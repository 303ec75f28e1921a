//! Formats: a message as the request that a kind of channel takes. Pure.

mod chat;
mod heartbeat;
mod ntfy;
mod template;
#[cfg(test)]
mod tests;
mod webhook;

use super::{
    given::{self, OpenError},
    message::Message,
    post::Outgoing,
};
use crate::domain::{
    Millis,
    alerts::{Given, Target},
};

/// Makes requests of messages.
pub(super) trait Format: Send + Sync {
    /// The address of the channel.
    fn url(&self) -> &str;
    /// The request for a message that is sent at `now`.
    ///
    /// # Errors
    /// A text for people, when a template of a user fails.
    fn request(&self, message: &Message, now: Millis) -> Result<Outgoing, String>;
}

/// Makes the format of a channel ready.
pub(super) fn open(channel: &str, target: &Target) -> Result<Box<dyn Format>, OpenError> {
    let read = |key: &str, given: &Given| given::read(channel, key, given);
    Ok(match target {
        Target::Webhook { url, secret, headers, body } => Box::new(webhook::Webhook {
            url: read("url", url)?,
            secret: secret.as_ref().map(|secret| read("secret", secret)).transpose()?,
            headers: headers
                .iter()
                .map(|(name, value)| Ok((name.clone(), read(name, value)?.into_bytes())))
                .collect::<Result<_, OpenError>>()?,
            body: body
                .as_ref()
                .map(|body| template::Template::parse(body))
                .transpose()
                .map_err(|why| OpenError::new(channel, format!("body is no template: {why}")))?,
        }),
        Target::Slack { url } => Box::new(chat::Slack { url: read("url", url)? }),
        Target::Discord { url } => Box::new(chat::Discord { url: read("url", url)? }),
        Target::Ntfy { url, token, priority } => {
            let url = read("url", url)?;
            let token = token.as_ref().map(|token| read("token", token)).transpose()?;
            let ntfy = ntfy::Ntfy::new(&url, token, priority.clone());
            Box::new(ntfy.map_err(|why| OpenError::new(channel, why))?)
        }
        Target::Heartbeat { url, .. } => Box::new(heartbeat::Heartbeat { url: read("url", url)? }),
        Target::Email { .. } | Target::Task { .. } => {
            return Err(OpenError::new(channel, "this kind of channel has no address"));
        }
    })
}

/// The headers of every request.
fn headers(message: &Message) -> Vec<(String, Vec<u8>)> {
    [
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("isochron/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("x-isochron-id", message.id().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.into_bytes()))
    .into()
}
