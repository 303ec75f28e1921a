//! One run, from the server's frame to its end.

use std::{cell::RefCell, future::poll_fn, rc::Rc, task::Poll};

use crate::runner::{
    isolate::engine,
    modules::commonjs,
    run::{
        entries::Entries,
        outcome,
        session::{CurrentRun, Session},
    },
    watchdog::{flags::Abort, interrupt, supervisor::Shared},
};
use deno_core::{JsRuntime, OpState, PollEventLoopOptions, v8};
use isochron::{
    domain::execution::Reason,
    runtime::protocol::{Done, End, Run, Settings},
};

/// Everything that a run needs besides its frame.
pub(crate) struct RunContext<'a> {
    /// A fresh isolate; after the run it is of no further use.
    pub(crate) runtime: &'a mut JsRuntime,
    /// The isolate's functions in `runtime-js`.
    pub(crate) entries: &'a Entries,
    /// State shared with the supervisor.
    pub(crate) shared: &'a Shared,
    /// The runner's limits.
    pub(crate) settings: &'a Settings,
}

/// Runs one handler.
pub(crate) async fn run(mut context: RunContext<'_>, run: Run) -> Done {
    let (id, timeout) = (run.run, run.timeout);
    let (shared, settings) = (context.shared, context.settings);
    let state = context.runtime.op_state();
    let running = CurrentRun::new(run, settings, context.entries.hook.clone());
    state.borrow_mut().borrow_mut::<Session>().run = Some(running);
    drop(interrupt::take_frames());

    let missing = drive(&mut context, &state).await.err();
    let returned = matches!(recorded_end(&state), Some(End::Returned { .. }));
    let caches = if returned && shared.watch.stop_reason().is_none() {
        deno_core::scope!(scope, context.runtime);
        commonjs::make_caches(scope, &state)
    } else {
        Vec::new()
    };
    let heap = context.runtime.v8_isolate().get_heap_statistics().used_heap_size();
    shared.watch.note_heap(heap as u64);
    let (stop, usage) = shared.watch.end_run();
    shared.calls.abandon();
    let end = match (stop, recorded_end(&state), missing) {
        (Some(stop), ..) => outcome::describe_stop(stop, settings, timeout, interrupt::take_frames()),
        (None, Some(end), _) => outcome::recognise_limit(end, settings),
        (None, None, Some(missing)) => missing.into_end(),
        (None, None, None) => NoEnd::NeverSettled.into_end(),
    };
    state.borrow_mut().borrow_mut::<Session>().run = None;
    Done { run: id, end, usage, caches }
}

fn recorded_end(state: &Rc<RefCell<OpState>>) -> Option<End> {
    state.borrow().borrow::<Session>().run.as_ref()?.end.clone()
}

fn has_ended(state: &Rc<RefCell<OpState>>) -> bool {
    state.borrow().borrow::<Session>().run.as_ref().is_some_and(|run| run.end.is_some())
}

/// Why `runtime-js` recorded no end of a run.
enum NoEnd {
    /// JavaScript was terminated; the watch knows why.
    Stopped,
    /// Nothing is pending that could settle the promise.
    NeverSettled,
    /// A script of `runtime-js` threw, as at the end of the stack.
    Threw(String),
}

impl NoEnd {
    fn into_end(self) -> End {
        let (reason, error) = match self {
            Self::Stopped => (Reason::Exception, "JavaScript stopped for no known reason".to_owned()),
            Self::NeverSettled => (Reason::NeverSettled, outcome::NEVER_SETTLED.to_owned()),
            Self::Threw(error) => (Reason::Exception, error),
        };
        End::Failed { reason, error, stack: None, result: None }
    }
}

