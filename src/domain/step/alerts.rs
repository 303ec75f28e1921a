//! Decisions about alerts: the messages of a step, by the rules of its task.
//!
//! They are decided last, from the rows and the facts that the rest of the step has made, and are part of
//! the same change. The task's [`Alarms`] tell which messages have been sent: one for a streak of failures,
//! one for its recovery.

use std::{collections::BTreeMap, sync::Arc};

use super::Stepper;
use crate::domain::{
    Millis,
    alerts::{
        Alarms, Alert, AlertId, AlertSettings, Beats, Cause, Firing, Kind, LATE, Occasion, PausedBy, Rule,
        SLOW, Slow, Subject,
    },
    execution::{Execution, ExecutionStatus, Reason, Trigger},
    facts::{LastOutcome, Running, Task},
    ids::ExecutionId,
    recent::Ended,
};

/// A run is slow compared with at least so many completed ones.
const KNOWN_RUNS: usize = 10;
/// The last words of a document about a task that an alert has paused.
const PAUSED_BY: &str = "alert";

impl Task {
    /// Begins the watch over a new task, if it has alerts.
    pub fn begin_watch(&mut self, settings: &AlertSettings) {
        let rules = settings.rules_of_messages(self.definition.alerts.as_deref());
        if rules.is_empty() {
            return;
        }
        let mut alarms = Alarms { heard: Some(self.created_at), ..Alarms::default() };
        alarms.due = next_due(self, &alarms, &rules);
        self.facts.alarms = Some(Box::new(alarms));
    }

    /// Whether a message about the task has been sent whose occasion lasts.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.facts.alarms.as_ref().is_some_and(|alarms| !alarms.firing.is_empty())
    }

    /// The time of the next decision about the task's alerts that the clock alone brings.
    #[must_use]
    pub fn alarm_due(&self) -> Option<Millis> {
        self.facts.alarms.as_ref()?.due
    }
}

impl Stepper<'_, '_> {
    /// Adds the alerts of the step that was taken from `before`.
    pub(super) fn decide_alerts(&mut self, before: &Task) {
        if self.circumstances.policy.alerts.rules(self.step.task.definition.alerts.as_deref()).is_empty() {
            if self.step.task.facts.alarms.is_some() {
                self.facts().alarms = None;
            }
            return;
        }
        let settings = self.circumstances.policy.alerts.clone();
        let rules = settings.rules_of_messages(self.step.task.definition.alerts.as_deref());
        let now = self.circumstances.now;
        let alarms = self.facts().alarms.take().map(|alarms| *alarms);
        let alarms = alarms.unwrap_or_else(|| Alarms { heard: Some(now), ..Alarms::default() });
        let mut judge = Judge { stepper: self, before, rules, settings, now, alarms };
        judge.hear_of_resumption();
        judge.hear_of_rows();
        judge.hear_of_the_clock();
        let Judge { rules, mut alarms, .. } = judge;
        alarms.due = next_due(&self.step.task, &alarms, &rules);
        self.facts().alarms = Some(Box::new(alarms));
    }

    /// Pauses the task because of a failure.
    fn pause_by_alert(&mut self, why: String) {
        if self.step.task.facts.paused {
            return;
        }
        self.skip_passed_of_recurring();
        let since = self.circumstances.now;
        let facts = self.facts();
        facts.paused = true;
        facts.paused_by = Some(Box::new(PausedBy { by: PAUSED_BY.to_owned(), since, why }));
    }
}

/// The decision about the alerts of one step.
struct Judge<'a, 'b, 'c> {
    stepper: &'a mut Stepper<'b, 'c>,
    before: &'a Task,
    rules: Vec<Rule>,
    settings: Arc<AlertSettings>,
    now: Millis,
    alarms: Alarms,
}

/// The parts of a message that its occasion decides.
#[derive(Clone, Copy, Default)]
struct Parts<'a> {
    since: Option<Millis>,
    count: u64,
    row: Option<&'a Execution>,
    follows: Option<AlertId>,
    reminder: bool,
    paused: bool,
}

