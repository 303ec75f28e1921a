//! Alerts on their way.

use std::{collections::BTreeMap, sync::Arc};

use super::sql::{Sql, all_of, tasks_of};
use crate::{
    domain::{Millis, alerts::Delivery, facts::Task, ids::TaskId},
    store::{
        MOST_COUNTED, OutboxQuery, Place, StoreError, WaitingAlerts,
        postgres::{
            connection::{Readers, args, query},
            documents::decode,
            write::{id_of, place_number},
        },
    },
};

pub(crate) async fn deliveries(
    readers: Arc<Readers>,
    asked: OutboxQuery,
) -> Result<Vec<Delivery>, StoreError> {
    let mut sql = Sql::default();
    let mut conditions = vec![format!("place = {}", place_number(asked.place))];
    conditions.extend(asked.channel.map(|channel| format!("channel = {}", sql.arg(channel))));
    let (sign, order) = if asked.newest_first { ('<', "DESC") } else { ('>', "ASC") };
    conditions.extend(asked.after.map(|after| format!("id {sign} {}", sql.arg(after))));
    let limit = sql.arg(asked.limit);
    let text = format!(
        "SELECT delivery FROM #alert WHERE {} ORDER BY channel {order}, id {order} LIMIT {limit}",
        all_of(&conditions)
    );
    let rows = readers.rows(sql.query(text)).await?;
    rows.iter().map(|row| decode(row.get(0))).collect()
}

pub(crate) async fn waiting(readers: Arc<Readers>) -> Result<BTreeMap<String, WaitingAlerts>, StoreError> {
    let text = "SELECT place, channel, count(*) FROM (
          SELECT place, channel FROM #alert WHERE place < $1 ORDER BY place, channel, id LIMIT $2) a
        GROUP BY place, channel";
    let rows = readers.rows(query(text, args![place_number(Place::Over), MOST_COUNTED])).await?;
    let mut waiting: BTreeMap<String, WaitingAlerts> = BTreeMap::new();
    for row in rows {
        let of_channel = waiting.entry(row.get(1)).or_default();
        let count = row.get::<_, i64>(2).unsigned_abs();
        let is_pending = row.get::<_, i64>(0) == place_number(Place::Pending);
        *(if is_pending { &mut of_channel.pending } else { &mut of_channel.held }) += count;
    }
    Ok(waiting)
}

pub(crate) async fn next_alarm(readers: Arc<Readers>) -> Result<Option<(Millis, TaskId)>, StoreError> {
    let text = "SELECT alarm, task FROM #state WHERE alarm IS NOT NULL ORDER BY alarm, task LIMIT 1";
    let rows = readers.rows(query(text, args![])).await?;
    Ok(rows.first().map(|row| (row.get(0), id_of(row, 1))))
}

pub(crate) async fn alarmed(
    readers: Arc<Readers>,
    after: Option<TaskId>,
    limit: usize,
) -> Result<Vec<Task>, StoreError> {
    let text = "SELECT s.task, t.definition, s.facts FROM #state s JOIN #task t ON t.id = s.task
        WHERE s.firing AND ($1::uuid IS NULL OR s.task > $1) ORDER BY s.task LIMIT $2";
    Ok(tasks_of(&readers.rows(query(text, args![after, limit])).await?))
}
