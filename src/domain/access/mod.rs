//! Access: the roles of tokens, and the requests that each role may make.
//!
//! A token has a [`Grant`]; a route asks for a [`Role`]; [`Grant::allows`] compares the two. A
//! token that is bound to handlers sees and touches the tasks of those handlers only
//! ([`Grant::covers`]).

pub mod limiter;
pub mod pattern;
pub mod public_url;
pub mod record;
pub mod redact;
pub mod secret;
pub mod session;

use serde::{Deserialize, Serialize};

use self::pattern::Pattern;

/// A role. Each one may do what the roles before it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads tasks, runs, output and events.
    Viewer,
    /// Runs, pauses, resumes, cancels and resets as well.
    Operator,
    /// Creates, changes and deletes tasks, state and variables as well.
    Editor,
    /// Manages secrets, tokens and the audit as well.
    Admin,
}

impl Role {
    /// All roles, the least one first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Editor, Self::Admin];

    /// The name of the role, as in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

/// The rights of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The handlers whose tasks the token sees; `None`: all of them.
    pub handlers: Option<Vec<Pattern>>,
}

impl Grant {
    /// The rights of the token that the configuration gives.
    #[must_use]
    pub fn admin() -> Self {
        Self { role: Role::Admin, handlers: None }
    }

    /// Whether the role suffices for a route that asks for `needed`.
    #[must_use]
    pub fn allows(&self, needed: Role) -> bool {
        self.role >= needed
    }

    /// Whether the tasks of a handler are within the grant.
    #[must_use]
    pub fn covers(&self, handler: &str) -> bool {
        self.handlers.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(handler)))
    }

    /// Whether every right of `other` is among these rights, as far as the patterns tell by
    /// themselves: nobody makes a token above the own one.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let handlers = match (&self.handlers, &other.handlers) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => {
                others.iter().all(|other| own.iter().any(|pattern| pattern.includes(other)))
            }
        };
        self.role >= other.role && handlers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(role: Role, handlers: Option<&[&str]>) -> Grant {
        let parse = |text: &&str| text.parse().expect("a pattern");
        Grant { role, handlers: handlers.map(|list| list.iter().map(parse).collect()) }
    }

    #[test]
    fn a_role_may_do_what_the_roles_before_it_may_do() {
        for (index, role) in Role::ALL.into_iter().enumerate() {
            let allowed: Vec<_> =
                Role::ALL.into_iter().filter(|&needed| grant(role, None).allows(needed)).collect();
            assert_eq!(allowed, Role::ALL[..=index]);
        }
    }

    #[test]
    fn a_grant_covers_the_tasks_of_its_handlers_only() {
        let bound = grant(Role::Operator, Some(&["reports/*", "cleanup-logs"]));
        for handler in ["reports/sales", "reports/a/b", "cleanup-logs"] {
            assert!(bound.covers(handler), "{handler}");
        }
        for handler in ["reports", "cleanup-logs-2", "x/reports/sales", ""] {
            assert!(!bound.covers(handler), "{handler}");
        }
        assert!(grant(Role::Viewer, None).covers("anything"));
        assert!(!grant(Role::Viewer, Some(&[])).covers("anything"));
    }

    #[test]
    fn a_grant_includes_no_right_that_it_has_not_itself() {
        let admin = Grant::admin();
        let reports = grant(Role::Operator, Some(&["reports/*"]));
        assert!(admin.includes(&reports) && admin.includes(&admin));
        assert!(!reports.includes(&admin));
        assert!(reports.includes(&grant(Role::Viewer, Some(&["reports/sales", "reports/eu/*"]))));
        assert!(!reports.includes(&grant(Role::Viewer, Some(&["reports/sales", "mail"]))));
        assert!(!reports.includes(&grant(Role::Editor, Some(&["reports/sales"]))));
        assert!(!reports.includes(&grant(Role::Viewer, None)));
    }
}
