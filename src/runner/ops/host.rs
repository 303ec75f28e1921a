//! Host calls: questions to the server that a promise waits for.

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2};
use isochron::runtime::protocol::{Answer, FromRunner, HostCall, parse_progress};

use crate::runner::run::session::Session;

/// Calls a function of the server, such as `system.get`: `(true, result as JSON)` or `(false, error)`.
#[op2]
#[serde]
pub(crate) async fn op_isochron_call(
    state: Rc<RefCell<OpState>>,
    #[string] function: String,
    #[string] argument: String,
) -> (bool, String) {
    if function == "progress" {
        return report_progress(&state, &argument);
    }
    let question = match HostCall::parse(&function, &argument) {
        Ok(call) => call,
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
        Ok(Ok(Answer::Modules(_) | Answer::Unresolved(_) | Answer::Fetch(_))) => {
            (false, "internal error: the server answered a call without JSON".into())
        }
        Ok(Err(error)) => (false, error),
        Err(_) => (false, "the run was stopped".into()),
    }
}

/// Sends the progress of the run. It needs no answer, so it is no call that counts.
fn report_progress(state: &Rc<RefCell<OpState>>, argument: &str) -> (bool, String) {
    match parse_progress(argument) {
        Ok(progress) => {
            let state = state.borrow();
            state.borrow::<Session>().shared.outbox.send(&FromRunner::Progress(progress));
            (true, "null".into())
        }
        Err(error) => (false, error),
    }
}
