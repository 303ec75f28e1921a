//! Metrics: counters of runs and requests, and their text for Prometheus.
//!
//! [`Metrics`] observes every event as it is published, and the API tells it of every request: both add to
//! counters in memory, and no text is made before a scrape. Figures that other parts keep anyway
//! ([`Present`]) are read at the scrape.
//!
//! Counters begin at 0 with the process, as Prometheus expects.
//!
//! Misuse to avoid: a label whose values have no bound. Handlers beyond the first 200 share the label
//! `other`, routes are those of the table, and tasks have labels only where a setting asks for them.

mod names;
mod present;
mod process;
mod registry;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text, text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use self::names::Names;
pub use self::present::{Present, TaskFigures};
use crate::domain::{
    activity::planned_lateness,
    execution::Reason,
    ids::ExecutionId,
    lock::lock,
    step::{Event, News, Row},
};

/// Upper bounds of the durations of runs, in seconds.
const DURATIONS: [f64; 20] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0,
    3600.0, 14_400.0, 86_400.0,
];
/// Upper bounds of the lateness of runs, in seconds.
const LATENESS: [f64; 20] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    3600.0, 14_400.0, 86_400.0,
];
/// Upper bounds of the time that requests take, in seconds.
const REQUESTS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Skips that may still grow and whose occurrences are known, at most.
const MOST_GROWING: usize = 4096;

/// The form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The form that a header `Accept` asks for.
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        if header.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type of the text.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    handler: Arc<str>,
    status: &'static str,
    reason: &'static str,
    trigger: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabel {
    handler: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    route: Arc<str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    channel: String,
    outcome: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counters of a server.
pub struct Metrics {
    registry: Registry,
    names: Names,
    executions: Family<RunLabels, Counter>,
    durations: Histograms<HandlerLabel>,
    lateness: Histogram,
    skipped: Family<ReasonLabel, Counter>,
    requests: Family<AnswerLabels, Counter>,
    request_seconds: Histograms<RouteLabel>,
    alerts: Family<AlertLabels, Counter>,
    /// The occurrences in skips that may still grow.
    growing: Mutex<BTreeMap<ExecutionId, u64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let lateness = Histogram::new(LATENESS);
        let mut metrics = Self {
            registry: Registry::default(),
            names: Names::default(),
            executions: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            lateness,
            skipped: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUESTS)),
            alerts: Family::default(),
            growing: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self {
            registry,
            executions,
            durations,
            lateness,
            skipped,
            requests,
            request_seconds,
            alerts,
            ..
        } = self;
        registry.register(
            "isochron_executions",
            "Ends of attempts, and skipped occurrences",
            executions.clone(),
        );
        registry.register("isochron_execution_duration_seconds", "Duration of attempts", durations.clone());
        registry.register(
            "isochron_lateness_seconds",
            "Time from the planned time of an occurrence to the start of its first attempt",
            lateness.clone(),
        );
        registry.register("isochron_schedule_skipped", "Occurrences that were skipped", skipped.clone());
        registry.register("isochron_api_requests", "Requests to the API", requests.clone());
        registry.register(
            "isochron_api_seconds",
            "Time that requests to the API took",
            request_seconds.clone(),
        );
        registry.register("isochron_alerts", "Messages of alerts", alerts.clone());
        // Series that begin at 0 show the first change.
        for reason in [Reason::Overlap, Reason::Misfire, Reason::Retrying] {
            let _ = skipped.get_or_create(&ReasonLabel { reason: reason.name() });
        }
    }

    /// Counts an event. Call for each event once, as it is published.
    pub fn observe(&self, event: &Event) {
        let handler = event.subject.as_ref().map(|subject| &*subject.handler);
        match (&event.news, handler) {
            (News::Ended(row, _), Some(handler)) => self.count_end(handler, row),
            (News::Skipped(row, _), Some(handler)) => self.count_skip(handler, row),
            (News::Alert(details), _) => self.count_alert(details),
            _ => {}
        }
    }

    fn count_end(&self, handler: &str, row: &Row) {
        let handler = self.names.label(handler);
        self.count(&handler, row, 1);
        if let Some(duration) = row.duration {
            self.durations.get_or_create(&HandlerLabel { handler }).observe(seconds(duration));
        }
        let late = planned_lateness(row.trigger, row.attempt, row.start_time, row.scheduled_for);
        if let Some(late) = late {
            self.lateness.observe(seconds(late));
        }
    }

    fn count_skip(&self, handler: &str, row: &Row) {
        let mut growing = lock(&self.growing);
        let known = growing.insert(row.execution, row.skipped).unwrap_or_default();
        if growing.len() > MOST_GROWING {
            // The oldest: ids are in the order of creation.
            growing.pop_first();
        }
        drop(growing);
        let new = row.skipped.saturating_sub(known);
        self.count(&self.names.label(handler), row, new);
        if let Some(reason) = row.reason {
            self.skipped.get_or_create(&ReasonLabel { reason: reason.name() }).inc_by(new);
        }
    }

    fn count(&self, handler: &Arc<str>, row: &Row, number: u64) {
        let labels = RunLabels {
            handler: handler.clone(),
            status: row.status.name(),
            reason: row.reason.map_or("", Reason::name),
            trigger: row.trigger.name(),
        };
        self.executions.get_or_create(&labels).inc_by(number);
    }

    /// Counts a message of an alert by its `channel` and `outcome`; other news of alerts have none.
    fn count_alert(&self, details: &serde_json::Map<String, serde_json::Value>) {
        let text = |name: &str| details.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        if let (Some(channel), Some(outcome)) = (text("channel"), text("outcome")) {
            self.alerts.get_or_create(&AlertLabels { channel, outcome }).inc();
        }
    }

    /// Counts a request: the path of its route in the table (`None`: there is none), the status of the
    /// answer, and the seconds that it took.
    pub fn count_request(&self, route: Option<&str>, status: u16, seconds: f64) {
        let route: Arc<str> = route.unwrap_or("none").into();
        self.requests.get_or_create(&AnswerLabels { route: route.clone(), status }).inc();
        self.request_seconds.get_or_create(&RouteLabel { route }).observe(seconds);
    }

    /// The text of all metrics, with the figures of the present.
    ///
    /// # Errors
    /// When a figure has no text.
    pub fn text(&self, present: Present, format: Format) -> Result<String, fmt::Error> {
        let present = present.registry();
        let mut written = String::new();
        for registry in [&self.registry, &present] {
            match format {
                Format::Prometheus => prometheus_text::encode(&mut written, registry)?,
                Format::OpenMetrics => text::encode_registry(&mut written, registry)?,
            }
        }
        if format == Format::OpenMetrics {
            text::encode_eof(&mut written)?;
        }
        Ok(written)
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
