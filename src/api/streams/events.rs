//! `GET /admin/events`: the news of all tasks and of the server.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::HeaderMap, response::Response};
use tokio::time::{Instant, sleep_until};

use super::{
    coalesce::Window,
    pen::{Ended, Pen},
    respond,
};
use crate::{
    api::{auth::Caller, error::ApiError, input::Fields, state::Shared},
    domain::{
        access::Grant,
        ids::TaskId,
        step::{Event, News},
    },
    events::{Events, Listener, Missed},
    store::StoreError,
};

/// The id before the oldest event that is held.
const HELD: &str = "0";
/// The text of a `gap`.
const GAP: &str = r#"{"message":"Events were missed: read the lists anew"}"#;

/// The events that a client wants.
struct Filter {
    task: Option<TaskId>,
    /// Names; none means all.
    kinds: Vec<&'static str>,
}

impl Filter {
    /// Whether the client wants an event and may see it.
    fn lets_through(&self, event: &Event, grant: &Grant) -> bool {
        let covered = match &event.subject {
            Some(subject) => grant.covers(&subject.handler),
            // News of the server are not for a token that is bound to handlers.
            None => grant.handlers.is_none(),
        };
        covered
            && self.task.is_none_or(|task| event.task() == Some(task))
            && (self.kinds.is_empty() || self.kinds.contains(&event.news.name()))
    }
}

pub(in crate::api) async fn stream(
    State(api): State<Shared>,
    caller: Caller,
    mut fields: Fields,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let task = fields.text("taskId");
    let kinds = read_kinds(&mut fields);
    let coalesce = fields.number("coalesce", 0, 10_000, 0_u64);
    let last = last_event_id(&mut fields, &headers);
    fields.finish()?;
    let task = task.map(|text| text.parse::<TaskId>()).transpose();
    let task = task.map_err(|_| StoreError::NotFound)?;
    if let Some(task) = task {
        api.store.task(task).await?.ok_or(StoreError::NotFound)?;
        caller.ensure_covers(&api, task).await?;
    }
    let filter = Filter { task, kinds };
    let events = api.events.clone();
    let listener = match last.as_deref() {
        None => Ok(events.listen()),
        Some(HELD) => Ok(events.listen_to_held()),
        Some(last) => events.listen_after(last).ok_or(Missed),
    };
    let window = (coalesce > 0).then(|| Duration::from_millis(coalesce));
    respond(&api, caller, move |pen| write(pen, events, listener, filter, window))
}

/// The id of the last event that a client has seen: from the header that a browser sends when it comes
/// back, or from the query, since a page cannot set the header.
pub(super) fn last_event_id(fields: &mut Fields, headers: &HeaderMap) -> Option<String> {
    let named = fields.text("lastEventId");
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    header.or(named).filter(|id| !id.is_empty())
}

fn read_kinds(fields: &mut Fields) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for word in fields.text("type").iter().flat_map(|text| text.split(',')) {
        match News::NAMES.iter().find(|name| **name == word) {
            Some(name) => kinds.push(*name),
            None => {
                fields.report("type", format!("must be among {}, not \"{word}\"", News::NAMES.join(", ")));
            }
        }
    }
    kinds
}

async fn write(
    mut pen: Pen,
    events: Events,
    listener: Result<Listener, Missed>,
    filter: Filter,
    window: Option<Duration>,
) -> Result<(), Ended> {
    let _watching = events.watch();
    let mut listener = match listener {
        Ok(listener) => listener,
        Err(Missed) => {
            let listener = events.listen();
            pen.event("gap", Some(&events.id(listener.position())), GAP);
            listener
        }
    };
    // A client that leaves before its first event comes back to this id.
    pen.id(&events.id(listener.position()));
    let mut batch = window.map(Window::new);
    loop {
        take(&mut pen, &events, &mut listener, &filter, batch.as_mut());
        if listener.is_behind() && !pen.is_full() {
            continue;
        }
        if let Some(batch) = batch.as_mut() {
            // Everything up to here goes together; later news wait for the next window.
            if let Some(text) = batch.close() {
                pen.event("batch", Some(&events.id(listener.position())), &text);
            }
        }
        pen.send().await?;
        let id = events.id(listener.position());
        let opens = batch.as_ref().and_then(Window::opens_at);
        let news = async {
            listener.wait().await;
            sleep_until(opens.unwrap_or_else(Instant::now)).await;
        };
        pen.wait(news, Some(&id)).await?;
    }
}

/// Writes the next events, or adds them to the window.
fn take(
    pen: &mut Pen,
    events: &Events,
    listener: &mut Listener,
    filter: &Filter,
    mut batch: Option<&mut Window>,
) {
    let grant = pen.grant();
    match listener.take(|event| filter.lets_through(event, grant)) {
        Ok(told) => {
            for told in told {
                match &mut batch {
                    Some(batch) => batch.add(&told.event, told.number, Arc::clone(&told.text)),
                    None => pen.event(told.event.news.name(), Some(&events.id(told.number)), &told.text),
                }
            }
        }
        Err(Missed) => pen.event("gap", Some(&events.id(listener.position())), GAP),
    }
}
