//! API: the admin interface over HTTP.
//!
//! A request passes the [`mod@front`]: [`request::envelope`] (an id, the time it takes, the one shape of errors),
//! then [`auth::guard`]; then its route of [`routes`] reads the body or query
//! strictly ([`input`]), asks the scheduler for changes or the store for reads, and answers with
//! one of the [`documents`].

mod auth;
mod documents;
mod error;
mod forecasts;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod input;
mod json;
mod notes;
mod openapi;
mod origin;
mod request;
mod routes;
mod state;
mod streams;
mod things;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    handler::Handler,
    http::{Method, Uri},
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};

use self::{
    auth::Need::{self, Anyone},
    error::ApiError,
    routes::{
        actions, alerts, audit, bulk, executions,
        figures::{activity, metrics, nodes, overview},
        handlers::{self, bundles},
        health, history, kv,
        outlook::{conflicts, explain, forecast, simulate, timeline, upcoming},
        schedule, secrets, sessions, tasks, tokens,
    },
    state::Shared,
    streams::{events, execution},
    things::{
        About,
        Thing::{
            Alerts, Audit, Bundle, Channel, Entry, Execution, Handler as HandlerFile, Plan, Present, Secret,
            Server, Session, Source, Task, Token, Variable,
        },
    },
};
pub use self::{
    front::Front,
    origin::protect,
    state::{
        Api, ClusterReady, Forecasts, LeaseState, MeasuredTasks, MetricsSettings, Process, Readiness,
        RunnersReady,
    },
    streams::open::Streams,
};
use crate::domain::{
    access::Role::{Admin, Editor, Operator, Viewer},
    audit::Action::{
        Backfill, Bulk, Cancel, Create, Delete, Drain, Login, Logout, Mute, Pause, Push, Read, Rerun,
        ResetRetries, Resume, Rotate, Run, Set, Test, Undrain, Update, Use,
    },
};

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const PUT: MethodFilter = MethodFilter::PUT;
const PATCH: MethodFilter = MethodFilter::PATCH;
const DELETE: MethodFilter = MethodFilter::DELETE;

/// The path of the metrics, which a setting opens for everybody.
const METRICS: &str = "/metrics";

/// Every route: its method and path, the role that it asks for, its action and thing, its handler, and a
/// line for the documentation.
fn every_route() -> Vec<Route> {
    [routes_of_tasks(), routes_of_the_rest()].into_iter().flatten().collect()
}

#[rustfmt::skip]
fn routes_of_tasks() -> Vec<Route> {
    vec![
        bounded(row(GET, "/admin/scheduler", Viewer, (Read, Task), tasks::list, "list tasks")),
        bounded(row(POST, "/admin/scheduler", Editor, (Create, Task), tasks::create, "create a task; 201 with `Location`")),
        bounded(row(POST, "/admin/scheduler/bulk", Operator, (Bulk, Task), bulk::bulk, "one action on many tasks; to delete needs an editor")),
        row(GET, "/admin/scheduler/{id}", Viewer, (Read, Task), tasks::read, "a task and its newest 5 executions"),
        row(PUT, "/admin/scheduler/{id}", Editor, (Update, Task), tasks::update, "change the fields that the body has"),
        row(PATCH, "/admin/scheduler/{id}", Editor, (Update, Task), tasks::update, "the same as `PUT`"),
        row(DELETE, "/admin/scheduler/{id}", Editor, (Delete, Task), tasks::delete, "delete the task and its history, after a cancel"),
        row(POST, "/admin/scheduler/{id}/actions/run", Operator, (Run, Task), actions::run, "run the task now"),
        row(POST, "/admin/scheduler/{id}/actions/pause", Operator, (Pause, Task), actions::pause, "no more runs by schedule; a run in progress goes on"),
        row(POST, "/admin/scheduler/{id}/actions/resume", Operator, (Resume, Task), actions::resume, "end a pause, or start again a task that `onExhausted` has stopped"),
        row(POST, "/admin/scheduler/{id}/actions/reset-retries", Operator, (ResetRetries, Task), actions::reset_retries, "set the count of failures to 0; `failed` becomes `active`"),
        row(POST, "/admin/scheduler/{id}/actions/cancel", Operator, (Cancel, Task), actions::cancel, "end the runs in progress; answers when they have ended"),
        row(POST, "/admin/scheduler/{id}/actions/backfill", Operator, (Backfill, Task), actions::backfill, "run the planned times of a past span, one after the other"),
        row(GET, "/admin/scheduler/{id}/executions", Viewer, (Read, Execution), executions::list, "the history, newest first"),
        row(GET, "/admin/scheduler/{id}/executions/{execution}", Viewer, (Read, Execution), executions::read, "one execution with its whole output"),
        row(GET, "/admin/scheduler/{id}/kv", Editor, (Read, Entry), kv::list, "the entries that the task keeps, by key"),
        row(GET, "/admin/scheduler/{id}/kv/{*key}", Editor, (Read, Entry), kv::read, "one entry"),
        row(PUT, "/admin/scheduler/{id}/kv/{*key}", Editor, (Set, Entry), kv::write, "set an entry"),
        row(DELETE, "/admin/scheduler/{id}/kv/{*key}", Editor, (Delete, Entry), kv::delete, "delete an entry"),
    ]
}

