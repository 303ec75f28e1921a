//! The run itself: what it is given, its signal, its frames, its end.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use deno_core::{OpState, op2, v8};
use isochron::{
    domain::execution::{Reason, Trigger},
    runtime::protocol::{Context, End, Mode, SourceKind},
};
use serde::Serialize;

use crate::runner::run::{
    session::{LARGEST_RESULT, Session},
    stack,
};

/// The run, as `40_run.js` receives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScriptInvocation {
    call: bool,
    system: bool,
    file: String,
    /// Whether the file is surely an ES module.
    module: bool,
    params: String,
    result_limit: f64,
    context: HandlerContext,
    /// Variables of `process.env`; absent if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    /// The errors of variables that cannot be read; absent if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unreadable: BTreeMap<String, String>,
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
    /// Absent unless traces are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// JSON.
    after: Option<String>,
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
            traceparent: context.traceparent.clone(),
            after: context.after.clone(),
        }
    }
}

#[op2]
#[serde]
pub(crate) fn op_isochron_invocation(state: &mut OpState) -> Option<ScriptInvocation> {
    let session = state.borrow_mut::<Session>();
    let run = session.run.as_mut()?;
    let (mut environment, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in std::mem::take(&mut run.request.environment) {
        match value {
            Ok(value) => environment.insert(name, value),
            Err(error) => unreadable.insert(name, error),
        };
    }
    Some(ScriptInvocation {
        call: run.request.mode == Mode::Call,
        system: run.request.system,
        file: run.request.entry.file.clone(),
        module: run.request.entry.kind == SourceKind::Module,
        params: std::mem::take(&mut run.request.params),
        result_limit: session.settings.result.min(LARGEST_RESULT) as f64,
        context: (&run.request.context).into(),
        environment,
        unreadable,
    })
}

/// Notes that the handler uses its signal. Returns 0, or the code of `Abort` if the signal is aborted.
#[op2(fast)]
#[smi]
pub(crate) fn op_isochron_signal(state: &mut OpState) -> u32 {
    let watch = &state.borrow::<Session>().shared.watch;
    watch.note_signal_use();
    watch.abort_reason().map_or(0, |abort| abort as u32)
}

/// The lines of a stack that are frames of the handler's own files.
#[op2]
#[string]
pub(crate) fn op_isochron_frames(state: &mut OpState, #[string] stack: &str) -> String {
    state.borrow::<Session>().run.as_ref().map(|run| run.frames(stack)).unwrap_or_default()
}

/// Records the end of the run, unless it has one already. The codes are those of `40_run.js`; an
/// empty stack or result means none.
#[op2(fast)]
pub(crate) fn op_isochron_end(
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

/// Stops JavaScript again if the run is stopped: native code may have caught its termination.
#[op2(nofast)]
pub(crate) fn op_isochron_checkpoint(scope: &mut v8::PinScope<'_, '_>, state: Rc<RefCell<OpState>>) {
    if state.borrow().borrow::<Session>().shared.watch.stop_reason().is_some() {
        scope.terminate_execution();
    }
}
