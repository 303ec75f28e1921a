//! Dialects: the statements in which databases differ that take PostgreSQL's protocol. All others are one text for
//! every database.
//!
//! A dialect is chosen by a setting and not by the server, so that the statements of each run on PostgreSQL too, in the
//! tests of the contract. That is all that was tried of any but PostgreSQL's own.

mod cockroach;
mod postgres;
mod yugabyte;

use std::borrow::Cow;

use self::{cockroach::COCKROACH, postgres::POSTGRES, yugabyte::YUGABYTE};

/// All dialects; the first is the default.
const DIALECTS: [&Dialect; 3] = [&POSTGRES, &YUGABYTE, &COCKROACH];

/// The statements that a database has of its own.
#[derive(Debug)]
pub struct Dialect {
    /// Its name in `store.dialect`.
    pub name: &'static str,
    /// The database that it is meant for.
    pub(crate) database: &'static str,
    /// A part of the text by which that database tells its version, unless it is PostgreSQL's.
    mark: Option<&'static str>,
    /// Begins the transaction of a group. A process that is stopped within it holds its locks for five seconds at most.
    pub(crate) begin: &'static str,
    /// The tables of a schema, the parameter: name, estimate of its rows (`real`), bytes.
    pub(crate) sizes: &'static str,
    /// Run on the connection that makes the tables, before and after.
    pub(crate) before_tables: &'static str,
    pub(crate) after_tables: &'static str,
    /// Whether tables are made in one transaction. Otherwise each statement stands by itself, and may have been made
    /// before.
    pub(crate) makes_tables_at_once: bool,
    /// Whether connections hear words of one another.
    pub(crate) hears: bool,
    /// Parts of statements that the database does not know, and needs not.
    leaves_out: &'static [&'static str],
}

impl Dialect {
    /// The dialect of a name in `store.dialect`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        DIALECTS.into_iter().find(|dialect| dialect.name == name)
    }

    /// The dialect of the database that tells its version so.
    pub(crate) fn of_database(version: &str) -> &'static Self {
        let is_of = |dialect: &&Self| dialect.mark.is_some_and(|mark| version.contains(mark));
        DIALECTS.into_iter().find(is_of).unwrap_or_default()
    }

    /// A statement, without the parts that the database does not know.
    pub(crate) fn speak<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for part in self.leaves_out.iter().filter(|part| text.contains(**part)).collect::<Vec<_>>() {
            text = text.replace(part, "").into();
        }
        text
    }
}

impl Default for &'static Dialect {
    fn default() -> Self {
        &POSTGRES
    }
}
