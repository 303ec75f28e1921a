//! `CockroachDB`'s statements. Its transactions are serializable, and its locks may be lost when a range moves: what keeps
//! two servers from one task is the version in the update of its row, and the one that comes second decides anew.

use super::Dialect;

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '2s'; \
    SET LOCAL statement_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// It tells no sizes in this way: all rows are counted, and the bytes are 0.
const SIZES: &str = "SELECT c.relname::text, (-1)::real, 0::int8 FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = $1";

pub(super) const COCKROACH: Dialect = Dialect {
    name: "cockroach",
    database: "CockroachDB",
    mark: Some("CockroachDB"),
    begin: BEGIN,
    sizes: SIZES,
    before_tables: "",
    after_tables: "",
    makes_tables_at_once: false,
    hears: false,
    // Its own order of texts is by their bytes; its SKIP LOCKED skips rows that are free too.
    leaves_out: &[" COLLATE \"C\"", " FOR UPDATE SKIP LOCKED"],
};
