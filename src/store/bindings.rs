//! Bindings: the secrets and variables that a store keeps, sealed values as they are.
//!
//! There are at most [`MOST_BINDINGS`](crate::domain::binding::MOST_BINDINGS), and they change seldom, so
//! that a change sees all of them and may replace all of them, in one step.

use super::{Audit, words::Answer};
use crate::domain::{
    Millis,
    binding::{Binding, Rejected, Rewrite},
};

/// Decides, by all bindings in the order of their names and the store's time, which to replace. A store may
/// call it more than once for one change, and only the last decision counts.
pub type Rewriting = Box<dyn FnMut(&[Binding], Millis) -> Result<Vec<Rewrite>, Rejected> + Send>;

/// Secrets and variables.
pub trait Bindings {
    /// Reads all bindings, in the order of their names.
    fn bindings(&self) -> Answer<Vec<Binding>>;
    /// Makes the changes that `decide` returns, all or none, with the audit record, and returns all
    /// bindings after them.
    fn rewrite(&self, decide: Rewriting, audit: Option<Audit>) -> Answer<Vec<Binding>>;
}

/// All bindings after changes.
pub(super) fn rewritten(bindings: Vec<Binding>, changes: &[Rewrite]) -> Vec<Binding> {
    let mut by_name: std::collections::BTreeMap<_, _> =
        bindings.into_iter().map(|binding| (binding.name.clone(), binding)).collect();
    for change in changes {
        match change {
            Rewrite::Put(binding) => drop(by_name.insert(binding.name.clone(), binding.clone())),
            Rewrite::Remove(name) => drop(by_name.remove(name)),
        }
    }
    by_name.into_values().collect()
}
