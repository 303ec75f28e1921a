//! Notes: the records of the audit that the API itself writes, of refusals and of logins that failed.

use axum::{extract::RawPathParams, http::StatusCode, response::Response};

use super::{
    error::ApiError,
    request::RequestInfo,
    state::Shared,
    things::{About, Thing},
};
use crate::{
    access::Identity,
    domain::{
        audit::{Action, Actor, Audit, Holder, Target, Via},
        ids::{ExecutionId, TaskId},
    },
};

/// The longest name of a thing that a refused request has in the audit, in characters.
const LONGEST_NAME: usize = 200;

/// The holder behind an identity.
pub(super) fn holder(identity: &Identity) -> Holder {
    Holder {
        id: identity.token,
        name: identity.name.clone(),
        role: Some(identity.role()),
        via: if identity.session.is_some() { Via::Session } else { Via::Token },
    }
}

/// The reason in an answer that refuses an action.
pub(super) fn refusal_of(response: &Response) -> Option<String> {
    let refuses = [StatusCode::FORBIDDEN, StatusCode::CONFLICT].contains(&response.status());
    refuses.then(|| {
        response.extensions().get::<ApiError>().map(ApiError::message).unwrap_or_default().to_owned()
    })
}

/// Writes the refusal of a request into the audit. The answer does not depend on it.
pub(super) async fn note_refusal(
    api: &Shared,
    (actor, identity): (&Actor, &Identity),
    (action, thing): About,
    names: Option<RawPathParams>,
    why: String,
) {
    if !api.access.admits_refusal(identity) {
        return;
    }
    let named = names.as_ref().map(Named::read).unwrap_or_default();
    let task = match (named.task, named.execution) {
        (None, Some(execution)) => api.store.locate(execution).await.ok().flatten(),
        (task, _) => task,
    };
    // A task that is there only: so the audit of a task has no record of tasks that never were.
    let task = match task {
        Some(id) => api.store.task(id).await.ok().flatten(),
        None => None,
    };
    let mut record = actor.record(action, api.clock.now()).refused(why);
    if let Some(task) = &task {
        record = record.about(task);
    }
    if thing != Thing::Task || task.is_none() {
        record = record.on(Target::new(thing.kind(), named.id));
    }
    write(api, record).await;
}

/// The names in the path of a request.
#[derive(Default)]
struct Named {
    task: Option<TaskId>,
    execution: Option<ExecutionId>,
    /// The last name that is no task's, else the task's.
    id: String,
}

impl Named {
    fn read(names: &RawPathParams) -> Self {
        let mut named = Self::default();
        let mut task = String::new();
        for (_, name) in names {
            let short: String = name.chars().take(LONGEST_NAME).collect();
            if let Ok(id) = name.parse() {
                (named.task, task) = (Some(id), short);
                continue;
            }
            named.execution = named.execution.or_else(|| name.parse().ok());
            named.id = short;
        }
        if named.id.is_empty() && names.iter().count() == 1 {
            named.id = task;
        }
        named
    }
}

/// Writes a change that another site made a browser ask for into the audit: the first of each minute and
/// address.
pub(super) async fn note_other_site(api: &Shared, info: &RequestInfo, path: &str, why: &str) {
    if api.access.admits_other_site(info.address()) {
        let actor = info.actor(Holder::default());
        let record = actor.record(Action::CrossSite, api.clock.now()).refused(why);
        let path = path.chars().take(LONGEST_NAME).collect::<String>();
        write(api, Audit { actor: None, ..record.on(Target::new("page", path)) }).await;
    }
}

/// Writes a login that failed into the audit: the first of each minute and address.
pub(super) async fn note_failed_login(api: &Shared, info: &RequestInfo, why: &str) {
    if api.access.admits_failed_login(info.address()) {
        let actor = info.actor(Holder::default());
        let record = Audit { actor: None, ..actor.record(Action::Login, api.clock.now()).refused(why) };
        write(api, record).await;
    }
}

/// Writes a record that belongs to no other change. The caller's answer does not depend on it.
pub(super) async fn write(api: &Shared, record: Audit) {
    if let Err(error) = api.store.add_audit(record).await {
        tracing::warn!(%error, "a record of the audit is not written");
    }
}