/// Starts the handler and turns the event loop until the session has an end.
async fn drive(context: &mut RunContext<'_>, state: &Rc<RefCell<OpState>>) -> Result<(), NoEnd> {
    let (entries, watch) = (context.entries, &context.shared.watch);
    let promise = call(context, &entries.start, Argument::None)?;
    let Some(promise) = promise else { return Ok(()) };
    let mut aborted = false;
    loop {
        match turn(context, state, &promise, aborted).await {
            Turn::Ended => return Ok(()),
            Turn::Stopped => return Err(NoEnd::Stopped),
            Turn::Settled { fulfilled } => {
                let then = if fulfilled { &entries.finish } else { &entries.fail };
                call(context, then, Argument::ResultOf(&promise))?;
                return Ok(());
            }
            Turn::Abort(why) => {
                aborted = true;
                call(context, &entries.abort, Argument::Abort(why))?;
            }
            Turn::Idle if watch.is_signal_used() && !aborted => {
                // The handler uses the signal, and the abort is still to come.
                if watch.abort_reason().is_none() && watch.stop_reason().is_none() {
                    watch.wake.notified().await;
                }
            }
            Turn::Idle => return Err(NoEnd::NeverSettled),
        }
    }
}

/// The result of turning the event loop.
enum Turn {
    Ended,
    Stopped,
    Settled { fulfilled: bool },
    Abort(Abort),
    Idle,
}

async fn turn(
    context: &mut RunContext<'_>,
    state: &Rc<RefCell<OpState>>,
    promise: &v8::Global<v8::Promise>,
    aborted: bool,
) -> Turn {
    let watch = &context.shared.watch;
    let mut woken = std::pin::pin!(watch.wake.notified());
    poll_fn(|cx| {
        // Register for the next wake-up before reading the state that it announces.
        if woken.as_mut().poll(cx).is_ready() {
            woken.set(watch.wake.notified());
            cx.waker().wake_by_ref();
        }
        if watch.stop_reason().is_some() {
            return Poll::Ready(Turn::Stopped);
        }
        if let Some(why) = watch.abort_reason().filter(|_| !aborted && watch.is_signal_used()) {
            return Poll::Ready(Turn::Abort(why));
        }
        let polled = context.runtime.poll_event_loop(cx, PollEventLoopOptions::default());
        let tasks = engine::run_tasks(context.runtime.v8_isolate(), || watch.stop_reason().is_some());
        if watch.stop_reason().is_some() {
            return Poll::Ready(Turn::Stopped);
        }
        if has_ended(state) {
            return Poll::Ready(Turn::Ended);
        }
        match promise.open(context.runtime.v8_isolate()).state() {
            v8::PromiseState::Fulfilled => return Poll::Ready(Turn::Settled { fulfilled: true }),
            v8::PromiseState::Rejected => return Poll::Ready(Turn::Settled { fulfilled: false }),
            v8::PromiseState::Pending => {}
        }
        match polled {
            _ if tasks => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(()) | Err(_)) => Poll::Ready(Turn::Idle),
        }
    })
    .await
}

#[derive(Clone, Copy)]
enum Argument<'a> {
    None,
    Abort(Abort),
    ResultOf(&'a v8::Global<v8::Promise>),
}

/// Calls a function of `runtime-js`; returns its promise, if it returns one.
fn call(
    context: &mut RunContext<'_>,
    function: &v8::Global<v8::Function>,
    argument: Argument<'_>,
) -> Result<Option<v8::Global<v8::Promise>>, NoEnd> {
    let watch = &context.shared.watch;
    if watch.stop_reason().is_some() {
        return Err(NoEnd::Stopped);
    }
    deno_core::scope!(scope, context.runtime);
    v8::tc_scope!(let tc, scope);
    let argument = match argument {
        Argument::None => v8::undefined(tc).into(),
        Argument::Abort(why) => v8::Integer::new_from_unsigned(tc, why as u32).into(),
        Argument::ResultOf(promise) => v8::Local::new(tc, promise).result(tc),
    };
    let this = v8::undefined(tc).into();
    let returned = function.open(tc).call(tc, this, &[argument]);
    if watch.stop_reason().is_some() {
        return Err(NoEnd::Stopped);
    }
    match returned {
        Some(value) => {
            let promise = v8::Local::<v8::Promise>::try_from(value).ok();
            Ok(promise.map(|promise| v8::Global::new(tc, promise)))
        }
        None if tc.has_terminated() => Err(NoEnd::Stopped),
        None => {
            let text = tc.message().map(|message| message.get(tc).to_rust_string_lossy(tc));
            Err(NoEnd::Threw(text.unwrap_or_else(|| "an unknown error".to_owned())))
        }
    }
}
