//! Writes of bindings.

use crate::{
    domain::binding::{Binding, Rewrite},
    store::{
        Audit, Rewriting, StoreError,
        bindings::rewritten,
        sled::{
            engine::{keys, txn::Txn},
            write::{audit, writer::Writer},
        },
    },
};

impl Writer {
    /// Makes the changes that `decide` returns, with the audit record; all bindings after them.
    pub(crate) fn rewrite(
        &mut self,
        decide: &mut Rewriting,
        given: Option<&Audit>,
    ) -> Result<Vec<Binding>, StoreError> {
        self.ensure_space()?;
        let now = (self.now)();
        self.in_txn(|txn| {
            let bindings = read(txn)?;
            let changes = decide(&bindings, now)?;
            for change in &changes {
                match change {
                    Rewrite::Put(binding) => txn.put_record(keys::binding(&binding.name), binding)?,
                    Rewrite::Remove(name) => txn.remove(keys::binding(name)),
                }
            }
            given.map_or(Ok(()), |record| audit::add(txn, record))?;
            Ok(rewritten(bindings, &changes))
        })
    }
}

/// All bindings, in the order of their names; a damaged one is an error, so that no change loses it.
fn read(txn: &Txn<'_>) -> Result<Vec<Binding>, StoreError> {
    let keys = txn.prefixed(&[keys::BINDING], usize::MAX)?;
    let bindings = keys.iter().map(|key| txn.record(key));
    Ok(bindings.collect::<Result<Vec<Option<Binding>>, _>>()?.into_iter().flatten().collect())
}
