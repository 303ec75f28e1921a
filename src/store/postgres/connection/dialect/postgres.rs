//! PostgreSQL's own statements.

use super::Dialect;

/// Bitmap scans do not clear an index of the entries of removed rows, of which `running` gets one with every end.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '2s'; \
    SET LOCAL statement_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '5s'; \
    SET LOCAL enable_bitmapscan = off";

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
    sizes: SIZES,
    before_tables: "",
    after_tables: STORAGE,
    makes_tables_at_once: true,
    hears: true,
    leaves_out: &[],
};
