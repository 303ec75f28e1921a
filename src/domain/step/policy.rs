//! Policy: the server's rules.

use std::sync::Arc;

use crate::domain::{Millis, alerts::AlertSettings};

/// The server's rules about missed times and alerts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// An occurrence later than this many milliseconds was missed.
    pub misfire_after: Millis,
    /// `misfire: all` reaches back this many milliseconds at most.
    pub catch_up_window: Millis,
    /// `misfire: all` runs this many occurrences at most.
    pub catch_up_max: usize,
    /// The rules of tasks without alerts of their own, and the channels that take beats.
    pub alerts: Arc<AlertSettings>,
    /// Whether a run by hand waits until a server has a free runner for it, instead of starting where it was asked
    /// for. So it is where many servers share a store.
    pub waits_for_runner: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            misfire_after: 60_000,
            catch_up_window: 86_400_000,
            catch_up_max: 100,
            alerts: Arc::default(),
            waits_for_runner: false,
        }
    }
}
