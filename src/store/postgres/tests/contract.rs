//! The contract of every store.

use std::{path::Path, sync::Arc};

use super::server::server;
use crate::store::{Now, Store, contract::passes, postgres::PgStore};

/// Opens the schema that stands for a directory.
fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    let server = server().expect("a server");
    let store = PgStore::open_with(server.of_directory(directory), Some(now));
    Arc::new(store.unwrap_or_else(|error| panic!("it opens: {error}")))
}

fn is_there() -> bool {
    server().is_some()
}

passes!(super::open, super::is_there());
