//! The API's wire shapes, word for word, which clients depend on.

mod accepted;
mod access;
mod actions;
mod conflicts;
mod executions;
mod handlers;
mod lists;
mod misread;
mod others;
mod refused_bodies;
mod tasks;
