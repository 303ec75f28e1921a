//! The actors around the scheduler: users and their plans, a scripted runner, the work of its
//! handlers, and a faulty store.

mod figures;
pub(crate) mod history;
mod nodes;
mod outbox;
mod passed;
pub(crate) mod plans;
pub(crate) mod runner;
mod serving;
pub(crate) mod store;
pub(crate) mod users;
pub(crate) mod work;
