//! Operating: the commands, the first minute, the stop of the server.

mod author;
mod cli;
mod doctor;
mod older_versions;
mod quick_start;
mod reports;
mod service;
mod stopping;
mod store_tools;
mod task_file;
mod terminal;
