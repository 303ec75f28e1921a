//! A task by its id, its name, or the beginning of its name.

use isochron::domain::ids::TaskId;
use serde_json::Value;

use super::{Client, Done, failure};
use crate::cli::suggest;

/// Tasks of one page, the most that the API gives.
const PAGE: usize = 100;
/// Pages that are read for a name.
const PAGES: usize = 50;

impl Client {
    /// The id of a task.
    pub(super) fn find(&self, name: &str) -> Done<String> {
        if name.parse::<TaskId>().is_ok() {
            return Ok(name.to_owned());
        }
        let mut found = Vec::new();
        for page in 0..PAGES {
            let path = format!(
                "/admin/scheduler?fields=list&sortBy=name&limit={PAGE}&skip={}&name={}",
                page * PAGE,
                encode(name)
            );
            let tasks = self.get(&path)?["tasks"].take();
            let tasks = tasks.as_array().map_or(&[][..], Vec::as_slice);
            for task in tasks {
                let known = text(task, "name");
                if known == name {
                    return Ok(text(task, "_key").to_owned());
                }
                if known.starts_with(name) {
                    found.push((known.to_owned(), text(task, "_key").to_owned()));
                }
            }
            if tasks.len() < PAGE {
                break;
            }
        }
        match &found[..] {
            [(_, id)] => Ok(id.clone()),
            [] => Err(failure(format!("there is no task \"{name}\"{}", self.nearest(name)?))),
            several => {
                let names: Vec<_> = several.iter().take(3).map(|(name, _)| format!("\"{name}\"")).collect();
                let more = if several.len() > 3 { " and others" } else { "" };
                Err(failure(format!(
                    "\"{name}\" is the beginning of {}{more}: write more of it",
                    names.join(", ")
                )))
            }
        }
    }

    /// A hint at the task whose name is nearest, among the first ones.
    fn nearest(&self, name: &str) -> Done<String> {
        let tasks = self.get(&format!("/admin/scheduler?fields=list&sortBy=name&limit={PAGE}"))?;
        let names: Vec<_> = items(&tasks["tasks"]).map(|task| text(task, "name")).collect();
        Ok(suggest::hint(name, names.iter().copied()))
    }
}

/// A text field of a document; empty if it is missing.
pub(super) fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().unwrap_or_default()
}

/// The items of a list.
pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text as a part of a query.
pub(super) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
