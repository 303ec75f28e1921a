//! Opening: checks of the server, the tables, and the row of this process among the nodes.

mod checks;
mod join;
mod migrate;

#[cfg(test)]
pub(crate) use self::migrate::{AHEAD, VERSION, migrate_by};
pub(crate) use self::{
    checks::check,
    join::{Member, Resumed, give_up, join, note, open, resume},
    migrate::{TABLES, migrate},
};
