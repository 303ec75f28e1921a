//! The contract of every store, with the statements of each dialect.

use std::{path::Path, sync::Arc};

use super::server::{Server, server};
use crate::store::{
    Now, Store,
    contract::{Bench, copies::a_copy_moves_to_another_backend_and_back, nodes::joined, passes, shares},
    postgres::Dialect,
};

/// Opens the schema that stands for a directory, in a dialect.
fn open_in(dialect: &str, directory: &Path, now: Now) -> Arc<dyn Store> {
    let server = server().expect("a server");
    let mut settings = server.settings(&format!("{}_{dialect}", Server::schema_of(directory)));
    settings.dialect = Dialect::named(dialect).expect("a dialect");
    let store = super::server::open(settings, Some(now));
    joined(Arc::new(store.unwrap_or_else(|error| panic!("it opens: {error}"))))
}

fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    open_in("postgres", directory, now)
}

fn is_there() -> bool {
    server().is_some()
}

passes!(super::open, super::is_there());
shares!(super::open, super::is_there());

#[test]
fn a_copy_of_an_embedded_store_is_taken_in_and_back() {
    if is_there() {
        let mut bench = Bench::new(crate::store::sled::tests::open_at);
        a_copy_moves_to_another_backend_and_back(&mut bench, open);
    }
}

/// PostgreSQL's own statements over tables that were made one by one.
mod yugabyte {
    use super::*;

    fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
        open_in("yugabyte", directory, now)
    }

    shares!(super::open, super::is_there());
}

/// The statements for another database, which PostgreSQL understands too.
mod cockroach {
    use super::*;

    fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
        open_in("cockroach", directory, now)
    }

    passes!(super::open, super::is_there());
    shares!(super::open, super::is_there());
}
