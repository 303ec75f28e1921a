//! Why a group, or an operation of it, did not take place.

use crate::store::StoreError;

/// Why an operation, or the whole group, did not take place.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The operation alone is refused; it has written nothing.
    Refused(StoreError),
    /// Another transaction came first: the group is decided again.
    Again,
    /// A statement failed.
    Database(tokio_postgres::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}
