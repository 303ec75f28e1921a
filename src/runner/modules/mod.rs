//! Modules of a handler: how a file becomes a function.

pub(crate) mod commonjs;
