//! The attempts at a planned time, as an account tells them.

use super::{Account, Known, Outcome};
use crate::domain::{
    Millis,
    execution::{Execution, ExecutionStatus, Reason, Trigger},
    text::duration_in_words,
};

/// Earlier attempts that an account tells, besides those that were lost: the newest.
const MOST_EARLIER: usize = 3;

impl Known<'_> {
    /// Whether the plan of the task asked for a row: no user and no alert did.
    pub(super) fn is_of_plan(&self, row: &Execution) -> bool {
        let is_asked_for = |row: &Execution| matches!(row.trigger, Trigger::Manual | Trigger::Alert);
        let first =
            || self.rows.iter().find(|first| first.scheduled_for == row.scheduled_for && is_asked_for(first));
        !is_asked_for(row) && (row.trigger != Trigger::Retry || first().is_none())
    }

    /// The account of a time that was run, from its attempts in the order of their beginning.
    pub(super) fn attempts(&self, time: Millis) -> Option<Account> {
        let rows = self.rows.iter().filter(|row| row.scheduled_for == time && row.attempt > 0);
        let mut rows: Vec<_> = rows.filter(|row| self.is_of_plan(row)).collect();
        rows.sort_by_key(|row| (row.created_at, row.attempt, row.id));
        let (last, earlier) = rows.split_last()?;
        let (mut outcome, mut text) = self.tell_last(time, last);
        let cut = earlier.len().saturating_sub(MOST_EARLIER);
        for (index, row) in earlier.iter().enumerate() {
            if index >= cut || row.reason == Some(Reason::Lost) {
                text += &self.tell_earlier(row);
            }
        }
        let retry = self.task.facts.retries.iter().find(|retry| retry.occurrence.scheduled_for == time);
        if let Some(retry) = retry {
            outcome = Outcome::Waiting;
            text += &format!(" Attempt {} is at {}.", retry.attempt, self.clock(retry.due));
        }
        let (reason, execution_id) = (last.reason, Some(last.id));
        Some(Account { time, outcome, reason, execution_id, attempts: rows.len(), text })
    }

    fn tell_last(&self, time: Millis, row: &Execution) -> (Outcome, String) {
        let at = self.clock(time);
        let error = quote(row.error.as_deref());
        let again = match (row.trigger, row.attempt) {
            (Trigger::Backfill, _) => " in a backfill".to_owned(),
            (_, 0 | 1) => String::new(),
            (_, attempt) => {
                let began = self.clock(row.start_time.unwrap_or(row.created_at));
                format!(" at attempt {attempt}, which began at {began}")
            }
        };
        match row.status {
            ExecutionStatus::Completed => {
                let took = row.duration.map(duration_in_words).map(|took| format!(" in {took}"));
                (Outcome::Completed, format!("{at} completed{}{again}.", took.unwrap_or_default()))
            }
            ExecutionStatus::Running => (Outcome::Running, format!("{at} is running{again}.")),
            ExecutionStatus::Cancelled => (Outcome::Cancelled, format!("{at} was cancelled{again}{error}.")),
            ExecutionStatus::Failed | ExecutionStatus::Skipped => {
                let attempts =
                    if row.attempt > 1 { format!(" {} times", row.attempt) } else { String::new() };
                let failed = if row.reason == Some(Reason::Lost) && row.attempt == 1 {
                    "was lost".to_owned()
                } else {
                    format!("failed{attempts}")
                };
                (Outcome::Failed, format!("{at} {failed}{error}."))
            }
        }
    }

    /// A sentence about an attempt that was not the last one, with a space before it.
    fn tell_earlier(&self, row: &Execution) -> String {
        let fate = match row.status {
            ExecutionStatus::Completed => "completed",
            ExecutionStatus::Running => "is running",
            ExecutionStatus::Cancelled => "was cancelled",
            _ if row.reason == Some(Reason::Lost) => "was lost",
            _ => "failed",
        };
        format!(" Attempt {} {fate}{}.", row.attempt, quote(row.error.as_deref()))
    }

    /// The name of a run in a sentence.
    pub(super) fn name_run(&self, row: &Execution) -> String {
        let at = self.clock(row.scheduled_for);
        if self.is_of_plan(row) {
            return format!("the run of {at}");
        }
        let who = if row.trigger == Trigger::Alert { "an alert" } else { "a user" };
        format!("the run that {who} asked for at {at}")
    }
}

fn quote(error: Option<&str>) -> String {
    let line = error.and_then(|error| error.lines().next()).map(|line| line.trim_end_matches('.'));
    line.map(|line| format!(": {line}")).unwrap_or_default()
}
