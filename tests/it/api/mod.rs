//! The API's wire shapes, word for word: what clients have been written against.

mod access;
mod actions;
mod conflicts;
mod executions;
mod lists;
mod misread;
mod others;
mod refused_bodies;
mod tasks;
