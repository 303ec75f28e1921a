//! Pages: each reads documents of the API and fills a template.

pub(super) mod admin;
pub(super) mod alerts;
pub(super) mod bulk;
pub(super) mod code;
pub(super) mod edit;
pub(super) mod login;
pub(super) mod overview;
pub(super) mod plan;
pub(super) mod reference;
pub(super) mod run;
pub(super) mod search;
pub(super) mod settings;
pub(super) mod task;
pub(super) mod task_actions;
pub(super) mod tasks;
pub(super) mod why;

/// A text as one segment of a path: a name with a slash in it leads nowhere else.
pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
