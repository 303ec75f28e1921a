//! The writes of a group as they are sent: one statement per table.

use super::{slot::Slot, transaction::Group, writes::Writes};
use crate::{
    domain::{
        alerts::Delivery,
        execution::{Execution, ExecutionStatus},
        facts::Task,
        ids::{NodeId, TaskId},
    },
    store::{
        Output, Place, StoreError,
        copy::KeptParams,
        postgres::{
            connection::{Arg, Id, Query, args, query},
            documents::{self, encode},
        },
    },
};

const UPDATE: &str = "WITH v AS (SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[],
        $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::text[], $11::int8[], $12::bool[], $13::bool[],
        $14::bool[], $15::int8[], $16::bytea[])
      AS v(task, version, priority, due, next_run, alarm, updated, running, rest, handler, history, keyed, firing,
        untold, defined, facts)),
    u AS (UPDATE #state s SET version = v.version + 1, priority = v.priority, due = v.due, next_run = v.next_run,
        alarm = v.alarm, updated = v.updated, running = v.running, rest = v.rest, handler = v.handler,
        history = v.history, keyed = v.keyed, firing = v.firing, untold = v.untold, defined = v.defined,
        held = NULL, facts = v.facts
      FROM v WHERE s.task = v.task AND s.version = v.version RETURNING 1)
    SELECT 1 / (CASE WHEN (SELECT count(*) FROM u) = $17 THEN 1 ELSE 0 END)";
const INSERT: &str =
    "INSERT INTO #state (task, version, priority, due, next_run, alarm, updated, running, rest,
      handler, history, keyed, firing, untold, defined, facts)
    SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[],
      $8::int8[], $9::int8[], $10::text[], $11::int8[], $12::bool[], $13::bool[], $14::bool[], $15::int8[],
      $16::bytea[])";
const DEFINE: &str = "INSERT INTO #task (id, handler, tags, after, version, definition)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE SET handler = excluded.handler, tags = excluded.tags, after = excluded.after,
      version = excluded.version, definition = excluded.definition";
const FREE_NAMES: &str = "DELETE FROM #task_name WHERE name = ANY($1)";
const TAKE_NAMES: &str = "INSERT INTO #task_name (name, lower, task)
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[]) ORDER BY 1";
pub(crate) const RUN: &str =
    "INSERT INTO #running (id, task, created, trigger, handler, scheduled_for, node, row)
    SELECT id, task, created, trigger, handler, scheduled_for, $8, row
    FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::text[], $6::int8[], $7::bytea[])
      AS v(id, task, created, trigger, handler, scheduled_for, row)
    ON CONFLICT (id) DO UPDATE SET row = excluded.row";
const NO_LONGER_RUN: &str = "DELETE FROM #running WHERE id = ANY($1)";
pub(crate) const KEEP: &str = "INSERT INTO #execution
      (id, task, created, trigger, handler, scheduled_for, row, status, reason, node)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::text[], $6::int8[], $7::bytea[],
      $8::int8[], $9::text[], $10::uuid[])
    ON CONFLICT (task, id) DO UPDATE SET handler = excluded.handler, status = excluded.status,
      reason = excluded.reason, row = excluded.row";
pub(crate) const SAY: &str = "INSERT INTO #output (execution, chunk, bytes, lines)
    SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::bytea[])
    ON CONFLICT (execution, chunk) DO UPDATE SET bytes = excluded.bytes, lines = excluded.lines";
