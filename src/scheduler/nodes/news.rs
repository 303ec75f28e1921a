//! News: events of what other nodes have changed, for those who listen on this one.
//!
//! Every step writes its time into its task and its rows. As long as somebody listens, this node looks at the tasks
//! that have changed since the last look, and publishes what no event of its own has told. Without a listener, or
//! without another node, nothing is asked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::Scheduler;
use crate::{
    domain::{
        Millis,
        audit::Action,
        ids::{ExecutionId, NodeId, TaskId},
        step::{Event, News},
    },
    events::{Events, Listener},
    store::{AuditQuery, Direction, StoreError, TaskQuery, TaskSort, TaskView},
};

/// Tasks that one look reads at most.
const TASKS: usize = 100;
/// Executions of each.
const ROWS: usize = 10;
/// Deletions that one look reads at most.
const DELETIONS: usize = 20;
/// A change may be seen this much later than one with a later time, in milliseconds.
const OVERLAP: Millis = 3000;
/// Changes are followed for so long after the last listener has gone, who may come back.
const AFTER_LAST: Duration = Duration::from_secs(60);

/// The thing that an event tells: a task, or an execution with its status and the occurrences that it stands for.
type Told = (TaskId, Option<(ExecutionId, &'static str, u64)>);

/// The changes that are told, by this node's own events or by what it has read.
struct Follower {
    own: Listener,
    /// When each thing was told last, by the time of its change.
    told: BTreeMap<Told, Millis>,
    /// The tasks whose deletion is told.
    deleted: BTreeMap<TaskId, Millis>,
    /// Changes from before this time are known.
    since: Millis,
}

/// The changes of one look.
struct Look {
    views: Vec<TaskView>,
    /// Whether more tasks have changed than were read.
    too_many: bool,
    /// The tasks that were deleted, each with the time.
    deleted: Vec<(TaskId, Millis)>,
}

impl Scheduler {
    /// Publishes what other nodes have changed, as long as somebody listens. Until a stop.
    pub(in crate::scheduler) async fn follow_news(self: &Arc<Self>) -> Result<(), StoreError> {
        let Some(member) = self.member() else { return Ok(()) };
        let mut stopping = self.stopping.subscribe();
        let (mut follower, mut heard): (Option<Follower>, Option<Instant>) = (None, None);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return Ok(()),
                () = sleep(member.poll()) => {}
            }
            if self.events.watchers() > 0 {
                heard = Some(Instant::now());
            }
            if member.nodes() < 2 || heard.is_none_or(|heard| heard.elapsed() > AFTER_LAST) {
                follower = None;
                continue;
            }
            let follower = follower.get_or_insert_with(|| {
                // Nobody knows which changes were missed until now: all lists are to be read anew.
                self.events.break_off();
                Follower::new(&self.events, self.clock.now())
            });
            let look = self.look_for_news(follower.since).await?;
            follower.tell(look, member.store().node(), &self.events, self.clock.now());
        }
    }

    async fn look_for_news(&self, since: Millis) -> Result<Look, StoreError> {
        let query = TaskQuery {
            status: None,
            handler: None,
            tag: None,
            bound: None,
            name: None,
            after: None,
            sort: TaskSort::UpdatedAt,
            direction: Direction::Descending,
            skip: 0,
            limit: TASKS,
            newest: ROWS,
        };
        let action = Some(Action::Delete.name().to_owned());
        let deletions = AuditQuery { action, from: since, limit: DELETIONS, ..AuditQuery::default() };
        let (views, deletions) = tokio::try_join!(self.store.tasks(query), self.store.audits(deletions))?;
        let mut views = views.items;
        let read = views.len();
        views.retain(|view| view.task.updated_at >= since);
        let too_many = views.len() == TASKS && read == TASKS || deletions.records.len() == DELETIONS;
        let done = deletions.records.iter().filter(|(_, audit)| audit.outcome.is_done());
        let deleted = done.filter_map(|(_, audit)| Some((audit.task_id?, audit.time)));
        Ok(Look { views, too_many, deleted: deleted.collect() })
    }
}

impl Follower {
    fn new(events: &Events, since: Millis) -> Self {
        Self { own: events.listen(), told: BTreeMap::new(), deleted: BTreeMap::new(), since }
    }

    /// Publishes the changes that are not told, oldest first.
    fn tell(&mut self, look: Look, me: Option<NodeId>, events: &Events, now: Millis) {
        self.hear_own();
        let mut news = Vec::new();
        for view in &look.views {
            news.extend(self.news_of(view, me));
        }
        news.sort_by_key(|event| event.time);
        // The handler of a deleted task tells who may know of it, and is not known any more: the lists are read anew.
        let mut is_cut = look.too_many;
        for (task, time) in look.deleted {
            is_cut |= self.deleted.insert(task, time).is_none();
        }
        if is_cut {
            events.break_off();
        }
        events.publish_of_others(news);
        let newest = look.views.iter().map(|view| view.task.updated_at).max().unwrap_or(now);
        // A clock that was set back counts from there.
        let since = (newest - OVERLAP).max(self.since).min(now);
        self.told.retain(|_, time| *time >= since);
        self.deleted.retain(|_, time| *time >= since);
        self.since = since;
    }

    /// Notes this node's own events.
    fn hear_own(&mut self) {
        while self.own.is_behind() {
            for heard in self.own.take(|_| true).unwrap_or_default() {
                let (event, Some(task)) = (&heard.event, heard.event.task()) else { continue };
                if matches!(event.news, News::TaskDeleted) {
                    self.deleted.insert(task, event.time);
                }
                self.told.insert((task, row_of(event)), event.time);
                // The task has changed with its row.
                self.told.insert((task, None), event.time);
            }
        }
    }

    fn news_of(&mut self, TaskView { task, newest }: &TaskView, me: Option<NodeId>) -> Vec<Event> {
        let mut news = Vec::new();
        for row in newest.iter().rev() {
            if row.updated_at < self.since || row.node.is_some() && row.node == me {
                continue;
            }
            let event = Event::of_row(task, row);
            if self.told.insert((task.id, row_of(&event)), row.updated_at).is_none() {
                news.push(event);
            }
        }
        let before = self.told.insert((task.id, None), task.updated_at);
        if news.is_empty() && before.is_none_or(|before| before < task.updated_at) {
            let is_new = task.created_at == task.updated_at;
            news.push(Event::of_task(task, if is_new { News::TaskCreated } else { News::TaskUpdated }));
        }
        news
    }
}

/// The execution that an event tells of.
fn row_of(event: &Event) -> Option<(ExecutionId, &'static str, u64)> {
    match &event.news {
        News::Started(row, _) | News::Ended(row, _) | News::Skipped(row, _) => {
            Some((row.execution, row.status.name(), row.skipped))
        }
        _ => None,
    }
}
