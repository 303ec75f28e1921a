//! The hook: the one function of `30_modules.js` that V8's callbacks call.

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, v8};

use crate::runner::run::session::with_run;

/// Codes of the hook's first argument, as in `30_modules.js`.
pub(super) const EVALUATE: u32 = 0;
pub(super) const IMPORT: u32 = 1;
pub(super) const META: u32 = 2;

/// Calls the hook. `None` with an exception pending when it throws, without one when there is no run.
pub(super) fn call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    code: u32,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    let hook = with_run(state, |run| run.hook.clone()).flatten()?;
    let code = v8::Integer::new_from_unsigned(scope, code).into();
    let arguments: Vec<_> = std::iter::once(code).chain(arguments.iter().copied()).collect();
    let this = v8::undefined(scope).into();
    hook.open(scope).call(scope, this, &arguments)
}
