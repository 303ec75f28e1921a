//! Webhooks: the message as JSON, or through a template, with a signature.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Format, Message, Millis, Outgoing, headers, template::Template};

/// A webhook.
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Option<Template>,
}

impl Format for Webhook {
    fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, message: &Message, now: Millis) -> Result<Outgoing, String> {
        let body = match &self.body {
            Some(template) => {
                template.render(message).map_err(|why| format!("the template of the body fails: {why}"))?
            }
            None => serde_json::to_string(message).map_err(|error| error.to_string())?,
        };
        let mut headers = headers(message);
        let own = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        headers.retain(|(name, _)| !own(name));
        headers.extend(self.headers.iter().cloned());
        if let Some(secret) = &self.secret {
            let signature = sign(secret, now.div_euclid(1000), &body);
            headers.push(("x-isochron-signature".to_owned(), signature.into_bytes()));
        }
        Ok(Outgoing { url: self.url.clone(), headers, body: Some(body.into_bytes()) })
    }
}

/// The value of the header: the time in seconds, and the HMAC-SHA256 of time, dot and body.
fn sign(secret: &str, seconds: i64, body: &str) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}
