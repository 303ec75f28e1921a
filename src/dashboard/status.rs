//! The status of an execution in pages: its word, and its name in classes and icons.

use crate::domain::execution::ExecutionStatus;

/// The word of an execution's status.
pub(super) fn word(status: &ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "Running",
        ExecutionStatus::Completed => "Completed",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::Cancelled => "Cancelled",
        ExecutionStatus::Skipped => "Skipped",
    }
}

/// The name of an execution's status, for classes and icons.
pub(super) fn class(status: &ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "running",
        ExecutionStatus::Completed => "completed",
        ExecutionStatus::Failed => "failed",
        ExecutionStatus::Cancelled => "cancelled",
        ExecutionStatus::Skipped => "skipped",
    }
}
