//! Executions of all tasks: the list ([`list`](mod@list)), one of them ([`execution`]), the sources that they ran
//! from ([`sources`]), and the search for tasks, handlers and ids ([`search`]).

pub(in crate::api) mod execution;
pub(in crate::api) mod list;
pub(in crate::api) mod search;
pub(in crate::api) mod sources;
