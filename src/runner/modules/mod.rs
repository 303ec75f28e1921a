//! Modules of a handler: how a file becomes a function or a module of V8's.
//!
//! `30_modules.js` decides which file is loaded when; here are the steps that only V8 can do. CommonJS
//! modules are functions ([`commonjs`]), ES modules are V8's own ([`esm`]), and V8 calls back for
//! `import()` and `import.meta` ([`imports`]).

pub(crate) mod commonjs;
mod compiled;
pub(crate) mod esm;
mod hook;
pub(crate) mod imports;
pub(crate) mod table;
