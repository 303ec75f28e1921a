//! The ops of `runtime-js`. No handler can reach them. As a second barrier they take plain values
//! and never panic or print.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use crate::runner::{
    modules::commonjs,
    ops::clone,
    run::{
        outcome,
        session::{File, LARGEST_RESULT, Session},
        stack,
    },
};
use deno_core::{OpState, op2, v8};
use isochron::{
    domain::execution::{Level, Reason, Trigger},
    runtime::protocol::{Answer, Context, End, FromRunner, HostCall, Mode, SourceKind, SystemCall},
};
use rand::{TryRng, rngs::SysRng};
use serde::Serialize;

deno_core::extension!(
    isochron_ops,
    deps = [deno_web],
    ops = [
        op_isochron_invocation,
        op_isochron_write,
        op_isochron_module,
        op_isochron_compile,
        op_isochron_text,
        op_isochron_system,
        op_isochron_signal,
        op_isochron_frames,
        op_isochron_checkpoint,
        op_isochron_end,
        op_isochron_clone,
        op_isochron_random,
        op_isochron_uuid,
        op_isochron_now,
        op_isochron_origin,
    ],
);

/// The run, as `40_run.js` receives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScriptInvocation {
    call: bool,
    system: bool,
    file: String,
    params: String,
    result_limit: f64,
    context: HandlerContext,
}

/// The handler's `ctx`, with JavaScript's numbers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HandlerContext {
    task_id: String,
    task_name: String,
    execution_id: String,
    attempt: u32,
    max_attempts: u32,
    trigger: Trigger,
    scheduled_for: f64,
}

impl From<&Context> for HandlerContext {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    fn from(context: &Context) -> Self {
        Self {
            task_id: context.task_id.clone(),
            task_name: context.task_name.clone(),
            execution_id: context.execution_id.clone(),
            attempt: context.attempt,
            max_attempts: context.max_attempts,
            trigger: context.trigger,
            scheduled_for: context.scheduled_for as f64,
        }
    }
}

#[op2]
#[serde]
fn op_isochron_invocation(state: &mut OpState) -> Option<ScriptInvocation> {
    let session = state.borrow_mut::<Session>();
    let run = session.run.as_mut()?;
    Some(ScriptInvocation {
        call: run.request.mode == Mode::Call,
        system: run.request.system,
        file: run.request.entry.file.clone(),
        params: std::mem::take(&mut run.request.params),
        result_limit: session.settings.result.min(LARGEST_RESULT) as f64,
        context: (&run.request.context).into(),
    })
}

/// Sends one line of output; `false` once the output limit is reached.
#[op2(nofast)]
fn op_isochron_write<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] level: u32,
    message: v8::Local<'s, v8::String>,
) -> bool {
    let room = state.borrow().borrow::<Session>().room();
    let Some(room) = room else { return state.borrow().borrow::<Session>().run.is_none() };
    let text = prefix(scope, message, room);
    let level = match level {
        0 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        4 => Level::Error,
        _ => Level::Log,
    };
    state.borrow_mut().borrow_mut::<Session>().write(level, text)
}

/// The beginning of a string, at most `room` bytes; the rest is not converted.
fn prefix<'s>(scope: &mut v8::PinScope<'s, '_>, text: v8::Local<'s, v8::String>, room: usize) -> String {
    // A UTF-16 unit is at most three bytes of UTF-8.
    if text.length() <= room / 3 {
        return text.to_rust_string_lossy(scope);
    }
    let mut bytes = vec![0; room.min(text.length().saturating_mul(3))];
    let written = text.write_utf8_v2(scope, &mut bytes, v8::WriteFlags::kReplaceInvalidUtf8, None);
    bytes.truncate(written);
    // V8 writes whole characters, so a cut text may be shorter than `room`. Spaces fill it up to
    // `room`, one byte over the limit, which tells `Session::write` that the text was cut.
    let cut = written < text.utf8_length(scope);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    while cut && text.len() < room {
        text.push(' ');
    }
    text
}

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
fn op_isochron_module(
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
        Ok(Ok(Answer::Json(_))) => {
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
fn op_isochron_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] index: u32,
) -> v8::Local<'s, v8::Array> {
    commonjs::compile_module(scope, &state, index as usize)
}

/// The text of a loaded JSON file.
#[op2]
#[string]
fn op_isochron_text(state: &mut OpState, #[smi] index: u32) -> String {
    let session = state.borrow_mut::<Session>();
    let file = session.run.as_mut().and_then(|run| run.files.get_mut(index as usize));
    file.map(|file| std::mem::take(&mut file.source.text)).unwrap_or_default()
}