impl Judge<'_, '_, '_> {
    fn task(&self) -> &Task {
        &self.stepper.step.task
    }

    /// A resumption begins a new streak, and a new wait for a success.
    fn hear_of_resumption(&mut self) {
        if self.before.facts.paused && !self.task().facts.paused {
            self.alarms.failures = 0;
            self.alarms.failing_since = None;
            self.alarms.heard = Some(self.now);
        }
        if self.task().facts.stopped_after.is_none() {
            self.forget(|firing| firing.occasion == Occasion::Exhausted);
        }
    }

    fn hear_of_rows(&mut self) {
        let rows = std::mem::take(&mut self.stepper.step.rows);
        for row in &rows {
            if row.trigger == Trigger::Alert && row.status == ExecutionStatus::Running {
                self.alarms.quiet.push(row.scheduled_for);
            }
            match row.status {
                // A run that an alert has started gives no occasion for another alert.
                _ if self.alarms.quiet.contains(&row.scheduled_for) => {}
                ExecutionStatus::Running => self.hear_of_start(row),
                ExecutionStatus::Skipped => self.hear_of_skips(row),
                ExecutionStatus::Completed => self.hear_of_success(row),
                ExecutionStatus::Failed => self.hear_of_failure(row),
                ExecutionStatus::Cancelled => self.hear_of_end(row),
            }
        }
        let added = std::mem::replace(&mut self.stepper.step.rows, rows);
        // Those of a pause.
        self.stepper.step.rows.extend(added);
        let facts = &self.stepper.step.task.facts;
        self.alarms.quiet.retain(|quiet| facts.open_times().any(|open| open == *quiet));
    }

    fn hear_of_start(&mut self, row: &Execution) {
        self.beat(|beats| beats.start, Kind::Start, row);
        let planned = matches!(row.trigger, Trigger::Schedule | Trigger::Immediate | Trigger::CatchUp);
        if !planned {
            return;
        }
        self.alarms.skipped = 0;
        self.alarms.skipped_since = None;
        self.forget(|firing| firing.occasion == Occasion::Skipped);
        let late = row.start_time.unwrap_or(self.now).saturating_sub(row.scheduled_for);
        for rule in self.rules_of(Occasion::Late) {
            if late > rule.late.unwrap_or(LATE) {
                let parts = Parts { count: late.unsigned_abs(), row: Some(row), ..Parts::default() };
                self.tell(&rule.channel, Kind::Late, parts);
            }
        }
    }

    fn hear_of_skips(&mut self, row: &Execution) {
        let counted = self.before.facts.running.iter().filter_map(|running| running.skipped.as_ref());
        let counted: u64 = counted.filter(|skip| skip.execution == row.id).map(|skip| skip.count).sum();
        let added = row.skipped_count.unwrap_or(1).saturating_sub(counted);
        self.alarms.skipped = self.alarms.skipped.saturating_add(added);
        let since = *self.alarms.skipped_since.get_or_insert(self.now);
        let count = self.alarms.skipped;
        for rule in self.rules_of(Occasion::Skipped) {
            if count >= u64::from(rule.after) && self.alarms.find(&rule.channel, Occasion::Skipped).is_none()
            {
                let parts = Parts { since: Some(since), count, row: Some(row), ..Parts::default() };
                self.fire(&rule.channel, Occasion::Skipped, since, parts);
            }
        }
    }

    fn hear_of_end(&mut self, row: &Execution) {
        self.forget(|firing| firing.execution == Some(row.id));
    }

    fn hear_of_success(&mut self, row: &Execution) {
        self.hear_of_end(row);
        let mut recovered: BTreeMap<String, Firing> = BTreeMap::new();
        self.alarms.firing.retain(|firing| {
            let is_over = matches!(firing.occasion, Occasion::Failure | Occasion::Missed);
            if is_over {
                let first = recovered.entry(firing.channel.clone()).or_insert_with(|| firing.clone());
                if firing.since < first.since {
                    *first = firing.clone();
                }
            }
            !is_over
        });
        let count = u64::from(self.alarms.failures);
        for rule in self.rules_of(Occasion::Recovery) {
            if let Some(firing) = recovered.remove(&rule.channel) {
                let (since, follows) = (Some(firing.since), Some(firing.alert));
                let parts = Parts { since, count, row: Some(row), follows, ..Parts::default() };
                self.tell(&rule.channel, Kind::Recovery, parts);
            }
        }
        self.alarms.failures = 0;
        self.alarms.failing_since = None;
        self.alarms.heard = Some(self.now);
        self.alarms.good_hash.clone_from(&row.handler_hash);
        self.beat(|_| true, Kind::Success, row);
    }

    /// Counts an occurrence whose attempts are used up. One whose server died counts neither way.
    fn hear_of_failure(&mut self, row: &Execution) {
        self.hear_of_end(row);
        let is_open = self.task().facts.open_times().any(|open| open == row.scheduled_for);
        if is_open || row.reason == Some(Reason::Lost) {
            return;
        }
        self.beat(|beats| beats.fail, Kind::Fail, row);
        self.alarms.failures = self.alarms.failures.saturating_add(1);
        let since = *self.alarms.failing_since.get_or_insert(self.now);
        let count = u64::from(self.alarms.failures);
        for rule in self.rules_of(Occasion::Failure) {
            let told = self.alarms.find(&rule.channel, Occasion::Failure);
            if count < u64::from(rule.after) || told.is_some_and(|firing| firing.since == since) {
                continue;
            }
            let paused = rule.auto_pause && !self.task().facts.paused;
            let parts = Parts { since: Some(since), count, row: Some(row), paused, ..Parts::default() };
            self.fire(&rule.channel, Occasion::Failure, since, parts);
            if paused {
                let times = if count == 1 { "once".to_owned() } else { format!("{count} times in a row") };
                self.stepper.pause_by_alert(format!("it has failed {times}"));
            }
        }
        let stopped = self.before.facts.stopped_after.is_none() && self.task().facts.stopped_after.is_some();
        if stopped {
            for rule in self.rules_of(Occasion::Exhausted) {
                let parts = Parts { since: Some(self.now), count, row: Some(row), ..Parts::default() };
                self.fire(&rule.channel, Occasion::Exhausted, self.now, parts);
            }
        }
    }

    /// The occasions that need no row: silence, slow runs, reminders.
    fn hear_of_the_clock(&mut self) {
        if self.task().facts.paused {
            return;
        }
        for rule in self.rules.clone() {
            if missed_at(self.task(), &self.alarms, &rule).is_some_and(|time| time <= self.now) {
                let heard = self.alarms.heard.unwrap_or(self.now);
                let count = self.now.saturating_sub(heard).unsigned_abs();
                let parts = Parts { since: Some(heard), count, ..Parts::default() };
                self.fire(&rule.channel, Occasion::Missed, heard, parts);
            }
            if let Some((occasion, time)) = reminder_at(&self.alarms, &rule)
                && time <= self.now
            {
                self.remind(&rule, occasion);
            }
            while let Some((execution, _)) =
                slow_at(self.task(), &self.alarms, &rule).filter(|(_, time)| *time <= self.now)
            {
                self.tell_of_slow_run(&rule, execution);
            }
        }
    }

    fn tell_of_slow_run(&mut self, rule: &Rule, execution: ExecutionId) {
        let Some(running) = self.task().facts.running.iter().find(|run| run.execution == execution) else {
            return;
        };
        let (row, since) = (Execution::started(self.task(), running), running.claimed_at);
        let count = self.now.saturating_sub(since).unsigned_abs();
        let parts = Parts { since: Some(since), count, row: Some(&row), ..Parts::default() };
        let alert = self.tell(&rule.channel, Kind::Slow, parts);
        self.alarms.firing.push(Firing {
            channel: rule.channel.clone(),
            occasion: Occasion::Slow,
            since,
            told: self.now,
            alert,
            last: None,
            execution: Some(execution),
        });
    }

    fn remind(&mut self, rule: &Rule, occasion: Occasion) {
        let Some(firing) = self.alarms.find(&rule.channel, occasion).cloned() else { return };
        let count = match occasion {
            Occasion::Missed => self.now.saturating_sub(firing.since).unsigned_abs(),
            _ => u64::from(self.alarms.failures),
        };
        let (since, follows) = (Some(firing.since), Some(firing.alert));
        let parts = Parts { since, count, follows, reminder: true, ..Parts::default() };
        let reminder = self.tell(&rule.channel, occasion.into(), parts);
        for told in &mut self.alarms.firing {
            if told.channel == firing.channel && told.occasion == occasion {
                (told.told, told.last) = (self.now, Some(reminder));
            }
        }
    }

    fn rules_of(&self, occasion: Occasion) -> Vec<Rule> {
        self.rules.iter().filter(|rule| rule.tells(occasion)).cloned().collect()
    }

    fn forget(&mut self, is_over: impl Fn(&Firing) -> bool) {
        self.alarms.firing.retain(|firing| !is_over(firing));
    }

    /// Sends a beat to the heartbeat channels that take this kind.
    fn beat(&mut self, takes: impl Fn(Beats) -> bool, kind: Kind, row: &Execution) {
        let channels: Vec<_> = self.rules.iter().map(|rule| rule.channel.clone()).collect();
        for channel in channels {
            if self.settings.heartbeats.get(&channel).is_some_and(|beats| takes(*beats)) {
                self.tell(&channel, kind, Parts { row: Some(row), ..Parts::default() });
            }
        }
    }

    /// Sends a message whose occasion lasts.
    fn fire(&mut self, channel: &str, occasion: Occasion, since: Millis, parts: Parts<'_>) {
        let alert = self.tell(channel, occasion.into(), parts);
        if self.settings.heartbeats.contains_key(channel) {
            return;
        }
        self.forget(|firing| firing.channel == channel && firing.occasion == occasion);
        self.alarms.firing.push(Firing {
            channel: channel.to_owned(),
            occasion,
            since,
            told: self.now,
            alert,
            last: None,
            execution: None,
        });
    }

    fn tell(&mut self, channel: &str, kind: Kind, parts: Parts<'_>) -> AlertId {
        let id = AlertId((self.stepper.circumstances.new_id)().0);
        if self.settings.heartbeats.contains_key(channel) && !kind.is_beat() {
            return id;
        }
        let Parts { since, count, row, follows, reminder, paused } = parts;
        let hash = row.and_then(|row| row.handler_hash.as_ref());
        let source_changed = hash.zip(self.alarms.good_hash.as_ref()).map(|(hash, good)| hash != good);
        let task = self.task();
        let alert = Alert {
            id,
            channel: channel.to_owned(),
            kind,
            time: self.now,
            task: Some(Subject::of(task)),
            cause: row.map(Cause::of),
            since,
            count,
            p50: task.facts.recent.percentile(50),
            source_changed,
            follows,
            reminder,
            paused,
            lines: Vec::new(),
        };
        self.stepper.step.alerts.push(alert);
        id
    }
}

