//! Coalesce: the last event of each kind and task within a window, for a page that shows how things stand.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::domain::{ids::TaskId, step::Event};

/// Events of one batch, at most.
const MOST: usize = 200;

/// The task and the name of an event.
type Kind = (Option<TaskId>, &'static str);
/// The number and the text of an event.
type Numbered = (u64, Arc<str>);

/// The events of one window.
pub(super) struct Window {
    length: Duration,
    closed_at: Option<Instant>,
    last: HashMap<Kind, Numbered>,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, closed_at: None, last: HashMap::new() }
    }

    /// The time of the next batch.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        self.closed_at.map(|closed_at| closed_at + self.length)
    }

    /// Adds an event in place of an earlier one of its kind and task.
    pub(super) fn add(&mut self, event: &Event, number: u64, text: Arc<str>) {
        self.last.insert((event.task(), event.news.name()), (number, text));
    }

    /// Ends the window: the JSON of its events, oldest first, and how many were too many; `None` if there
    /// are none.
    pub(super) fn close(&mut self) -> Option<String> {
        if self.last.is_empty() {
            return None;
        }
        self.closed_at = Some(Instant::now());
        let mut events: Vec<_> = self.last.drain().map(|(_, event)| event).collect();
        events.sort_unstable_by_key(|(number, _)| *number);
        let dropped = events.len().saturating_sub(MOST);
        let texts: Vec<_> = events[dropped..].iter().map(|(_, text)| &**text).collect();
        Some(format!(r#"{{"events":[{}],"dropped":{dropped}}}"#, texts.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use ulid::Ulid;

    use super::*;
    use crate::domain::{
        facts::TaskStatus,
        step::{News, Subject, TaskState},
    };

    fn event(task: u128, news: News) -> Event {
        let subject = Subject { task: TaskId(Ulid(task)), name: "n".into(), handler: "h".into() };
        Event { time: 0, subject: Some(subject.into()), news }
    }

    fn updated() -> News {
        News::TaskUpdated(TaskState { status: TaskStatus::Active, next_run: None, streak: 0 })
    }

    /// The numbers in a batch, and how many were too many.
    fn read(text: Option<String>) -> (Vec<u64>, u64) {
        let batch: Value = serde_json::from_str(&text.expect("a batch")).expect("JSON");
        let events = batch["events"].as_array().expect("a list").iter();
        (events.filter_map(Value::as_u64).collect(), batch["dropped"].as_u64().expect("a number"))
    }

    #[tokio::test]
    async fn a_batch_has_the_last_event_of_each_kind_and_task_in_their_order() {
        let mut window = Window::new(Duration::from_secs(1));
        assert_eq!(window.close(), None);
        let told = [(1, updated()), (2, updated()), (1, News::TaskDeleted), (1, updated())];
        for ((task, news), number) in told.into_iter().zip(1..) {
            window.add(&event(task, news), number, number.to_string().into());
        }
        assert_eq!(read(window.close()), (vec![2, 3, 4], 0));
        assert_eq!(window.close(), None, "each is told once");
    }

    #[tokio::test]
    async fn the_newest_200_are_told_and_the_others_counted() {
        let mut window = Window::new(Duration::from_secs(1));
        (1..=250_u32).for_each(|number| {
            window.add(&event(number.into(), updated()), number.into(), number.to_string().into());
        });
        assert_eq!(read(window.close()), ((51..=250).collect(), 50));
    }
}
