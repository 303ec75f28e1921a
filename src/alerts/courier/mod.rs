//! The courier: takes each channel's messages in order, and serves up to [`AT_ONCE`] channels at a time.

mod upkeep;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{Alerts, Carrier, Mute, Ready, digest, held, message::Message};
use crate::{
    clock::Stopwatch,
    domain::{
        Millis,
        alerts::{Alert, Attempt, Delivery, Kind, State, Target},
        lock::lock,
        time::HOUR,
    },
    scheduler::Actor,
    store::{OutboxQuery, Place, StoreError},
};

/// Channels that are served at a time: more than those whose servers may hang, each for half a minute.
const AT_ONCE: usize = 16;
/// Milliseconds between two attempts.
const WAITS: [Millis; 6] = [5000, 15_000, 60_000, 300_000, 900_000, 1_800_000];
/// Messages that one change moves.
const PART: usize = 1000;
/// Bytes of the end of an execution's output that are read.
const OUTPUT: usize = 16 * 1024;
/// The wait before another look at a store that fails.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The length of a turn at delivering, in milliseconds.
const TURN: Millis = 30_000;
/// The wait before another look for the turn.
const ANOTHERS_TURN: Duration = Duration::from_secs(15);

/// The next thing to do for a channel.
enum Turn {
    /// Nothing before a message comes.
    Wait,
    /// Nothing before this time.
    At(Millis),
    /// A change of the outbox.
    Settle(Vec<Delivery>, Vec<Delivery>),
    /// An attempt to deliver.
    Deliver(Box<Delivery>),
}