const PRUNE: &str = "WITH p AS (SELECT * FROM unnest($1::uuid[], $2::int8[]) AS p(task, surplus)),
    o AS MATERIALIZED (SELECT p.task, x.id FROM p CROSS JOIN LATERAL (
        SELECT id FROM #execution x WHERE x.task = p.task ORDER BY id LIMIT p.surplus) x),
    g AS (DELETE FROM #execution e USING o WHERE e.task = o.task AND e.id = o.id RETURNING e.id)
    DELETE FROM #output USING g WHERE execution = g.id";
const END_STEPS: &str = "DELETE FROM #step s USING unnest($1::uuid[], $2::int8[]) AS v(task, scheduled_for)
    WHERE s.task = v.task AND s.scheduled_for = v.scheduled_for";
const KEEP_PARAMS: &str = "INSERT INTO #params (task, time, hash, params)
    SELECT * FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::bytea[]) AS v(task, time, hash, params)
    WHERE NOT EXISTS (SELECT 1 FROM #params p WHERE p.task = v.task AND p.hash = v.hash)
    ON CONFLICT DO NOTHING";
const PRUNE_PARAMS: &str = "DELETE FROM #params p USING (
      SELECT task, time, hash, row_number() OVER (PARTITION BY task ORDER BY time DESC, hash DESC) AS place
      FROM #params WHERE task = ANY($1)) o
    WHERE o.place > $2 AND p.task = o.task AND p.time = o.time AND p.hash = o.hash";
const SEND: &str = "INSERT INTO #alert (place, channel, id, delivery)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::uuid[], $4::bytea[])
    ON CONFLICT (place, channel, id) DO UPDATE SET delivery = excluded.delivery";
const RECORD: &str = "INSERT INTO #audit (time, task, row)
    SELECT time, task, row FROM unnest($1::int8[], $2::uuid[], $3::bytea[]) WITH ORDINALITY AS v(time, task, row, n)
    ORDER BY n";
const PUT: &str = "INSERT INTO #value (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ORDER BY 1
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const COUNT: &str = "INSERT INTO #counter (kind, name, rest, slot, n)
    SELECT kind, name, rest, $5, n FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[]) AS v(kind, name, rest, n)
    ORDER BY 1, 2, 3
    ON CONFLICT (kind, name, rest, slot) DO UPDATE SET n = counter.n + excluded.n";
pub(crate) const WISH: &str =
    "UPDATE #running r SET cancel = v.who FROM unnest($1::uuid[], $2::text[]) AS v(id, who)
    WHERE r.id = v.id";
const HAS_SLOT: &str = "UPDATE #running r SET slot = v.key FROM unnest($1::uuid[], $2::text[]) AS v(id, key)
    WHERE r.id = v.id";
const HOLD: &str = "UPDATE #state s SET held = v.why FROM unnest($1::uuid[], $2::text[]) AS v(task, why)
    WHERE s.task = v.task";

/// Adds the statement that writes all of a list, if there are any.
macro_rules! push {
    ($queries:ident, $list:expr, $text:expr, $args:expr) => {
        if !$list.is_empty() {
            $queries.push(query($text, $args));
        }
    };
}

impl Group<'_> {
    /// Takes the writes so far as statements, in the order in which they have to be made.
    pub(crate) fn take_queries(&mut self) -> Result<Vec<Query>, StoreError> {
        let mut writes = std::mem::take(&mut self.writes);
        let mut queries = Vec::new();
        self.push_tasks(&mut queries, &mut writes)?;
        self.push_rows(&mut queries, &writes)?;
        push!(queries, writes.over, END_STEPS, {
            let (tasks, times): (Vec<_>, Vec<_>) = writes.over.iter().copied().unzip();
            args![tasks, times]
        });
        push_params(&mut queries, &writes.params)?;
        push!(queries, writes.alerts, SEND, {
            let keys = writes.alerts.iter().map(alert_key);
            let (places, channels, ids) = keys.fold(
                (Vec::new(), Vec::new(), Vec::new()),
                |(mut places, mut channels, mut ids), (place, channel, id)| {
                    places.push(place);
                    channels.push(channel);
                    ids.push(id);
                    (places, channels, ids)
                },
            );
            let documents = writes.alerts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
            args![places, channels, ids, documents]
        });
        push!(queries, writes.audits, RECORD, {
            let times: Vec<_> = writes.audits.iter().map(|audit| audit.time).collect();
            let tasks = writes.audits.iter().map(|audit| audit.task_id.map(|id| Id(id.to_bytes())));
            let tasks: Vec<Option<Id>> = tasks.collect();
            let documents = writes.audits.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
            args![times, tasks, documents]
        });
        let (set, removed): (Vec<_>, Vec<_>) =
            writes.values.into_iter().partition(|(_, value)| value.is_some());
        push!(queries, removed, "DELETE FROM #value WHERE key = ANY($1)", {
            args![removed.into_iter().map(|(key, _)| key.into_bytes()).collect::<Vec<_>>()]
        });
        push!(queries, set, PUT, {
            let values = set.iter().map(|(_, value)| encode(value)).collect::<Result<Vec<_>, _>>()?;
            let keys: Vec<_> = set.into_iter().map(|(key, _)| key.into_bytes()).collect();
            args![keys, values]
        });
        writes.counters.retain(|_, n| *n != 0);
        push!(queries, writes.counters, COUNT, {
            let kinds: Vec<_> = writes.counters.keys().map(|(kind, ..)| (*kind).to_owned()).collect();
            let names: Vec<_> = writes.counters.keys().map(|(_, name, _)| name.clone()).collect();
            let rests: Vec<_> = writes.counters.keys().map(|(.., rest)| *rest).collect();
            let shares: Vec<_> = writes.counters.values().copied().collect();
            args![kinds, names, rests, shares, self.member.slot]
        });
        Ok(queries)
    }

    fn push_tasks(&mut self, queries: &mut Vec<Query>, writes: &mut Writes) -> Result<(), StoreError> {
        let (mut old, mut new, mut free, mut taken) =
            (Columns::default(), Columns::default(), vec![], vec![]);
        let (mut gone, mut define, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for (id, slot) in &mut self.slots {
            held.extend(slot.held.take().map(|why| (*id, why)));
            if !std::mem::take(&mut slot.changed) {
                continue;
            }
            for (task, sign) in [(slot.before.as_ref(), -1), (slot.task.as_ref(), 1)] {
                let all = task.map(documents::counters).unwrap_or_default();
                all.into_iter()
                    .for_each(|(key, share)| *writes.counters.entry(key).or_default() += sign * share);
            }
            let name = |task: &Option<Task>| task.as_ref().map(|task| task.definition.name.clone());
            let names = (name(&slot.before), name(&slot.task));
            if names.0 != names.1 {
                free.extend(names.0);
                taken.extend(names.1.map(|name| (name, *id)));
            }
            let Some(task) = slot.task.as_ref() else {
                gone.extend(slot.version.take().map(|_| *id));
                slot.before = None;
                continue;
            };
            let version = slot.version.map_or(1, |version| version + 1);
            let redefined = slot.before.as_ref().is_none_or(|before| documents::is_redefined(before, task));
            if redefined {
                slot.defined = version;
                define.push(define_query(task, version)?);
            }
            let columns = if slot.version.is_some() { &mut old } else { &mut new };
            columns.add(task, slot)?;
            slot.version = Some(version);
            slot.before = Some(task.clone());
        }
        push!(queries, free, FREE_NAMES, args![free]);
        push!(queries, taken, TAKE_NAMES, {
            let names: Vec<_> = taken.iter().map(|(name, _)| name.clone()).collect();
            let lower: Vec<_> = taken.iter().map(|(name, _)| name.to_lowercase()).collect();
            args![names, lower, taken.iter().map(|(_, id)| *id).collect::<Vec<_>>()]
        });
        push!(queries, gone, "DELETE FROM #task WHERE id = ANY($1)", args![gone.clone()]);
        push!(queries, gone, "DELETE FROM #state WHERE task = ANY($1)", args![gone.clone()]);
        push!(queries, gone, "INSERT INTO #garbage SELECT unnest($1::uuid[])", args![gone]);
        queries.extend(define);
        let count = old.tasks.len();
        push!(queries, old.tasks, UPDATE, old.args().into_iter().chain(args![count]).collect());
        push!(queries, new.tasks, INSERT, new.args());
        push!(queries, held, HOLD, {
            let (tasks, whys): (Vec<_>, Vec<_>) = held.into_iter().unzip();
            args![tasks, whys]
        });
        Ok(())
    }

    fn push_rows(&self, queries: &mut Vec<Query>, writes: &Writes) -> Result<(), StoreError> {
        let of = |running: bool| {
            let rows = writes.rows.values();
            rows.filter(move |row| (row.status == ExecutionStatus::Running) == running).collect::<Vec<_>>()
        };
        let (running, ended) = (of(true), of(false));
        push!(queries, running, RUN, running_args(&running, self.member.id)?);
        push!(queries, writes.slots, HAS_SLOT, {
            let (ids, keys): (Vec<_>, Vec<_>) = writes.slots.clone().into_iter().unzip();
            args![ids, keys]
        });
        push!(queries, ended, NO_LONGER_RUN, args![ended.iter().map(|row| row.id).collect::<Vec<_>>()]);
        push!(queries, ended, KEEP, ended_args(&ended)?);
        push!(queries, writes.wishes, WISH, {
            let (ids, whose): (Vec<_>, Vec<_>) = writes.wishes.clone().into_iter().unzip();
            args![ids, whose]
        });
        push!(queries, writes.output, SAY, output_args(writes.output.values())?);
        push!(queries, writes.pruned, PRUNE, {
            let (tasks, surplus): (Vec<_>, Vec<_>) =
                writes.pruned.iter().map(|(task, n)| (*task, *n)).unzip();
            args![tasks, surplus]
        });
        Ok(())
    }
}

/// The bytes of the texts of a chunk.
fn bytes_of(output: &Output) -> i64 {
    let bytes: usize = output.lines.iter().map(|line| line.message.len()).sum();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn push_params(queries: &mut Vec<Query>, params: &[KeptParams]) -> Result<(), StoreError> {
    push!(queries, params, KEEP_PARAMS, {
        let tasks: Vec<_> = params.iter().map(|kept| kept.task).collect();
        let times: Vec<_> = params.iter().map(|kept| kept.time).collect();
        let hashes: Vec<_> = params.iter().map(|kept| kept.hash.clone()).collect();
        let documents = params.iter().map(|kept| encode(&kept.params)).collect::<Result<Vec<_>, _>>()?;
        args![tasks, times, hashes, documents]
    });
    push!(queries, params, PRUNE_PARAMS, {
        let tasks: Vec<_> = params.iter().map(|kept| kept.task).collect();
        args![tasks, crate::domain::draft::KEPT_APART]
    });
    Ok(())
}

/// The statement that writes the definition of a task.
pub(crate) fn define_query(task: &Task, version: i64) -> Result<Query, StoreError> {
    let definition = &task.definition;
    let (handler, tags) = (definition.handler.clone(), definition.tags.clone());
    let after = definition.after.map(|after| after.task_id);
    Ok(query(DEFINE, args![task.id, handler, tags, after, version, documents::definition(task)?]))
}

/// The key of a delivery.
pub(crate) fn alert_key(delivery: &Delivery) -> (i64, String, crate::domain::ids::AlertId) {
    let place = Place::of(delivery);
    let channel = if place == Place::Over { String::new() } else { delivery.alert.channel.clone() };
    (place_number(place), channel, delivery.alert.id)
}

/// The number of a part of the outbox.
pub(crate) fn place_number(place: Place) -> i64 {
    match place {
        Place::Pending => 0,
        Place::Held => 1,
        Place::Over => 2,
    }
}

/// The parameters of [`RUN`].
pub(crate) fn running_args(rows: &[&Execution], node: NodeId) -> Result<Vec<Arg>, StoreError> {
    let mut all = row_args(rows)?;
    all.extend(args![node]);
    Ok(all)
}

/// The parameters of [`KEEP`].
pub(crate) fn ended_args(rows: &[&Execution]) -> Result<Vec<Arg>, StoreError> {
    let mut all = row_args(rows)?;
    let statuses: Vec<_> = rows.iter().map(|row| documents::outcome(row.status)).collect();
    let reasons: Vec<_> = rows.iter().map(|row| documents::reason(row)).collect();
    let nodes: Vec<_> = rows.iter().map(|row| row.node).collect();
    all.extend(args![statuses, reasons, nodes]);
    Ok(all)
}

/// The parameters of [`SAY`].
pub(crate) fn output_args<'a>(
    output: impl Iterator<Item = &'a Output> + Clone,
) -> Result<Vec<Arg>, StoreError> {
    let ids: Vec<_> = output.clone().map(|output| output.execution).collect();
    let chunks: Vec<_> = output.clone().map(|output| i64::from(output.chunk)).collect();
    let sizes: Vec<_> = output.clone().map(bytes_of).collect();
    let lines = output.map(|output| encode(&output.lines)).collect::<Result<Vec<_>, _>>()?;
    Ok(args![ids, chunks, sizes, lines])
}

fn row_args(rows: &[&Execution]) -> Result<Vec<Arg>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let tasks: Vec<_> = rows.iter().map(|row| row.task_id).collect();
    let created: Vec<_> = rows.iter().map(|row| row.created_at).collect();
    let triggers: Vec<_> = rows.iter().map(|row| documents::trigger(row.trigger)).collect();
    let handlers: Vec<_> = rows.iter().map(|row| row.handler.clone()).collect();
    let times: Vec<_> = rows.iter().map(|row| row.scheduled_for).collect();
    let documents = rows.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    Ok(args![ids, tasks, created, triggers, handlers, times, documents])
}

/// The columns of the rows of `state`.
#[derive(Default)]
struct Columns {
    tasks: Vec<TaskId>,
    versions: Vec<i64>,
    priorities: Vec<i64>,
    due: Vec<Option<i64>>,
    next: Vec<Option<i64>>,
    alarms: Vec<Option<i64>>,
    updated: Vec<i64>,
    running: Vec<i64>,
    rests: Vec<i64>,
    handlers: Vec<String>,
    history: Vec<i64>,
    keyed: Vec<bool>,
    firing: Vec<bool>,
    untold: Vec<bool>,
    defined: Vec<i64>,
    facts: Vec<Vec<u8>>,
}

impl Columns {
    fn add(&mut self, task: &Task, slot: &Slot) -> Result<(), StoreError> {
        self.tasks.push(task.id);
        self.versions.push(slot.version.unwrap_or(1));
        self.priorities.push(i64::from(task.definition.priority));
        self.due.push(task.due());
        self.next.push(task.next_run());
        self.alarms.push(task.alarm_due());
        self.updated.push(task.updated_at);
        self.running.push(i64::try_from(task.facts.running.len()).unwrap_or(i64::MAX));
        self.rests.push(documents::status(task.resting()));
        self.handlers.push(task.definition.handler.clone());
        self.history.push(slot.history);
        self.keyed.push(task.waits_since().is_some());
        self.firing.push(task.is_firing());
        self.untold.push(!task.facts.untold.is_empty());
        self.defined.push(slot.defined);
        self.facts.push(documents::facts(task)?);
        Ok(())
    }

    fn args(self) -> Vec<Arg> {
        args![
            self.tasks,
            self.versions,
            self.priorities,
            self.due,
            self.next,
            self.alarms,
            self.updated,
            self.running,
            self.rests,
            self.handlers,
            self.history,
            self.keyed,
            self.firing,
            self.untold,
            self.defined,
            self.facts,
        ]
    }
}