#[rustfmt::skip]
fn routes_of_the_rest() -> Vec<Route> {
    vec![
        row(GET, "/admin/kv", Editor, (Read, Entry), kv::list, "the entries that all tasks share"),
        row(GET, "/admin/kv/{*key}", Editor, (Read, Entry), kv::read, "one of them"),
        row(PUT, "/admin/kv/{*key}", Editor, (Set, Entry), kv::write, "set one"),
        row(DELETE, "/admin/kv/{*key}", Editor, (Delete, Entry), kv::delete, "delete one"),
        bounded(row(GET, "/admin/executions", Viewer, (Read, Execution), history::list::list, "the executions of all tasks, newest first")),
        bounded(row(GET, "/admin/executions/{id}", Viewer, (Read, Execution), history::execution::read, "one execution with its whole output, and its neighbours")),
        bounded(row(GET, "/admin/executions/{id}/output", Viewer, (Read, Execution), history::execution::output, "its output as JSON, text or lines of JSON")),
        bounded(row(POST, "/admin/executions/{id}/actions/rerun", Operator, (Rerun, Execution), history::execution::rerun, "run its task now with its parameters")),
        bounded(row(POST, "/admin/executions/{id}/actions/cancel", Operator, (Cancel, Execution), history::execution::cancel, "end it; answers when it has ended")),
        bounded(row(GET, "/admin/executions/{id}/stream", Viewer, (Read, Execution), execution::stream, "the output of a run as it comes, then its end")),
        bounded(row(GET, "/admin/events", Viewer, (Read, Present), events::stream, "the news of tasks and runs as they come")),
        bounded(row(GET, "/admin/handlers", Viewer, (Read, HandlerFile), handlers::list, "the handlers, each with the reason if it does not load; `ignored`: files that look like handlers and are none, `{file, reason}`")),
        bounded(row(GET, "/admin/handlers/{*name}", Viewer, (Read, HandlerFile), history::sources::read_handler, "a handler, the tasks that use it, and its versions")),
        bounded(row(GET, "/admin/sources/{hash}", Editor, (Read, Source), history::sources::read_source, "the source of a version that has run")),
        bounded(row(GET, "/admin/sources/{hash}/diff/{other}", Editor, (Read, Source), history::sources::compare, "the changes from one source to another")),
        row(GET, "/admin/bundles", Viewer, (Read, Bundle), bundles::list, "the versions of all handlers that are kept in the store, newest first"),
        row(POST, "/admin/bundles", Admin, (Push, Bundle), bundles::push, "make a version of the handlers and use it; `missing`: the chunks to send first"),
        row(PUT, "/admin/bundles/chunks/{hash}", Admin, (Push, Bundle), bundles::keep_chunk, "send a part of a file"),
        row(POST, "/admin/bundles/{id}/actions/use", Admin, (Use, Bundle), bundles::use_again, "use a version that was pushed before"),
        bounded(row(GET, "/admin/search", Viewer, (Read, Present), history::search::search, "tasks, handlers and executions that a text may mean")),
        row(GET, "/admin/secrets", Admin, (Read, Secret), secrets::list_secrets, "the secrets, without their values"),
        row(GET, "/admin/secrets/{name}", Admin, (Read, Secret), secrets::read_secret, "one secret, without its value"),
        row(PUT, "/admin/secrets/{name}", Admin, (Set, Secret), secrets::set_secret, "set a secret; 201 if it is new"),
        row(DELETE, "/admin/secrets/{name}", Admin, (Delete, Secret), secrets::delete_secret, "delete the secret"),
        row(GET, "/admin/variables", Editor, (Read, Variable), secrets::list_variables, "the variables"),
        row(GET, "/admin/variables/{name}", Editor, (Read, Variable), secrets::read_variable, "one variable"),
        row(PUT, "/admin/variables/{name}", Editor, (Set, Variable), secrets::set_variable, "set a variable; 201 if it is new"),
        row(DELETE, "/admin/variables/{name}", Editor, (Delete, Variable), secrets::delete_variable, "delete the variable"),
        bounded(row(GET, "/admin/alerts", Viewer, (Read, Alerts), alerts::read, "the channels of alerts, the messages whose occasion lasts, and the mute")),
        bounded(row(GET, "/admin/alerts/deliveries", Viewer, (Read, Alerts), alerts::deliveries, "the messages and what has become of them, newest first")),
        row(PUT, "/admin/alerts/mute", Operator, (Mute, Alerts), alerts::mute, "hold messages back until a time; `until: null` ends it"),
        row(POST, "/admin/alerts/test", Admin, (Test, Channel), alerts::test, "send a test to a channel and see its answer"),
        bounded(row(GET, "/admin/schedule/preview", Viewer, (Read, Plan), schedule::preview, "the next times of a schedule")),
        row(GET, "/admin/overview", Viewer, (Read, Present), overview::overview, "the present on one page: tasks, runs, failures, the next runs, the server"),
        row(GET, "/admin/nodes", Viewer, (Read, Server), nodes::list, "the processes that have the store open"),
        row(POST, "/admin/nodes/{id}/actions/drain", Operator, (Drain, Server), nodes::drain, "the node takes no new runs; those that it has go on"),
        row(POST, "/admin/nodes/{id}/actions/undrain", Operator, (Undrain, Server), nodes::undrain, "the node takes runs again"),
        bounded(row(GET, "/admin/activity", Viewer, (Read, Present), activity::activity, "the ends of runs per `minute`, `hour` or `day` (`bucket`)")),
        bounded(row(GET, "/admin/upcoming", Viewer, (Read, Plan), upcoming::upcoming, "the planned runs of all active tasks, in the order of time")),
        row(GET, "/admin/forecast", Viewer, (Read, Plan), forecast::forecast, "the number of planned runs per hour or day"),
        row(GET, "/admin/simulate", Viewer, (Read, Plan), simulate::simulate, "where more is due than runs at once, with the usual durations"),
        row(GET, "/admin/scheduler/conflicts", Viewer, (Read, Plan), conflicts::conflicts, "what else runs at the times of a schedule, and quieter minutes"),
        bounded(row(GET, "/admin/me", Viewer, (Read, Token), sessions::me, "the holder of the token that the request brings")),
        bounded(row(GET, "/admin/sessions", Viewer, (Read, Session), sessions::list, "the own sessions; an admin sees all")),
        bounded(row(POST, "/admin/sessions", Viewer, (Login, Session), sessions::open, "open a session with the token of the request; 201 with `Set-Cookie`")),
        bounded(row(DELETE, "/admin/sessions", Viewer, (Logout, Session), sessions::end_all, "end all own sessions")),
        bounded(row(DELETE, "/admin/sessions/{id}", Viewer, (Logout, Session), sessions::end_one, "end a session; `current` is the one of the request")),
        row(GET, "/admin/tokens", Admin, (Read, Token), tokens::list, "the tokens, without their texts"),
        row(POST, "/admin/tokens", Admin, (Create, Token), tokens::create, "make a token; 201 with its text, which is shown once"),
        row(DELETE, "/admin/tokens/{id}", Admin, (Delete, Token), tokens::delete, "take a token back; its sessions end"),
        row(POST, "/admin/tokens/{id}/actions/rotate", Admin, (Rotate, Token), tokens::rotate, "give a token a new text, which is shown once"),
        row(GET, "/admin/audit", Admin, (Read, Audit), audit::list, "the records of what was done, newest first; `format=ndjson`: as lines"),
        row(GET, "/admin/scheduler/{id}/explain", Viewer, (Read, Plan), explain::explain, "why the task did, or did not, run at its planned times"),
        bounded(row(GET, "/admin/timeline", Viewer, (Read, Plan), timeline::timeline, "past and planned runs side by side, a lane per task")),
        row(GET, METRICS, Viewer, (Read, Server), metrics::metrics, "the figures of the server for Prometheus; for anyone if `metrics.public` is set"),
        row(GET, "/openapi.json", Anyone, (Read, Server), openapi::read, "this table for programs: OpenAPI 3.1 with every field"),
        row(GET, "/health", Anyone, (Read, Server), health::health, "200 while the process is up"),
        row(GET, "/ready", Anyone, (Read, Server), health::ready, "200 while the server can do its work, otherwise 503"),
    ]
}

