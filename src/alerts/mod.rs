//! Alerts: delivers the messages that `domain::step` has decided to send.
//!
//! The way of a message: a step writes it into the store's outbox with the change that makes it true → the
//! [`courier`] takes the deliveries of each channel in order → [`held`] and [`digest`] decide whether
//! it waits, goes alone or with others → [`message`] adds what is known by now → one of the [`formats`]
//! makes a request of it → [`post`], [`mail`] or the scheduler carries it → the outcome goes back into
//! the outbox. A message stays there until its channel has taken it or an hour has passed, over restarts
//! too, so a channel may get one twice, with the same id.
//!
//! Misuse to avoid: showing the address of a channel, which is often a secret; `place` has the part
//! that may be shown.

mod courier;
mod digest;
mod formats;
mod given;
mod held;
mod mail;
mod message;
mod mute;
mod post;
mod server;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value, json};

use self::{formats::Format, mail::Mailer, message::Links, post::Post};
pub use self::{
    given::OpenError,
    message::summarize,
    mute::Mute,
    server::{Sign, SignState, Signs},
};
use crate::{
    clock::{Clock, Ids},
    domain::{
        Millis,
        alerts::{Alert, AlertConfig, AlertId, Attempt, Channel, Kind, Target},
        lock::lock,
        network::NetPolicy,
        step::{Event, News},
    },
    events::Events,
    scheduler::Scheduler,
    store::{Store, StoreError},
};

/// The parts of the server that deliver alerts.
pub struct Parts {
    /// Keeps the messages.
    pub store: Arc<dyn Store>,
    /// Runs tasks that are channels.
    pub scheduler: Arc<Scheduler>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Hears of deliveries.
    pub events: Events,
    /// The hosts that no channel reaches (`net.deny`).
    pub net: NetPolicy,
    /// The address of the dashboard, if it is known.
    pub public_url: Option<String>,
    /// The name of this machine.
    pub host: String,
}

/// A channel that is ready.
struct Ready {
    settings: Channel,
    carrier: Carrier,
    state: Mutex<ChannelState>,
}

/// The way of a message to its channel.
enum Carrier {
    Http(Box<dyn Format>, Post),
    Mail(Mailer),
    /// The name of a task.
    Task(String),
    #[cfg(test)]
    Test(Arc<courier::tests::Told>),
}

/// The state of a channel that is not worth keeping.
#[derive(Default)]
struct ChannelState {
    /// The times of the messages of the last hour.
    sent: VecDeque<Millis>,
    /// Whether messages wait because there were too many in an hour.
    limited: bool,
    last_delivered: Option<Millis>,
    last_failed: Option<(Millis, String)>,
}

/// Delivers alerts.
pub struct Alerts {
    parts: Parts,
    links: Links,
    ids: Ids,
    channels: BTreeMap<String, Ready>,
    /// The channels that hear of the server itself, and of what.
    server: Vec<(String, Vec<Kind>)>,
}

impl Alerts {
    /// Makes the channels ready: reads their secrets, and checks their templates and addresses.
    ///
    /// # Errors
    /// Names the channel, the key and the mistake.
    pub fn open(config: &AlertConfig, parts: Parts) -> Result<Arc<Self>, OpenError> {
        let mut channels = BTreeMap::new();
        for (name, settings) in &config.channels {
            let carrier = open_carrier(name, settings, &parts)?;
            let ready = Ready { settings: settings.clone(), carrier, state: Mutex::default() };
            channels.insert(name.clone(), ready);
        }
        let links = Links::new(parts.public_url.as_deref());
        let ids = Ids::new(parts.clock.clone());
        Ok(Arc::new(Self { parts, links, ids, channels, server: config.server.clone() }))
    }

