//! `fetch`: requests that the server makes. The scripts choose a number for each request, unique
//! within the run.

use std::{cell::RefCell, rc::Rc, time::Duration};

use deno_core::{ByteString, JsBuffer, OpState, op2};
use isochron::runtime::protocol::{
    Answer, FETCHES_OPEN, FetchAnswer, FetchBody, FetchCall, FetchError, FetchHead, FetchRedirect,
    FetchRequest, FromRunner, HostCall, Part,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::runner::run::{
    fetches::{Arrived, Fetches},
    session::Session,
};

type State = Rc<RefCell<OpState>>;

/// A request beyond those that may be open fails when no body has been read for this long.
const UNREAD: Duration = Duration::from_secs(5);

/// A request, as the scripts give it; a body of bytes is an argument of its own.
#[derive(Deserialize)]
pub(crate) struct ScriptRequest {
    method: String,
    url: String,
    headers: Vec<(ByteString, ByteString)>,
    redirect: FetchRedirect,
    /// Whether the body is a stream.
    stream: bool,
}

/// A head or a failure, as the scripts get it.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScriptResponse {
    status: u16,
    status_text: ByteString,
    url: String,
    redirected: bool,
    headers: Vec<(ByteString, ByteString)>,
    error: Option<ScriptError>,
}

/// A failure, as the scripts get it.
#[derive(Serialize)]
pub(crate) struct ScriptError {
    kind: String,
    code: Option<String>,
    message: String,
}

impl From<FetchError> for ScriptError {
    fn from(FetchError { kind, code, message }: FetchError) -> Self {
        Self { kind, code, message }
    }
}

/// Sends a request; the promise is for the head of its response.
#[op2]
#[serde]
pub(crate) async fn op_isochron_fetch(
    state: Rc<RefCell<OpState>>,
    #[smi] fetch: u32,
    #[serde] request: ScriptRequest,
    #[buffer] body: Option<JsBuffer>,
) -> ScriptResponse {
    let sent = start(&state, fetch, request, body).await;
    sent.unwrap_or_else(|error| ScriptResponse { error: Some(error.into()), ..ScriptResponse::default() })
}

async fn start(
    state: &State,
    fetch: u32,
    request: ScriptRequest,
    body: Option<JsBuffer>,
) -> Result<ScriptResponse, FetchError> {
    let turns = with(state, |fetches| {
        fetches.wait(fetch);
        fetches.turns.clone()
    })?;
    let turn = turns.acquire_owned().await;
    let has_room = wait_for_room(state, fetch).await?;
    if !with(state, |fetches| fetches.begin(fetch))? {
        with(state, |fetches| fetches.close(fetch))?;
        return Err(failed("cancelled", "the request was cancelled"));
    }
    if !has_room {
        return Err(failed("limit", &too_many_open()));
    }
    let request = Box::new(to_request(request, body));
    let answered = ask(state, FetchCall::Start { fetch, request }).await;
    drop(turn);
    if answered.is_err() {
        with(state, |fetches| fetches.close(fetch))?;
    }
    let FetchAnswer::Head(head) = answered? else { return Err(unexpected()) };
    let FetchHead { status, status_text, url, redirected, headers, first, complete } = *head;
    with(state, |fetches| fetches.put(fetch, Arrived { part: first.0, last: complete }))?;
    let headers = headers.into_iter().map(|(name, value)| (name.into(), value.0.into())).collect();
    Ok(ScriptResponse { status, status_text: status_text.0.into(), url, redirected, headers, error: None })
}

/// Waits until fewer requests are open; `false` if their bodies are not read meanwhile.
async fn wait_for_room(state: &State, fetch: u32) -> Result<bool, FetchError> {
    let closed = with(state, |fetches| fetches.closed.clone())?;
    loop {
        let changed = closed.notified();
        if with(state, |fetches| fetches.open(fetch))? {
            return Ok(true);
        }
        if timeout(UNREAD, changed).await.is_err() && with(state, |fetches| fetches.are_unread_for(UNREAD))? {
            return Ok(false);
        }
    }
}

fn too_many_open() -> String {
    format!(
        "{FETCHES_OPEN} requests are open, the most that may be, and no body of theirs has been read for {} s: \
         read the bodies of their responses, or cancel them",
        UNREAD.as_secs()
    )
}

fn to_request(request: ScriptRequest, body: Option<JsBuffer>) -> FetchRequest {
    let ScriptRequest { method, url, headers, redirect, stream } = request;
    let header = |(name, value): (ByteString, ByteString)| {
        (String::from_utf8_lossy(&name).into_owned(), Part(value.to_vec()))
    };
    let headers = headers.into_iter().map(header).collect();
    let body = match body {
        Some(bytes) => FetchBody::Bytes(Part(bytes.to_vec())),
        None if stream => FetchBody::Stream,
        None => FetchBody::None,
    };
    FetchRequest { method, url, headers, redirect, body }
}

