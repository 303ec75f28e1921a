//! Modules: files that a handler requires or imports, asked of the server and compiled here.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2, v8};
use isochron::runtime::protocol::{Answer, FromRunner, HostCall, SourceKind, Unresolved, Way};
use serde::Serialize;

use crate::runner::{
    modules::{commonjs, esm},
    run::session::Session,
};

/// Bits of the last argument of `op_isochron_module`, as in `30_modules.js`.
const IMPORT: u32 = 1;
const AGAIN: u32 = 2;
const RESOLVE: u32 = 4;

/// The file that a specifier means.
#[derive(Serialize, Default)]
struct ModuleAnswer {
    index: u32,
    file: String,
    kind: u32,
    error: Option<String>,
    code: Option<String>,
}

impl From<Unresolved> for ModuleAnswer {
    fn from(Unresolved { code, text }: Unresolved) -> Self {
        Self { error: Some(text), code: Some(code), ..Self::default() }
    }
}

/// Finds the file of a specifier. Asks the server, unless an earlier answer has told; JavaScript stands
/// still until the server answers.
#[op2]
#[serde]
pub(crate) fn op_isochron_module(
    state: &mut OpState,
    #[string] from: String,
    #[string] specifier: String,
    #[smi] flags: u32,
) -> ModuleAnswer {
    let session = state.borrow_mut::<Session>();
    let shared = session.shared.clone();
    let Some(run) = session.run.as_mut() else { return ModuleAnswer::default() };
    let way = if flags & IMPORT == 0 { Way::Require } else { Way::Import };
    if flags & AGAIN == 0
        && let Some(index) = run.files.find(&from, way, &specifier)
    {
        return describe(session, index);
    }
    let failed = |error: String| ModuleAnswer { error: Some(error), ..ModuleAnswer::default() };
    if let Err(refusal) = run.calls.admit() {
        return failed(refusal);
    }
    let (call, answer) = shared.calls.add_blocking();
    let question = if flags & RESOLVE == 0 {
        HostCall::Module { from: from.clone(), specifier: specifier.clone(), way }
    } else {
        HostCall::Resolve { from: from.clone(), specifier: specifier.clone(), way }
    };
    shared.outbox.send(&FromRunner::Call { call, question });
    match shared.wait_for(&answer) {
        None => failed("the run was stopped".into()),
        Some(Err(error)) => failed(error),
        Some(Ok(Answer::Unresolved(unresolved))) => unresolved.into(),
        Some(Ok(Answer::Json(file))) if flags & RESOLVE != 0 => {
            let file = serde_json::from_str(&file).unwrap_or_default();
            ModuleAnswer { file, ..ModuleAnswer::default() }
        }
        Some(Ok(Answer::Modules(loaded))) => match run.files.add(loaded) {
            Some(index) => {
                run.files.link(from, way, specifier, index);
                describe(session, index)
            }
            None => failed("internal error: the server answered without a file".into()),
        },
        Some(Ok(Answer::Json(_) | Answer::Fetch(_))) => {
            failed("internal error: the server answered without a file".into())
        }
    }
}

fn describe(session: &Session, index: usize) -> ModuleAnswer {
    let described = session.run.as_ref().and_then(|run| run.files.describe(index));
    let Some((file, kind)) = described else { return ModuleAnswer::default() };
    ModuleAnswer {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        file: file.to_owned(),
        kind: match kind {
            SourceKind::Script => 0,
            SourceKind::Unmarked => 1,
            SourceKind::Module => 2,
            SourceKind::Json => 3,
        },
        error: None,
        code: None,
    }
}

/// Compiles a loaded file: `[function]`, `[]` for an ES module, or `[undefined, error, text, position]`.
#[op2(reentrant)]
pub(crate) fn op_isochron_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] index: u32,
) -> v8::Local<'s, v8::Array> {
    commonjs::compile_module(scope, &state, index as usize)
}

/// The text of a loaded JSON file.
#[op2]
#[string]
pub(crate) fn op_isochron_text(state: &mut OpState, #[smi] index: u32) -> String {
    let session = state.borrow_mut::<Session>();
    let run = session.run.as_mut();
    run.and_then(|run| run.files.take_text(index as usize)).unwrap_or_default()
}

/// The place of the first error of a JSON text: `3:14`, line and column.
#[op2]
#[string]
pub(crate) fn op_isochron_json_error(#[string] text: &str) -> String {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err();
    error.map_or_else(|| "1:1".to_owned(), |error| format!("{}:{}", error.line(), error.column()))
}

/// The names that a loaded CommonJS module exports, as far as its text shows them.
#[op2]
#[serde]
pub(crate) fn op_isochron_names(state: &mut OpState, #[smi] index: u32) -> Vec<String> {
    let run = state.borrow::<Session>().run.as_ref();
    run.map(|run| run.files.exported(index as usize)).unwrap_or_default()
}

/// Compiles a loaded file as an ES module: `[id, specifier, type, …]` or
/// `[undefined, error, text, position]`.
#[op2(reentrant)]
pub(crate) fn op_isochron_es_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] index: u32,
) -> v8::Local<'s, v8::Array> {
    esm::compile_es(scope, &state, index as usize)
}

/// Makes an ES module whose exports JavaScript gives; returns its id.
#[op2(reentrant)]
#[smi]
pub(crate) fn op_isochron_es_synthetic(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    #[serde] names: Vec<String>,
) -> u32 {
    u32::try_from(esm::make_synthetic(scope, &state, names)).unwrap_or(u32::MAX)
}

/// Notes the modules that the requests of a module mean: their specifiers, types and ids.
#[op2]
pub(crate) fn op_isochron_es_link(
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
    #[serde] targets: Vec<(String, String, usize)>,
) {
    esm::link(&state, id as usize, targets);
}

/// Instantiates a module: `[]` or `[undefined, error, text, position]`.
#[op2(reentrant)]
pub(crate) fn op_isochron_es_instantiate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
) -> v8::Local<'s, v8::Array> {
    esm::instantiate(scope, &state, id as usize)
}

/// Evaluates a module: `[promise]`; `[]` while it is evaluated already.
#[op2(reentrant)]
pub(crate) fn op_isochron_es_evaluate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
) -> v8::Local<'s, v8::Array> {
    esm::evaluate(scope, &state, id as usize).unwrap_or_else(|| v8::Array::new(scope, 0))
}

/// `[namespace, whether it or a module that it leads to has a top-level await]`
#[op2(reentrant)]
pub(crate) fn op_isochron_es_namespace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] id: u32,
) -> v8::Local<'s, v8::Array> {
    let undefined = v8::undefined(scope).into();
    let namespace = esm::namespace(scope, &state, id as usize).unwrap_or(undefined);
    let is_async = esm::is_async(scope, &state, id as usize);
    let is_async = v8::Boolean::new(scope, is_async).into();
    v8::Array::new_with_elements(scope, &[namespace, is_async])
}
