//! Figures of the simulated store.

use super::store::FaultyStore;
use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
        facts::{Task, TaskStatus},
    },
    store::{Answer, Census, ComingQuery, Figures},
};

impl Figures for FaultyStore {
    fn activity(&self, size: Size, from: Millis, until: Millis) -> Answer<Vec<Bucket>> {
        self.memory().activity(size, from, until)
    }

    fn status_counts(&self) -> Answer<Vec<(TaskStatus, u64)>> {
        self.memory().status_counts()
    }

    fn census(&self, most: usize) -> Answer<Census> {
        self.memory().census(most)
    }

    fn coming(&self, query: ComingQuery) -> Answer<Vec<(Millis, Task)>> {
        self.memory().coming(query)
    }
}
