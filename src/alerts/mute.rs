//! Mute: all messages, or those about tasks with a tag, are held back until a time.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Alerts;
use crate::{
    domain::{
        Millis,
        alerts::Alert,
        step::{Event, News},
    },
    store::StoreError,
};

/// The key of the mute among the store's values.
const KEY: &str = "alerts.mute";

/// A mute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mute {
    /// Epoch milliseconds of its end.
    pub until: Millis,
    /// Only messages about tasks with this tag are held back.
    pub tag: Option<String>,
    /// For people.
    pub reason: Option<String>,
    /// The name of the user's token.
    pub by: String,
    /// Epoch milliseconds of its begin.
    pub since: Millis,
}

impl Mute {
    /// Whether it holds a message back at `now`.
    #[must_use]
    pub fn holds(&self, alert: &Alert, now: Millis) -> bool {
        let tags = alert.task.as_ref().map_or(&[][..], |task| &task.tags);
        self.until > now && self.tag.as_ref().is_none_or(|tag| tags.contains(tag))
    }
}

impl Alerts {
    /// Reads the mute that goes on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mute(&self) -> Result<Option<Mute>, StoreError> {
        let value = self.parts.store.get(KEY.to_owned()).await?;
        let mute = value.and_then(|value| serde_json::from_value::<Option<Mute>>(value).ok().flatten());
        Ok(mute.filter(|mute| mute.until > self.parts.clock.now()))
    }

    /// Begins or changes the mute; `None` ends it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_mute(&self, mute: Option<Mute>) -> Result<(), StoreError> {
        self.parts.store.put(KEY.to_owned(), json!(mute)).await?;
        let details = json!({ "mute": mute }).as_object().cloned().unwrap_or_default();
        let (time, news) = (self.parts.clock.now(), News::Config(Box::new(details)));
        self.parts.events.publish(vec![Event { time, subject: None, news }]);
        self.parts.scheduler.alerted().notify_one();
        Ok(())
    }
}
