//! Places: the entries of the navigation.

use crate::domain::access::Role;

/// An entry of the navigation.
pub(in crate::dashboard) struct Place {
    /// The first segment of its pages' paths.
    pub(in crate::dashboard) section: &'static str,
    pub(in crate::dashboard) path: &'static str,
    pub(in crate::dashboard) label: &'static str,
    pub(in crate::dashboard) icon: &'static str,
    /// The role that its page asks for.
    pub(in crate::dashboard) role: Role,
    /// Whether it is about the tasks of all handlers, and closed to tokens that are bound to some.
    pub(in crate::dashboard) whole: bool,
}

const fn place(section: &'static str, path: &'static str, label: &'static str, role: Role) -> Place {
    Place { section, path, label, icon: section, role, whole: false }
}

/// Every entry, in its order.
pub(in crate::dashboard) const PLACES: &[Place] = &[
    Place { icon: "overview", whole: true, ..place("", "/", "Overview", Role::Viewer) },
    place("tasks", "/tasks", "Tasks", Role::Viewer),
    Place { icon: "runs", ..place("executions", "/executions", "Runs", Role::Viewer) },
    place("timeline", "/timeline", "Timeline", Role::Viewer),
    Place { whole: true, ..place("calendar", "/calendar", "Calendar", Role::Viewer) },
    place("handlers", "/handlers", "Handlers", Role::Viewer),
    place("alerts", "/alerts", "Alerts", Role::Viewer),
    place("secrets", "/secrets", "Secrets", Role::Editor),
    place("tokens", "/tokens", "Tokens", Role::Admin),
    Place { whole: true, ..place("audit", "/audit", "Audit", Role::Admin) },
];
