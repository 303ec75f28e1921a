//! Modules: files that a handler requires, asked of the server and compiled here.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2, v8};
use isochron::runtime::protocol::{Answer, FromRunner, HostCall, SourceKind};
use serde::Serialize;

use crate::runner::{
    modules::commonjs,
    run::session::{File, Session},
};

/// The server's answer to a `require`.
#[derive(Serialize, Default)]
struct RequireAnswer {
    index: u32,
    file: String,
    json: bool,
    error: Option<String>,
}

/// Asks the server for the file of a specifier; blocks JavaScript until the server answers.
#[op2]
#[serde]
pub(crate) fn op_isochron_module(
    state: &mut OpState,
    #[string] from: String,
    #[string] specifier: String,
) -> RequireAnswer {
    let session = state.borrow_mut::<Session>();
    let shared = session.shared.clone();
    let Some(run) = session.run.as_mut() else { return RequireAnswer::default() };
    let failed = |error: String| RequireAnswer { error: Some(error), ..RequireAnswer::default() };
    if let Err(refusal) = run.calls.admit() {
        return failed(refusal);
    }
    let (call, answer) = shared.calls.add_blocking();
    shared.outbox.send(&FromRunner::Call { call, question: HostCall::Module { from, specifier } });
    match answer.recv() {
        Err(_) => failed("the run was stopped".into()),
        Ok(Err(error)) => failed(error),
        Ok(Ok(Answer::Json(_) | Answer::Fetch(_))) => {
            failed("internal error: the server answered a require without a file".into())
        }
        Ok(Ok(Answer::Module(source))) => {
            let known = run.files.iter().position(|file| file.source.file == source.file);
            let answer = |index: usize| RequireAnswer {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                file: source.file.clone(),
                json: source.kind == SourceKind::Json,
                error: None,
            };
            match known {
                Some(index) => {
                    let answer = answer(index);
                    // The module threw before and is loaded anew, which takes its text again.
                    run.files[index].source = source;
                    answer
                }
                None => {
                    let answer = answer(run.files.len());
                    run.files.push(File { source, uncached: None });
                    answer
                }
            }
        }
    }
}

/// Compiles a loaded file: `[function]`, or `[undefined, error, text, position]`.
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
    let file = session.run.as_mut().and_then(|run| run.files.get_mut(index as usize));
    file.map(|file| std::mem::take(&mut file.source.text)).unwrap_or_default()
}
