//! isochron runs JavaScript on a schedule, each run in an isolate of its own.
//!
//! One binary has two kinds of process. The server (this library) holds the state and never runs
//! JavaScript. A runner (`src/runner`, part of the binary only) runs one handler at a time and
//! holds nothing.
//!
//! ```text
//!      tasks/*.js                      curl, your program, `isochron run`
//!          │ read, hash                        │ HTTP
//!          ▼                                   ▼
//!      handlers ────────► scheduler ◄──────── api
//!                           │  ▲  │            ▲
//!              claim/record │  │  └─ events ───┘
//!                           ▼  │
//!                         store       domain: values and decisions, under all of them
//!                                     clock: the only source of time and chance
//!  ═════════════════════ scheduler ═══ Invocation ▼ ▲ Verdict ═══════════
//!      runtime: pool of runners, conversations, hard kills   ·   hostcalls: answers to handlers
//!  ───────────────────────── socket pair (runtime/protocol) ─────────────
//!      runner: one isolate, limits, sandbox   ·   runtime-js: its JavaScript
//! ```
//!
//! Reading order: [`domain`] (tasks, schedules and every decision about them), [`store`] (their
//! place on the disk), [`scheduler`] (the loop that lets them happen), [`runtime`] (the way of a
//! run to a runner and back), [`hostcalls`] (the requests of handlers), [`network`] (the HTTP client),
//! [`handlers`], [`taskfile`] (tasks from a file), [`api`], [`metrics`] (figures for Prometheus), [`traces`], [`backup`], then [`app`], which puts the
//! parts together. The test `rooms` holds which room may use which.
//!
//! One scheduled run: the scheduler sleeps until the store's earliest due time and claims the due
//! tasks; inside the store's transaction `domain::step` decides about each of them; once the
//! decision is durable, the scheduler dispatches the attempt to the pool, which sends it to a
//! runner and listens; the verdict goes through `domain::step` into the store, and only then does
//! anyone hear of it. `docs/architecture.md` walks this way, and that of a new task, file by file.

#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod access;
pub mod alerts;
pub mod allocator;
pub mod api;
pub mod app;
pub mod backup;
pub mod bundles;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod dashboard;
pub mod domain;
pub mod events;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod handlers;
pub mod hostcalls;
pub mod metrics;
pub mod network;
pub mod runtime;
pub mod scheduler;
pub mod secrets;
#[cfg(test)]
mod simulation;
pub mod store;
pub mod taskfile;
pub mod traces;
