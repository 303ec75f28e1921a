//! Alerts on their way.

use super::super::{
    group::{Failure, Group, alert_key},
    operation::Work,
};
use crate::{
    domain::alerts::Delivery,
    store::postgres::connection::{args, query},
};

/// Replaces deliveries.
pub(crate) struct Settle {
    pub(crate) old: Vec<Delivery>,
    pub(crate) new: Vec<Delivery>,
}

impl Work for Settle {
    type Answer = ();

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        let remove = "DELETE FROM #alert WHERE place = $1 AND channel = $2 AND id = $3";
        let removals = self.old.iter().map(|delivery| {
            let (place, channel, id) = alert_key(delivery);
            query(remove, args![place, channel, id])
        });
        let removals: Vec<_> = removals.collect();
        if !removals.is_empty() {
            group.all(removals).await?;
        }
        group.writes.alerts.extend(self.new.iter().cloned());
        Ok(())
    }
}
