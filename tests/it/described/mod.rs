//! The description of the API for programs, `/openapi.json`, against the server that gives it.

mod names;
mod schemathesis;
