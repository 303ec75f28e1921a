//! `YugabyteDB`'s statements: PostgreSQL's, but for the making of tables, which is in no transaction there, and the words
//! between connections, which few of its versions have.

use super::{
    Dialect,
    postgres::{BEGIN, SIZES},
};

/// Keys are kept in their order and not by a hash: lists go by them. Where the setting is unknown, nothing is set.
const IN_ORDER: &str = "SELECT set_config(name, 'off', false) FROM pg_settings
    WHERE name = 'yb_use_hash_splitting_by_default'";

pub(super) const YUGABYTE: Dialect = Dialect {
    name: "yugabyte",
    database: "YugabyteDB",
    mark: Some("-YB-"),
    begin: BEGIN,
    sizes: SIZES,
    before_tables: IN_ORDER,
    after_tables: "",
    makes_tables_at_once: false,
    hears: false,
    leaves_out: &[],
};