/// The next time at which the clock alone gives an occasion.
fn next_due(task: &Task, alarms: &Alarms, rules: &[Rule]) -> Option<Millis> {
    if task.facts.paused {
        return None;
    }
    let times = rules.iter().flat_map(|rule| {
        let reminder = reminder_at(alarms, rule).map(|(_, time)| time);
        let slow = slow_at(task, alarms, rule).map(|(_, time)| time);
        [missed_at(task, alarms, rule), reminder, slow]
    });
    times.flatten().min()
}

/// The time at which a success is missed, unless it has been told.
fn missed_at(task: &Task, alarms: &Alarms, rule: &Rule) -> Option<Millis> {
    let silence = rule.silence.filter(|_| rule.tells(Occasion::Missed))?;
    let facts = &task.facts;
    let awaited =
        facts.next.is_some() || facts.stopped_after.is_some() || facts.open_times().next().is_some();
    let told = alarms.find(&rule.channel, Occasion::Missed).is_some();
    (awaited && !told).then(|| alarms.heard.unwrap_or(task.created_at).saturating_add(silence))
}

/// The occasion that is to be repeated first, and the time of its next message.
fn reminder_at(alarms: &Alarms, rule: &Rule) -> Option<(Occasion, Millis)> {
    let every = rule.remind_every?;
    let lasting = [Occasion::Failure, Occasion::Missed].into_iter().filter(|occasion| rule.tells(*occasion));
    let times = lasting.filter_map(|occasion| {
        let firing = alarms.find(&rule.channel, occasion)?;
        // A streak that a resumption has ended is not repeated.
        let lasts = occasion == Occasion::Missed || alarms.failing_since == Some(firing.since);
        lasts.then(|| (occasion, firing.told.saturating_add(every)))
    });
    times.min_by_key(|(_, time)| *time)
}

