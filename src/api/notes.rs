//! Notes: the records of the audit that the API itself writes, of refusals and of logins that failed.

use axum::{
    http::{Method, StatusCode, Uri},
    response::Response,
};

use super::{error::ApiError, request::RequestInfo, state::Shared};
use crate::{
    access::Identity,
    domain::audit::{Actor, Audit, Holder, Target, Via},
};

/// The longest name of an action in the audit, in characters.
const LONGEST_ACTION: usize = 40;

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
    (method, uri): (&Method, &Uri),
    why: String,
) {
    if !api.access.admits_refusal(identity) {
        return;
    }
    let (action, target) = describe(method, uri.path());
    let record = actor.record(action, api.clock.now()).refused(why);
    // A request of a known id only: so the task's audit has no record of tasks that never were.
    let id = target.as_ref().filter(|target| target.kind == "task").and_then(|target| target.id.parse().ok());
    let task = match id {
        Some(id) => api.store.task(id).await.ok().flatten(),
        None => None,
    };
    let record = match (task, target) {
        (Some(task), _) => record.about(&task),
        (None, Some(target)) => record.on(target),
        (None, None) => record,
    };
    write(api, record).await;
}

/// Writes a login that failed into the audit: the first of each minute and address.
pub(super) async fn note_failed_login(api: &Shared, info: &RequestInfo, why: &str) {
    if api.access.admits_failed_login(info.address()) {
        let actor = info.actor(Holder::default());
        let record = Audit { actor: None, ..actor.record("login", api.clock.now()).refused(why) };
        write(api, record).await;
    }
}

/// Writes a record that belongs to no other change. The caller's answer does not depend on it.
pub(super) async fn write(api: &Shared, record: Audit) {
    if let Err(error) = api.store.add_audit(record).await {
        tracing::warn!(%error, "a record of the audit is not written");
    }
}

/// The action that a request asks for, and the thing that it is about, by the method and the path.
fn describe(method: &Method, path: &str) -> (String, Option<Target>) {
    let parts: Vec<_> =
        path.trim_start_matches("/admin/").split('/').filter(|part| !part.is_empty()).collect();
    let (thing, action) = match parts.as_slice() {
        [thing @ .., "actions", action] => (thing, Some(*action)),
        ["scheduler", "bulk"] => (&parts[..1], Some("bulk")),
        thing => (thing, None),
    };
    let action = action.unwrap_or(match *method {
        Method::GET | Method::HEAD => "read",
        Method::POST => "create",
        Method::DELETE => "delete",
        _ => "update",
    });
    let kind = thing.first().map(|kind| match *kind {
        "scheduler" => "task",
        "kv" => "entry",
        other => other.strip_suffix('s').unwrap_or(other),
    });
    let cut = |text: &str| text.chars().take(LONGEST_ACTION).collect::<String>();
    let target = kind.map(|kind| Target::new(&cut(kind), cut(thing.get(1).copied().unwrap_or_default())));
    (cut(action), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_is_told_by_its_action_and_its_thing() {
        for (method, path, action, kind, id) in [
            (Method::POST, "/admin/scheduler/task-1/actions/run", "run", "task", "task-1"),
            (Method::POST, "/admin/scheduler", "create", "task", ""),
            (Method::POST, "/admin/scheduler/bulk", "bulk", "task", ""),
            (Method::DELETE, "/admin/secrets/A", "delete", "secret", "A"),
            (Method::GET, "/admin/audit", "read", "audit", ""),
            (Method::PUT, "/admin/kv/a/b", "update", "entry", "a"),
        ] {
            let (found, target) = describe(&method, path);
            let target = target.expect("a thing");
            assert_eq!(
                (found.as_str(), target.kind.as_str(), target.id.as_str()),
                (action, kind, id),
                "{path}"
            );
        }
        assert_eq!(describe(&Method::GET, "/").1, None);
    }
}
