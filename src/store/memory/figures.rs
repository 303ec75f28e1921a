//! Figures, and tasks in the order of their next runs: each read scans all records.

use std::collections::BTreeMap;

use super::disk::{Data, activity_key};
use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
        facts::{Task, TaskStatus},
        outlook::usual,
    },
    store::{
        Census, ComingQuery, ScheduleCount, Span, StoreError,
        figures::{Buckets, with_present},
    },
};

impl Buckets for Data {
    fn read(&self, span: Span, start: Millis) -> Result<Option<Bucket>, StoreError> {
        Ok(self.activity.get(&activity_key(span, start)).cloned())
    }

    fn write(&mut self, span: Span, bucket: &Bucket) -> Result<(), StoreError> {
        self.activity.insert(activity_key(span, bucket.start), bucket.clone());
        Ok(())
    }

    fn remove_before(&mut self, size: Size, time: Millis) -> Result<(), StoreError> {
        self.activity.retain(|(span, start), _| *span != Span::Closed(size) || *start >= time);
        Ok(())
    }
}

pub(super) fn activity(data: &Data, size: Size, from: Millis, until: Millis) -> Vec<Bucket> {
    let span = Span::Closed(size);
    let closed = data.activity.range((span, from)..(span, until.max(from)));
    let closed = closed.map(|(_, bucket)| bucket.clone()).collect();
    let present = data.activity.get(&activity_key(Span::Present, 0)).cloned();
    with_present(closed, present, size, (from, until))
}

pub(super) fn status_counts(data: &Data) -> Vec<(TaskStatus, u64)> {
    let count = |status| data.tasks.values().filter(|task| task.status() == status).count() as u64;
    TaskStatus::ALL.into_iter().map(|status| (status, count(status))).collect()
}

pub(super) fn census(data: &Data, most: usize) -> Census {
    let mut counts: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for task in data.tasks.values() {
        let Task { definition, facts, .. } = task;
        if definition.recurring && !facts.paused && facts.next.is_some() {
            let key = (definition.schedule.as_str(), definition.timezone.name());
            let (tasks, sum) = counts.entry(key).or_default();
            (*tasks, *sum) = (*tasks + 1, *sum + usual(task));
        }
    }
    let more = counts.len() > most;
    let counts = counts.into_iter().take(most);
    let schedules = counts.map(|((schedule, timezone), (tasks, usual))| ScheduleCount {
        schedule: schedule.to_owned(),
        timezone: timezone.to_owned(),
        tasks,
        usual,
    });
    Census { schedules: schedules.collect(), more }
}

pub(super) fn coming(data: &Data, query: &ComingQuery) -> Vec<(Millis, Task)> {
    let tasks = data.tasks.values();
    let named =
        tasks.filter(|task| query.handler.as_ref().is_none_or(|name| *name == task.definition.handler));
    let mut found: Vec<_> = named.filter_map(|task| Some((task.next_run()?, task))).collect();
    found.sort_by_key(|(time, task)| (*time, task.id));
    found.retain(|(time, task)| {
        *time <= query.until && query.after.is_none_or(|after| (*time, task.id) > after)
    });
    found.into_iter().take(query.limit).map(|(time, task)| (time, task.clone())).collect()
}