/// The run in progress that is slow first, and from when on, among those that have not been told.
fn slow_at(task: &Task, alarms: &Alarms, rule: &Rule) -> Option<(ExecutionId, Millis)> {
    if !rule.tells(Occasion::Slow) || task.facts.running.is_empty() {
        return None;
    }
    let Slow { factor, floor } = rule.slow.unwrap_or(SLOW);
    let completed = |ended: &Ended| ended.status == LastOutcome::Completed;
    if task.facts.recent.list().iter().filter(|ended| completed(ended)).count() < KNOWN_RUNS {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most a day of milliseconds")]
    let bound = task.facts.recent.percentile(95)? as f64 * factor;
    #[expect(clippy::cast_possible_truncation, reason = "at most a hundred days of milliseconds")]
    let bound = (bound as Millis).max(floor);
    let is_untold = |running: &&Running| {
        let told =
            |firing: &Firing| firing.execution == Some(running.execution) && firing.channel == rule.channel;
        !alarms.quiet.contains(&running.occurrence.scheduled_for) && !alarms.firing.iter().any(told)
    };
    let runs = task.facts.running.iter().filter(is_untold);
    let times = runs.map(|running| (running.execution, running.claimed_at.saturating_add(bound)));
    times.min_by_key(|(_, time)| *time)
}