    /// The names of the channels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.keys().map(String::as_str)
    }

    /// The names of the channels whose last attempt has failed.
    #[must_use]
    pub fn troubled(&self) -> Vec<String> {
        let fails = |ready: &Ready| {
            let state = lock(&ready.state);
            let failed = state.last_failed.as_ref().map(|(time, _)| *time);
            failed.is_some_and(|failed| state.last_delivered.is_none_or(|delivered| delivered < failed))
        };
        self.channels.iter().filter(|(_, ready)| fails(ready)).map(|(name, _)| name.clone()).collect()
    }

    /// Describes every channel for people, without secrets.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn describe(&self) -> Result<Vec<Map<String, Value>>, StoreError> {
        let waiting = self.parts.store.waiting().await?;
        let now = self.parts.clock.now();
        let describe = |(name, ready): (&String, &Ready)| {
            let counts = waiting.get(name).copied().unwrap_or_default();
            let state = lock(&ready.state);
            let (failed, why) = state.last_failed.clone().unzip();
            let value = json!({
                "name": name,
                "kind": ready.settings.target.kind(),
                "place": ready.place(),
                "pending": counts.pending,
                "held": counts.held,
                "quietUntil": ready.settings.quiet.as_ref().and_then(|quiet| quiet.ends(now)),
                "lastDelivered": state.last_delivered,
                "lastFailed": failed,
                "lastError": why,
            });
            value.as_object().cloned().unwrap_or_default()
        };
        Ok(self.channels.iter().map(describe).collect())
    }

    /// Sends a test to a channel at once; `None` if there is no such channel.
    pub async fn test(&self, channel: &str) -> Option<Attempt> {
        let ready = self.channels.get(channel)?;
        let now = self.parts.clock.now();
        let kind = match ready.settings.target {
            Target::Heartbeat { .. } => Kind::Success,
            _ => Kind::Test,
        };
        let lines = vec!["This is a test of the channel: it works.".to_owned()];
        let alert = Alert { lines, ..self.own(channel, kind, now) };
        Some(self.send(ready, &alert).await)
    }

    /// An alert without a task.
    fn own(&self, channel: &str, kind: Kind, time: Millis) -> Alert {
        Alert {
            id: AlertId(self.ids.execution(time).0),
            channel: channel.to_owned(),
            kind,
            time,
            task: None,
            cause: None,
            since: None,
            count: 0,
            p50: None,
            source_changed: None,
            follows: None,
            reminder: false,
            paused: false,
            lines: Vec::new(),
        }
    }

    /// Tells listeners of an alert and what has become of it.
    fn publish(&self, alert: &Alert, outcome: &str) {
        let task = alert.task.as_ref();
        let value = json!({
            "id": alert.id, "channel": alert.channel, "kind": alert.kind, "outcome": outcome,
            "taskId": task.map(|task| task.id), "taskName": task.map(|task| &task.name),
        });
        let details = Box::new(value.as_object().cloned().unwrap_or_default());
        let (time, news) = (self.parts.clock.now(), News::Alert(details));
        self.parts.events.publish(vec![Event { time, subject: None, news }]);
    }
}

impl Ready {
    /// The part of the channel's address that may be shown.
    fn place(&self) -> String {
        match &self.carrier {
            Carrier::Http(_, post) => post.host().to_owned(),
            Carrier::Mail(mailer) => mailer.place(),
            Carrier::Task(task) => task.clone(),
            #[cfg(test)]
            Carrier::Test(_) => "a test".to_owned(),
        }
    }
}

fn open_carrier(name: &str, settings: &Channel, parts: &Parts) -> Result<Carrier, OpenError> {
    match &settings.target {
        Target::Task { task } => Ok(Carrier::Task(task.clone())),
        Target::Email { smtp, password, from, to } => {
            let given = |key, text| given::read(name, key, text);
            let password = password.as_ref().map(|text| given("password", text)).transpose()?;
            let mailer = Mailer::open(&given("smtp", smtp)?, password.as_deref(), from, to, &parts.net);
            mailer.map(Carrier::Mail).map_err(|why| OpenError::new(name, why))
        }
        target => {
            let format = formats::open(name, target)?;
            let post = Post::open(format.url(), &parts.net).map_err(|why| OpenError::new(name, why))?;
            Ok(Carrier::Http(format, post))
        }
    }
}
