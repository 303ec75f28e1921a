//! The parts of the server whose state `/ready` shows.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::membership::Membership;
use crate::{
    api::{ClusterReady, Process, Readiness, RunnersReady},
    app::{host::server_name, store},
    backup::{BackupState, Backups},
    config::Config,
    domain::{Millis, lock::lock},
    runtime::Pool,
    store::disk::free_bytes,
    taskfile::{TaskFile, TaskFileState},
};

/// The parts whose state `/ready` shows.
pub(in crate::app) struct Parts {
    pool: Arc<Pool>,
    backups: Arc<Backups>,
    task_file: Arc<Mutex<TaskFileState>>,
    scheduling: AtomicBool,
    /// The store's folder.
    store_path: PathBuf,
    membership: Arc<Membership>,
    name: String,
    address: Option<String>,
    /// Epoch milliseconds.
    started: Millis,
}

impl Parts {
    pub(super) fn new(
        config: &Config,
        pool: &Arc<Pool>,
        (backups, task_file): (&Arc<Backups>, &TaskFile),
        membership: &Arc<Membership>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pool: pool.clone(),
            backups: backups.clone(),
            task_file: task_file.state(),
            scheduling: AtomicBool::new(true),
            store_path: store::disk(config).to_owned(),
            name: server_name(config),
            address: config.cluster.address.clone(),
            started: membership.clock().now(),
            membership: membership.clone(),
        })
    }

    /// Tells that the scheduler's loop has ended.
    pub(in crate::app) fn end_scheduling(&self) {
        self.scheduling.store(false, Ordering::Relaxed);
    }
}

impl Readiness for Parts {
    fn runners(&self) -> RunnersReady {
        let state = self.pool.state();
        RunnersReady { alive: state.alive, idle: state.idle, waiting: state.waiting }
    }

    fn runner_deaths(&self) -> Vec<(&'static str, u64)> {
        self.pool.deaths()
    }

    fn sandbox(&self) -> String {
        self.pool.sandbox().to_string()
    }

    fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.store_path)
    }

    fn backup(&self) -> BackupState {
        self.backups.state()
    }

    fn task_file(&self) -> TaskFileState {
        lock(&self.task_file).clone()
    }

    fn scheduler(&self) -> bool {
        self.scheduling.load(Ordering::Relaxed)
    }

    fn process(&self) -> Process {
        Process { name: self.name.clone(), address: self.address.clone(), started: self.started }
    }

    fn cluster(&self) -> Option<ClusterReady> {
        self.membership.state()
    }
}
