//! The contract of every store.

use std::{path::Path, sync::Arc};

use super::server::{Server, server};
use crate::store::{
    Now, Store,
    contract::{Bench, copies::a_copy_moves_to_another_backend_and_back, nodes::joined, passes, shares},
};

/// Opens the schema that stands for a directory.
fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    let server = server().expect("a server");
    let store = super::server::open(server.settings(&Server::schema_of(directory)), Some(now));
    joined(Arc::new(store.unwrap_or_else(|error| panic!("it opens: {error}"))))
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