/// Calls a function of `isochron:system`: `(true, result as JSON)` or `(false, error)`.
#[op2]
#[serde]
async fn op_isochron_system(
    state: Rc<RefCell<OpState>>,
    #[string] method: String,
    #[string] argument: String,
) -> (bool, String) {
    let question = match SystemCall::parse(&method, &argument) {
        Ok(call) => HostCall::System(call),
        Err(error) => return (false, error),
    };
    let (shared, admitted) = {
        let mut state = state.borrow_mut();
        let session = state.borrow_mut::<Session>();
        let Some(run) = session.run.as_mut() else { return (false, "no run".into()) };
        (session.shared.clone(), run.calls.admit_concurrent(argument.len()))
    };
    if let Err(refusal) = admitted {
        return (false, refusal);
    }
    let (call, answer) = shared.calls.add_awaiting();
    shared.outbox.send(&FromRunner::Call { call, question });
    let answer = answer.await;
    if let Some(run) = state.borrow_mut().borrow_mut::<Session>().run.as_mut() {
        run.calls.release();
    }
    match answer {
        Ok(Ok(Answer::Json(json))) => (true, json),
        Ok(Ok(Answer::Module(_))) => {
            (false, "internal error: the server answered a call without JSON".into())
        }
        Ok(Err(error)) => (false, error),
        Err(_) => (false, "the run was stopped".into()),
    }
}

/// Notes that the handler uses its signal. Returns 0, or the code of `Abort` if the signal is aborted.
#[op2(fast)]
#[smi]
fn op_isochron_signal(state: &mut OpState) -> u32 {
    let watch = &state.borrow::<Session>().shared.watch;
    watch.note_signal_use();
    watch.abort_reason().map_or(0, |abort| abort as u32)
}

/// The lines of a stack that are frames of the handler's own files.
#[op2]
#[string]
fn op_isochron_frames(state: &mut OpState, #[string] stack: &str) -> String {
    state.borrow::<Session>().run.as_ref().map(|run| run.frames(stack)).unwrap_or_default()
}

/// Records the end of the run, unless it has one already. The codes are those of `40_run.js`; an
/// empty stack or result means none.
#[op2(fast)]
fn op_isochron_end(
    state: &mut OpState,
    #[smi] code: u32,
    #[string] error: String,
    #[string] stack: String,
    #[string] result: String,
) {
    let Some(run) = state.borrow_mut::<Session>().run.as_mut() else { return };
    if run.end.is_some() {
        return;
    }
    let some = |text: String| (!text.is_empty()).then_some(text);
    let reason = match code {
        0 => return run.end = Some(End::Returned { result }),
        1 => return run.end = Some(End::Loaded),
        3 => Reason::ReturnedFailure,
        4 => Reason::BadResult,
        5 => Reason::LoadError,
        _ => Reason::Exception,
    };
    run.end = Some(End::Failed {
        reason,
        error: stack::cut(error, stack::LONGEST),
        stack: some(stack::cut(stack, stack::LONGEST)),
        result: some(result),
    });
}

/// `structuredClone`: `[clone]` or `[undefined, reason]`.
#[op2(reentrant)]
fn op_isochron_clone<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    value: v8::Local<'s, v8::Value>,
    transfer: v8::Local<'s, v8::Array>,
    brand: v8::Local<'s, v8::Symbol>,
    copy: v8::Local<'s, v8::Function>,
) -> v8::Local<'s, v8::Array> {
    let refused = outcome::refused_buffer(&state.borrow().borrow::<Session>().settings);
    let request = clone::Request { value, transfer, brand, copy };
    clone::clone(scope, &request, &refused).unwrap_or_else(|| v8::Array::new(scope, 0))
}

/// Stops JavaScript again if the run is stopped: native code may have caught its termination.
#[op2(nofast)]
fn op_isochron_checkpoint(scope: &mut v8::PinScope<'_, '_>, state: Rc<RefCell<OpState>>) {
    if state.borrow().borrow::<Session>().shared.watch.stop_reason().is_some() {
        scope.terminate_execution();
    }
}

/// Fills `bytes` from the system's random generator; `false` if it has none.
#[op2(fast)]
fn op_isochron_random(#[buffer] bytes: &mut [u8]) -> bool {
    SysRng.try_fill_bytes(bytes).is_ok()
}

/// A random UUID (version 4), or an empty text if the system has no random generator.
#[op2]
#[string]
fn op_isochron_uuid() -> String {
    let mut bytes = [0; 16];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return String::new();
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    text
}

/// Start of the run in milliseconds since 1970-01-01 UTC, with their fraction.
#[op2(fast)]
fn op_isochron_origin(state: &mut OpState) -> f64 {
    let run = state.borrow::<Session>().run.as_ref();
    run.map(|run| run.origin.as_secs_f64() * 1000.0).unwrap_or_default()
}

/// Milliseconds since the run started.
#[op2(fast)]
fn op_isochron_now(state: &mut OpState) -> f64 {
    let run = state.borrow::<Session>().run.as_ref();
    run.map(|run| run.elapsed().as_secs_f64() * 1000.0).unwrap_or_default()
}