impl Alerts {
    /// Delivers alerts until a stop. Messages under way then are delivered after the next start.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let bell = self.parts.scheduler.alerted();
        let mut work: JoinSet<String> = JoinSet::new();
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let mut tidy_at = Millis::MIN;
        if let Err(error) = self.remember().await {
            tracing::warn!(%error, "the messages of the last hour cannot be read");
        }
        while !*stopping.borrow() {
            let rung = bell.notified();
            tokio::pin!(rung);
            // Register before the look.
            rung.as_mut().enable();
            let now = self.parts.clock.now();
            let Some(renew_at) = self.take_turn(now).await else {
                tokio::select! {
                    _ = stopping.changed() => {}
                    () = sleep(ANOTHERS_TURN) => {}
                }
                continue;
            };
            if now >= tidy_at {
                tidy_at = now + HOUR;
                if let Err(error) = self.tidy(now).await {
                    tracing::warn!(%error, "old alerts cannot be removed");
                }
            }
            let wake = self.round(&mut work, &mut busy).await.min(tidy_at).min(renew_at);
            tokio::select! {
                biased;
                _ = stopping.changed() => {}
                Some(ended) = work.join_next(), if !work.is_empty() => {
                    match ended {
                        Ok(channel) => drop(busy.remove(&channel)),
                        // A panic: which channel it was is not known.
                        Err(_) => busy.clear(),
                    }
                }
                () = &mut rung => {}
                () = self.parts.clock.sleep_until(wake) => {}
            }
        }
    }

    /// Takes the turn at delivering: of the processes that share a store, one delivers. Returns the time at which the
    /// turn is to be renewed; nothing if another one has it.
    async fn take_turn(&self, now: Millis) -> Option<Millis> {
        let Some(shared) = self.parts.store.shared() else { return Some(Millis::MAX) };
        match shared.turn("alerts", TURN).await {
            Ok(true) => Some(now.saturating_add(TURN / 2)),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, "it is not known which process delivers alerts");
                None
            }
        }
    }

    /// Gives every idle channel its turn, as long as there is room. Returns the time of the next round.
    async fn round(self: &Arc<Self>, work: &mut JoinSet<String>, busy: &mut BTreeSet<String>) -> Millis {
        let mut wake = Millis::MAX;
        for (name, ready) in &self.channels {
            while !busy.contains(name) && work.len() < AT_ONCE {
                match self.turn(name, ready).await {
                    Ok(Turn::Wait) => break,
                    Ok(Turn::At(time)) => {
                        wake = wake.min(time);
                        break;
                    }
                    Ok(Turn::Settle(old, new)) => {
                        if let Err(error) = self.parts.store.settle(old, new).await {
                            tracing::warn!(channel = name, %error, "alerts cannot be set aside");
                            sleep(AGAIN_AFTER).await;
                        }
                    }
                    Ok(Turn::Deliver(delivery)) => {
                        busy.insert(name.clone());
                        let (alerts, name) = (self.clone(), name.clone());
                        work.spawn(async move {
                            alerts.deliver(&name, *delivery).await;
                            name
                        });
                    }
                    Err(error) => {
                        tracing::warn!(channel = name, %error, "the alerts of a channel cannot be read");
                        sleep(AGAIN_AFTER).await;
                        wake = Millis::MIN;
                        break;
                    }
                }
            }
        }
        wake
    }

    /// Decides what to do for an idle channel.
    async fn turn(&self, name: &str, ready: &Ready) -> Result<Turn, StoreError> {
        let now = self.parts.clock.now();
        let pending = self.read(Place::Pending, name, digest::MOST + 1).await?;
        if let Some(first) = pending.first().filter(|first| !first.attempts.is_empty()) {
            return Ok(due(first, now));
        }
        if let Target::Heartbeat { .. } = ready.settings.target {
            return Ok(beat(&pending));
        }
        let mute = self.mute().await?;
        let quiet_until = ready.settings.quiet.as_ref().and_then(|quiet| quiet.ends(now));
        if let Some(turn) = self.hold(ready, &pending, mute.as_ref(), quiet_until, now) {
            return Ok(turn);
        }
        if let Some(turn) = self.release(name, mute.as_ref(), quiet_until, now).await? {
            return Ok(turn);
        }
        let Some(first) = pending.first() else { return Ok(next_end(mute.as_ref(), quiet_until)) };
        let ready_at = first.alert.time.saturating_add(ready.settings.batch);
        let is_fresh = !matches!(first.alert.kind, Kind::Digest | Kind::Test);
        if is_fresh && ready_at > now {
            return Ok(Turn::At(ready_at));
        }
        let (free_at, limited) = ready.limit(now);
        if let Some(time) = free_at {
            return Ok(Turn::At(time));
        }
        if is_fresh && (pending.len() > digest::MOST || limited && pending.len() > 1) {
            let all = self.read(Place::Pending, name, PART).await?;
            let digest = self.digest(name, &[], &all, now);
            return Ok(Turn::Settle(all, vec![digest]));
        }
        Ok(Turn::Deliver(Box::new(first.clone())))
    }

    async fn read(&self, place: Place, channel: &str, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let query =
            OutboxQuery { place, channel: Some(channel.to_owned()), after: None, newest_first: false, limit };
        self.parts.store.deliveries(query).await
    }

    /// Sets messages aside that quiet hours or a mute hold back. Urgent tasks' messages pass quiet hours.
    fn hold(
        &self,
        ready: &Ready,
        pending: &[Delivery],
        mute: Option<&Mute>,
        quiet_until: Option<Millis>,
        now: Millis,
    ) -> Option<Turn> {
        let is_urgent = |alert: &Alert| {
            alert.task.as_ref().is_some_and(|task| task.tags.iter().any(|tag| tag == "urgent"))
        };
        let drops = ready.settings.quiet.as_ref().is_some_and(|quiet| quiet.drop);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for delivery in pending.iter().filter(|delivery| delivery.alert.kind != Kind::Test) {
            let alert = &delivery.alert;
            let is_muted = mute.is_some_and(|mute| mute.holds(alert, now));
            let is_quiet = quiet_until.is_some() && !is_urgent(alert);
            if is_muted || is_quiet {
                let state = if is_quiet && drops { State::Dropped { at: now } } else { State::Held };
                old.push(delivery.clone());
                new.push(Delivery { state, ..delivery.clone() });
                self.publish(alert, state.name());
            }
        }
        (!old.is_empty()).then_some(Turn::Settle(old, new))
    }

    /// Tells what is left of the held messages, once nothing holds them any more.
    async fn release(
        &self,
        name: &str,
        mute: Option<&Mute>,
        quiet_until: Option<Millis>,
        now: Millis,
    ) -> Result<Option<Turn>, StoreError> {
        if quiet_until.is_some() {
            return Ok(None);
        }
        let all = self.read(Place::Held, name, PART).await?;
        let held: Vec<_> =
            all.into_iter().filter(|held| !mute.is_some_and(|mute| mute.holds(&held.alert, now))).collect();
        if held.is_empty() {
            return Ok(None);
        }
        let held::Left { messages, over } = held::release(held.clone());
        let pending = |delivery: Delivery| Delivery { state: State::Pending { not_before: now }, ..delivery };
        let mut new = Vec::new();
        if messages.len() > digest::MOST {
            new.push(self.digest(name, &over, &messages, now));
        } else {
            new.extend(messages.into_iter().map(pending));
            if !over.is_empty() {
                new.push(self.digest(name, &over, &[], now));
            }
        }
        Ok(Some(Turn::Settle(held, new)))
    }

    fn digest(&self, channel: &str, over: &[String], deliveries: &[Delivery], now: Millis) -> Delivery {
        Delivery::new(Alert {
            since: digest::since(deliveries),
            count: digest::count(over, deliveries),
            lines: digest::lines(over, deliveries),
            ..self.own(channel, Kind::Digest, now)
        })
    }

    /// Makes one attempt, and records it.
    async fn deliver(&self, name: &str, delivery: Delivery) {
        let Some(ready) = self.channels.get(name) else { return };
        let attempt = self.send(ready, &delivery.alert).await;
        let now = self.parts.clock.now();
        let mut new = delivery.clone();
        new.state = match (attempt.ok, wait(&delivery, now)) {
            (true, _) => State::Delivered { at: now },
            (false, Some(not_before)) => State::Pending { not_before },
            (false, None) => State::GivenUp { at: now },
        };
        new.attempts.push(attempt.clone());
        if !attempt.ok {
            tracing::warn!(channel = name, id = %new.alert.id, state = new.state.name(), why = attempt.failure(),
                "an alert was not delivered");
        }
        // A beat that has arrived says nothing any more.
        let kept = if attempt.ok && new.alert.kind.is_beat() { Vec::new() } else { vec![new.clone()] };
        // What is told of an attempt is on record: a restart tells the same.
        let recorded = self.parts.store.settle(vec![delivery], kept).await;
        ready.note(&new, &attempt, now);
        match recorded {
            Ok(()) => {
                let outcome = match new.state {
                    State::Pending { .. } => "retried",
                    state => state.name(),
                };
                self.publish(&new.alert, outcome);
            }
            Err(error) => {
                tracing::warn!(channel = name, %error,
                    "the outcome of an alert cannot be recorded: it is sent again");
                sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Sends an alert to its channel, with everything that is known by now.
    pub(super) async fn send(&self, ready: &Ready, alert: &Alert) -> Attempt {
        let now = self.parts.clock.now();
        let execution = alert.cause.as_ref().map(|cause| cause.execution).filter(|_| !alert.kind.is_beat());
        let output = match execution {
            Some(execution) => self.parts.store.outputs(vec![execution], Some(OUTPUT)).await,
            None => Ok(Vec::new()),
        };
        let output = output.unwrap_or_default().into_iter().flatten().collect();
        let message = Message::new(alert, output, &self.parts.host, &self.links);
        match &ready.carrier {
            Carrier::Http(format, post) => match format.request(&message, now) {
                Ok(outgoing) => post.send(outgoing, now).await,
                Err(why) => Attempt { time: now, took: 0, status: None, answer: why, ok: false },
            },
            Carrier::Mail(mailer) => mailer.send(&message, now).await,
            Carrier::Task(task) => self.run_task(task, &message, now).await,
            #[cfg(test)]
            Carrier::Test(told) => told.take(&message, now),
        }
    }

    async fn run_task(&self, task: &str, message: &Message, now: Millis) -> Attempt {
        let stopwatch = Stopwatch::start();
        let run = async {
            let params = match serde_json::to_value(message) {
                Ok(serde_json::Value::Object(params)) => params,
                _ => serde_json::Map::new(),
            };
            let found = self.parts.store.find(task.to_owned()).await.map_err(|error| error.to_string())?;
            let id = found.ok_or_else(|| format!("there is no task with the name \"{task}\""))?;
            let actor = Actor::of_system("alert", message.id().to_string());
            let ran = self.parts.scheduler.run_for_alert(id, params, &actor).await;
            ran.map(|(_, execution)| execution.to_string()).map_err(|error| error.to_string())
        };
        let ran = run.await;
        let ok = ran.is_ok();
        Attempt { time: now, took: stopwatch.millis(), status: None, answer: ran.unwrap_or_else(|e| e), ok }
    }
}

impl Ready {
    /// The time from which another message may go, if it may not now; and whether messages have waited
    /// for that.
    fn limit(&self, now: Millis) -> (Option<Millis>, bool) {
        let mut state = lock(&self.state);
        while state.sent.front().is_some_and(|sent| *sent <= now - HOUR) {
            state.sent.pop_front();
        }
        let most = usize::try_from(self.settings.max_per_hour).unwrap_or(usize::MAX);
        if state.sent.len() >= most {
            state.limited = true;
            return (state.sent.front().map(|sent| sent.saturating_add(HOUR)), true);
        }
        (None, state.limited)
    }

    fn note(&self, delivery: &Delivery, attempt: &Attempt, now: Millis) {
        let mut state = lock(&self.state);
        if attempt.ok {
            state.last_delivered = Some(now);
            state.limited = false;
            if !delivery.alert.kind.is_beat() {
                state.sent.push_back(now);
            }
        } else {
            state.last_failed = Some((now, attempt.failure()));
        }
    }
}

/// The turn of a message that has been tried before.
fn due(first: &Delivery, now: Millis) -> Turn {
    match first.state {
        State::Pending { not_before } if not_before > now => Turn::At(not_before),
        _ => Turn::Deliver(Box::new(first.clone())),
    }
}

/// The turn of a heartbeat: of several beats of a kind the newest counts.
fn beat(pending: &[Delivery]) -> Turn {
    let is_old = |at: usize, beat: &Delivery| {
        pending[at + 1..].iter().any(|later| later.alert.kind == beat.alert.kind)
    };
    let old = pending.iter().enumerate().filter(|(at, beat)| is_old(*at, beat));
    let old: Vec<_> = old.map(|(_, beat)| beat.clone()).collect();
    match pending.first() {
        None => Turn::Wait,
        Some(first) if old.is_empty() => Turn::Deliver(Box::new(first.clone())),
        Some(_) => Turn::Settle(old, Vec::new()),
    }
}

/// The turn of a channel without a message that may go now.
fn next_end(mute: Option<&Mute>, quiet_until: Option<Millis>) -> Turn {
    let ends = mute.map(|mute| mute.until).into_iter().chain(quiet_until);
    ends.min().map_or(Turn::Wait, Turn::At)
}

/// The time of the next attempt after one that has failed at `now`; none once an hour has passed.
fn wait(delivery: &Delivery, now: Millis) -> Option<Millis> {
    let first = delivery.attempts.first().map_or(now, |attempt| attempt.time);
    let next = now.saturating_add(*WAITS.get(delivery.attempts.len())?);
    (next <= first.saturating_add(HOUR)).then_some(next)
}

#[cfg(test)]
pub(super) mod tests;
