//! isochron runs people's JavaScript on a schedule, each run in an isolate of its own.
//!
//! One binary, two kinds of process. The server (this library) owns truth and never runs
//! JavaScript. A runner (`src/runner`, part of the binary only) runs one handler at a
//! time and owns nothing.
//!
//! ```text
//!      tasks/*.js                      curl, your program, `isochron run`
//!          │ read, hash                        │ HTTP
//!          ▼                                   ▼
//!      handlers ────────► scheduler ◄──────── api
//!                           │  ▲  │            ▲
//!              claim/record │  │  └─ events ───┘
//!                           ▼  │
//!                         store       domain: pure values and decisions under all of them
//!                                     clock: the only source of time and chance
//!  ═════════════════════ scheduler ═══ Invocation ▼ ▲ Verdict ═══════════
//!      runtime: pool of runners, conversations, hard kills   ·   hostcalls: answers to handlers
//!  ───────────────────────── socket pair (runtime/protocol) ─────────────
//!      runner: one isolate, limits   ·   runtime-js: what it starts with
//! ```
//!
//! Reading order: [`domain`] (what is true and what follows from what), [`store`] (where it is
//! kept), [`scheduler`] (what makes it happen), [`runtime`] (how a handler runs), [`hostcalls`],
//! [`handlers`], [`api`], [`backup`], then [`app`], which puts them together. A test holds who may use whom.
//!
//! One scheduled run, hop by hop: the scheduler sleeps until the store's earliest due time and
//! has what is due claimed; inside the store's transaction `domain::step` decides what becomes
//! of each task; once that is durable an attempt is dispatched to the pool, which sends it to a
//! runner and listens; the verdict goes back through `domain::step` into the store, and only
//! then is it told to anybody.

pub mod allocator;
pub mod api;
pub mod app;
pub mod backup;
pub mod clock;
pub mod config;
pub mod domain;
pub mod events;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod handlers;
pub mod hostcalls;
pub mod runtime;
pub mod scheduler;
#[cfg(test)]
mod simulation;
pub mod store;
