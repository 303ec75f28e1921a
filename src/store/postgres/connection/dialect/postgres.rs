//! PostgreSQL's own statements.

use super::Dialect;

/// Bitmap scans do not clear an index of the entries of removed rows, of which `running` gets one with every end.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '2s'; \
    SET LOCAL statement_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '5s'; \
    SET LOCAL enable_bitmapscan = off";

/// Locks due tasks that no other transaction has locked. The scan of a priority stops as soon as there are enough.
pub(super) const CLAIM: &str = "WITH n AS MATERIALIZED (
      SELECT coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000)::int8) + $2 AS until),
    d AS MATERIALIZED (SELECT x.* FROM generate_series(10, -10, -1) p(priority) CROSS JOIN LATERAL (
        SELECT task, version, history, defined, facts FROM #state s
        WHERE s.priority = p.priority AND s.due <= (SELECT until FROM n) AND s.held IS NULL
        ORDER BY s.due, s.task LIMIT $3 FOR UPDATE SKIP LOCKED) x LIMIT $3)
    SELECT d.task, d.version, d.history, d.defined, t.version, t.definition, d.facts
    FROM d JOIN #task t ON t.id = d.task";

pub(super) const SIZES: &str =
    "SELECT c.relname::text, c.reltuples, pg_total_relation_size(c.oid) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = $1";

/// Room in the pages for changed rows, and removed ones cleared away early.
const STORAGE: &str = "
    ALTER TABLE #node SET (fillfactor = 20);
    ALTER TABLE #state SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE #running SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
      autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE #execution SET (autovacuum_vacuum_scale_factor = 0.02);
    ALTER TABLE #counter SET (fillfactor = 50);
    ALTER TABLE #activity SET (fillfactor = 50)";

pub(super) const POSTGRES: Dialect = Dialect {
    name: "postgres",
    database: "PostgreSQL",
    mark: None,
    begin: BEGIN,
    claim: CLAIM,
    sizes: SIZES,
    before_tables: "",
    after_tables: STORAGE,
    makes_tables_at_once: true,
    hears: true,
    leaves_out: &[],
};
