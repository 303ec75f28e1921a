//! isochron runs people's JavaScript on a schedule, each run in an isolate of its own.
pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod domain;
pub mod events;
pub mod handlers;
pub mod runtime;
pub mod scheduler;
pub mod store;
pub mod system;