/// Sends a part of a body that is a stream, or its end (`null`); the promise is for the room for
/// the next one, or for an error.
#[op2]
#[serde]
pub(crate) async fn op_isochron_fetch_write(
    state: Rc<RefCell<OpState>>,
    #[smi] fetch: u32,
    #[buffer] part: Option<JsBuffer>,
) -> Option<ScriptError> {
    write(&state, fetch, part).await.err().map(ScriptError::from)
}

async fn write(state: &State, fetch: u32, part: Option<JsBuffer>) -> Result<FetchAnswer, FetchError> {
    while let Some(begun) =
        with(state, |fetches| fetches.is_waiting(fetch).then(|| fetches.begun.clone().notified_owned()))?
    {
        begun.await;
    }
    let part = part.map(|bytes| Part(bytes.to_vec()));
    ask(state, FetchCall::Write { fetch, part }).await
}

/// Reads the next bytes of a response's body into `into`: `[bytes, error]`, with 0 bytes at the end.
/// The memory is the script's, because V8 counts only buffers that scripts allocate.
#[op2]
#[serde]
pub(crate) async fn op_isochron_fetch_read(
    state: Rc<RefCell<OpState>>,
    #[smi] fetch: u32,
    #[buffer] mut into: JsBuffer,
) -> (u32, Option<ScriptError>) {
    match read(&state, fetch, &mut into).await {
        Ok(bytes) => (u32::try_from(bytes).unwrap_or(u32::MAX), None),
        Err(error) => (0, Some(error.into())),
    }
}

async fn read(state: &State, fetch: u32, into: &mut [u8]) -> Result<usize, FetchError> {
    loop {
        if let Some(bytes) = with(state, |fetches| fetches.take(fetch, into))? {
            return Ok(bytes);
        }
        let answered = ask(state, FetchCall::Read { fetch }).await;
        if answered.is_err() {
            with(state, |fetches| fetches.close(fetch))?;
        }
        let FetchAnswer::Part(part) = answered? else { return Err(unexpected()) };
        let last = part.is_none();
        let part = part.unwrap_or_default().0;
        with(state, |fetches| fetches.put(fetch, Arrived { part, last }))?;
    }
}

/// Ends a request and its response, at whatever stage it is.
#[op2]
pub(crate) async fn op_isochron_fetch_cancel(state: Rc<RefCell<OpState>>, #[smi] fetch: u32) {
    if with(&state, |fetches| fetches.cancel(fetch)) == Ok(true) {
        // It ends in any case, at the latest with the run.
        drop(ask(&state, FetchCall::Cancel { fetch }).await);
        // Without a run there is nothing left to note.
        let _ = with(&state, |fetches| fetches.close(fetch));
    }
}

fn with<T>(state: &State, work: impl FnOnce(&mut Fetches) -> T) -> Result<T, FetchError> {
    let mut state = state.borrow_mut();
    let run = state.borrow_mut::<Session>().run.as_mut();
    run.map(|run| work(run.fetches.get_or_insert_default())).ok_or_else(stopped)
}

async fn ask(state: &State, call: FetchCall) -> Result<FetchAnswer, FetchError> {
    let cancels = matches!(call, FetchCall::Cancel { .. });
    let permits =
        with(state, |fetches| if cancels { fetches.cancels.clone() } else { fetches.calls.clone() })?;
    let permit = permits.acquire_owned().await;
    if !with(state, Fetches::admit)? {
        return Err(failed("limit", "the run has read and written too many parts of bodies"));
    }
    let shared = state.borrow().borrow::<Session>().shared.clone();
    let (number, answer) = shared.calls.add_awaiting();
    shared.outbox.send(&FromRunner::Call { call: number, question: HostCall::Fetch(call) });
    let answer = answer.await;
    drop(permit);
    match answer {
        Ok(Ok(Answer::Fetch(FetchAnswer::Failed(error)))) => Err(error),
        Ok(Ok(Answer::Fetch(answer))) => Ok(answer),
        Ok(Ok(_)) => Err(unexpected()),
        Ok(Err(message)) => Err(failed("limit", &message)),
        Err(_) => Err(stopped()),
    }
}

fn failed(kind: &str, message: &str) -> FetchError {
    FetchError { kind: kind.to_owned(), code: None, message: message.to_owned() }
}

fn stopped() -> FetchError {
    failed("cancelled", "the run was stopped")
}

fn unexpected() -> FetchError {
    failed("protocol", "internal error: the server answered something else")
}
