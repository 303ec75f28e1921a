//! Does what a handler keeps stay, where it should, and go when it should?

mod kv;
mod routes;
mod steps;