struct Route {
    method: MethodFilter,
    path: &'static str,
    need: Need,
    /// What a request does, and the kind of thing that it is about.
    about: About,
    /// Whether the handler itself keeps a token that is bound to handlers from the tasks of others.
    is_bounded: bool,
    handler: MethodRouter<Shared, Infallible>,
    doc: &'static str,
}

fn row<H: Handler<T, Shared>, T: 'static>(
    method: MethodFilter,
    path: &'static str,
    need: impl Into<Need>,
    about: About,
    handler: H,
    doc: &'static str,
) -> Route {
    // The path of a task is checked where it is read.
    let is_bounded = path.starts_with("/admin/scheduler/{id}");
    Route { method, path, need: need.into(), about, is_bounded, handler: on(method, handler), doc }
}

/// A route that a token bound to handlers may use, because its handler looks at them.
fn bounded(route: Route) -> Route {
    Route { is_bounded: true, ..route }
}

/// The API.
pub fn front(api: Api) -> Front {
    let api = Arc::new(api);
    let routes = every_route().into_iter().fold(
        Router::new(),
        |router, Route { path, need, about, is_bounded, handler, .. }| {
            let need = if path == METRICS && api.metrics_settings.public { Anyone } else { need };
            let rule = auth::Rule { api: api.clone(), path, need, about, is_bounded };
            router.route(path, handler.route_layer(middleware::from_fn_with_state(rule, auth::hold)))
        },
    );
    let routes = routes.fallback(no_route).method_not_allowed_fallback(no_method);
    Front::new(api.clone(), routes.with_state(api))
}

fn method_name(method: MethodFilter) -> &'static str {
    let methods = [(GET, "GET"), (POST, "POST"), (PUT, "PUT"), (PATCH, "PATCH"), (DELETE, "DELETE")];
    methods.into_iter().find(|(known, _)| *known == method).map_or("", |(_, name)| name)
}

/// The table of routes of `docs/api.md`, in Markdown, with a line break at its end.
#[must_use]
pub fn reference() -> String {
    let rows = every_route().into_iter().map(|Route { method, path, need, doc, .. }| {
        let name = method_name(method);
        let role = match need {
            Anyone => "–",
            Need::Role(role) => role.name(),
        };
        format!("| `{name} {path}` | {role} | {doc} |\n")
    });
    std::iter::once("| route | role | |\n|---|---|---|\n".to_owned()).chain(rows).collect()
}

async fn no_route(uri: Uri) -> ApiError {
    ApiError::not_found(format!("There is nothing at {}", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> ApiError {
    ApiError::method_not_allowed(format!("{method} is not allowed at {}", uri.path()))
}

#[cfg(test)]
mod tests;
