//! Attempts: the end of one attempt at a group, and the outlook for the next.

use super::group::Failure;
use crate::store::{
    StoreError,
    postgres::connection::{Outlook, text_of},
};

/// The end of an attempt at a group.
pub(super) enum Attempt {
    Done,
    /// Another transaction came first.
    Again,
    /// A lock was waited for too long.
    Locked,
    /// The connection is lost; whether the commit may have been made.
    Lost {
        in_doubt: bool,
    },
    /// A statement fails, and the next attempt would end in the same way.
    Wrong(StoreError),
}

impl Attempt {
    /// The end that a failure brings; `sent` tells whether the commit was sent.
    pub(super) fn of(failure: Failure, sent: bool) -> Self {
        let error = match failure {
            Failure::Again => return Self::Again,
            Failure::Refused(error) => return Self::Wrong(error),
            Failure::Database(error) => error,
        };
        match Outlook::of(&error) {
            Outlook::Overtaken => Self::Again,
            Outlook::Locked => Self::Locked,
            Outlook::Lost => {
                tracing::warn!(error = text_of(&error), "the store's connection is of no more use");
                Self::Lost { in_doubt: sent }
            }
            Outlook::Unable => Self::Wrong(StoreError::Unavailable(text_of(&error))),
            Outlook::Never => {
                Self::Wrong(StoreError::Backend { doing: "write to the database", why: text_of(&error) })
            }
        }
    }
}
