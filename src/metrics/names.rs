//! Labels of handlers, bounded in number.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, Mutex},
};

use crate::domain::lock::lock;

/// Handlers that have a label of their own; the others share one.
pub(super) const MOST_HANDLERS: usize = 200;
/// The label that the others share.
static OTHER: LazyLock<Arc<str>> = LazyLock::new(|| "other".into());

/// The labels given so far.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashSet<Arc<str>>>);

impl Names {
    /// The label of a handler: its name, if it is among the first [`MOST_HANDLERS`] that were asked for.
    pub(super) fn label(&self, handler: &str) -> Arc<str> {
        let mut names = lock(&self.0);
        if let Some(known) = names.get(handler) {
            return known.clone();
        }
        if names.len() >= MOST_HANDLERS {
            return OTHER.clone();
        }
        let name: Arc<str> = handler.into();
        names.insert(name.clone());
        name
    }
}
