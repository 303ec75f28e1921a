//! Figures of the present, read at a scrape.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    process,
    registry::{Figures, Labels},
};

/// The figures that other parts of the server keep.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// The version of the server.
    pub version: String,
    /// Executions in progress.
    pub running: u64,
    /// Runs that wait for a runner.
    pub waiting: u64,
    /// Runs that fit at once.
    pub capacity: u64,
    /// Tasks by status.
    pub tasks: Vec<(&'static str, u64)>,
    /// Runners by state.
    pub runners: Vec<(&'static str, u64)>,
    /// Runners that died, by the cause, since the start.
    pub runner_deaths: Vec<(&'static str, u64)>,
    /// Bytes of the store on the disk.
    pub store_bytes: u64,
    /// Upper bounds in seconds, and the commits that took at most as long and longer than the bound before.
    pub commits: Vec<(f64, u64)>,
    /// Seconds of all commits.
    pub commit_seconds: f64,
    /// Commits that a shared store has lost, since the start; `None` with a store of its own.
    pub lost_commits: Option<u64>,
    /// Seconds since the last backup.
    pub backup_age: Option<f64>,
    /// Open streams of events.
    pub events_clients: u64,
    /// Events that listeners have missed, since the start.
    pub events_dropped: u64,
    /// Messages of alerts that wait for their delivery.
    pub alerts_undelivered: u64,
    /// The largest number of occurrences of one task that failed in a row.
    pub streak_max: u64,
    /// Tasks that have series of their own.
    pub by_task: Vec<TaskFigures>,
}

/// Figures of one task.
#[derive(Debug, Clone, Default)]
pub struct TaskFigures {
    /// Its name.
    pub name: String,
    /// The last success, in seconds since 1970.
    pub last_success: Option<f64>,
    /// The last failure, in seconds since 1970.
    pub last_failure: Option<f64>,
    /// The next run, in seconds since 1970.
    pub next_run: Option<f64>,
    /// Occurrences that failed in a row.
    pub failures: u64,
    /// Whether it is paused.
    pub paused: bool,
}

impl Present {
    /// Makes the registry of one scrape.
    pub(super) fn registry(self) -> Registry {
        let mut figures = Figures::default();
        let version = vec![("version", self.version.clone())];
        figures.family("isochron_build_info", "The version of the server", vec![(version, 1.0)]);
        figures.gauge("isochron_running", "Executions in progress", self.running as f64);
        figures.gauge("isochron_waiting", "Runs that wait for a runner", self.waiting as f64);
        figures.gauge("isochron_capacity", "Runs that fit at once", self.capacity as f64);
        figures.family("isochron_tasks", "Tasks by status", labelled("status", &self.tasks));
        figures.family("isochron_runners", "Runners by state", labelled("state", &self.runners));
        let deaths = labelled("reason", &self.runner_deaths);
        figures.counters("isochron_runner_deaths", "Runners that died", deaths);
        figures.gauge("isochron_store_bytes", "Bytes of the store on the disk", self.store_bytes as f64);
        figures.gauge(
            "isochron_task_streak_max",
            "The most occurrences of one task that failed in a row",
            self.streak_max as f64,
        );
        figures.gauge("isochron_events_clients", "Open streams of events", self.events_clients as f64);
        figures.counter(
            "isochron_events_dropped",
            "Events that streams have missed",
            self.events_dropped as f64,
        );
        figures.gauge(
            "isochron_alerts_undelivered",
            "Messages of alerts that wait for their delivery",
            self.alerts_undelivered as f64,
        );
        if let Some(lost) = self.lost_commits {
            let help = "Acknowledged commits of this server that the store has lost";
            figures.counter("isochron_store_lost_commits", help, lost as f64);
        }
        if let Some(age) = self.backup_age {
            figures.gauge("isochron_backup_age_seconds", "Time since the last backup", age);
        }
        add_tasks(&mut figures, &self.by_task);
        process::add_to(&mut figures);
        let commits = Commits { buckets: self.commits, seconds: self.commit_seconds };
        figures.0.register_collector(Box::new(commits));
        figures.0
    }
}

fn labelled(label: &'static str, values: &[(&'static str, u64)]) -> Vec<(Labels, f64)> {
    values.iter().map(|(name, value)| (vec![(label, (*name).to_owned())], *value as f64)).collect()
}

fn add_tasks(figures: &mut Figures, tasks: &[TaskFigures]) {
    let mut add = |name: &str, help: &str, value: fn(&TaskFigures) -> Option<f64>| {
        let values = tasks.iter().filter_map(|task| Some((vec![("task", task.name.clone())], value(task)?)));
        let values: Vec<_> = values.collect();
        if !values.is_empty() {
            figures.family(name, help, values);
        }
    };
    add("isochron_task_last_success_timestamp_seconds", "The last success", |task| task.last_success);
    add("isochron_task_last_failure_timestamp_seconds", "The last failure", |task| task.last_failure);
    add("isochron_task_next_run_timestamp_seconds", "The next run", |task| task.next_run);
    add("isochron_task_consecutive_failures", "Occurrences that failed in a row", |task| {
        Some(task.failures as f64)
    });
    add("isochron_task_paused", "1 if the task is paused", |task| Some(f64::from(u8::from(task.paused))));
}

/// The histogram of the store's commits, which the store counts itself.
#[derive(Debug)]
struct Commits {
    buckets: Vec<(f64, u64)>,
    seconds: f64,
}

impl Collector for Commits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut metric = encoder.encode_descriptor(
            "isochron_store_commit_seconds",
            "Time that commits took to reach the disk",
            None,
            MetricType::Histogram,
        )?;
        let count = self.buckets.iter().map(|(_, count)| count).sum();
        metric.encode_histogram::<NoLabelSet>(self.seconds, count, &self.buckets, None)
    }
}
