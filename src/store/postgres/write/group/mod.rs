//! Group: the operations of one transaction, from the locks to the commit.

mod columns;
mod failure;
mod owned;
mod owners;
mod slot;
mod statements;
mod transaction;
mod writes;

#[cfg(test)]
pub(crate) use self::transaction::CLAIM;
pub(crate) use self::{
    columns::{execution_of, id_of, node_of},
    failure::Failure,
    statements::{KEEP, RUN, SAY, WISH, alert_key, ended_args, output_args, place_number, running_args},
    transaction::{Group, Needs},
};
