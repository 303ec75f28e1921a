//! Warm-ups. The first is a few runs while the snapshot is built: functions that have run keep their
//! bytecode in the snapshot, which saves every run 0.3 ms of compiling. The second is one run in a
//! process that will put its memory back: what a process makes once would be made in each of its runs.

use std::{rc::Rc, sync::Arc, time::Duration};

use crate::runner::{
    isolate::fresh::Isolate,
    run::{
        drive::{RunContext, run},
        entries::{Entries, call_with_flag},
        session::{Purpose, Session},
    },
    watchdog::{
        link::{Outbox, PendingCalls},
        supervisor::Shared,
        watch::Watch,
    },
};
use deno_core::{JsRuntime, futures::executor::block_on};
use isochron::runtime::protocol::{Context, Mode, Run, Settings, Source, SourceKind};

/// Handlers that take the common paths through `runtime-js`. None formats a value: deno_web's
/// console has a native half that no snapshot can hold.
const HANDLERS: [&str; 4] = [
    "module.exports = async (params, ctx) => { console.log('x'); await null; return { a: [1] } }",
    "exports.default = () => ({ success: false, error: 'x' })",
    "module.exports = async () => { throw new TypeError('x') }",
    "module.exports = () => 'x'.repeat(100)",
];

/// A handler that has the process make what it makes once: the tables of ICU above all (24 ms).
const ONCE: &str = "module.exports = async () => {
    console.log('x', { a: [1] }, new Map([[1, new Error('e')]]));
    const all = { weekday: 'long', month: 'long', hour: 'numeric', timeZone: 'Europe/Berlin', timeZoneName: 'long' };
    new Date(0).toLocaleString('en-GB', all);
    new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).format(1.5);
    ['b', 'a'].sort(new Intl.Collator('en').compare);
    'a\\u0301'.normalize('NFC').toLocaleUpperCase('en').split(/\\p{L}/iu);
    structuredClone(new URL('https://a.example/?b=c').searchParams.size);
    new TextDecoder().decode(new TextEncoder().encode('x'));
    await new Promise((go) => setTimeout(go, 1));
};";

/// Has this process make what it makes once, in an isolate that is dropped. Nothing of it is seen by
/// anyone, whether it succeeds or not.
pub(crate) async fn warm_process(snapshot: &'static [u8], settings: &Rc<Settings>) {
    let Ok(shared) = nowhere() else { return };
    let mut isolate = Isolate::new(snapshot, settings, &shared);
    let Isolate { entries, runtime } = &mut isolate;
    run(RunContext { runtime, entries, shared: &shared, settings }, request(ONCE)).await;
}

/// What a run shares with no one.
fn nowhere() -> std::io::Result<Shared> {
    Ok(Shared {
        watch: Arc::new(Watch::new(Duration::MAX)?),
        outbox: Arc::new(Outbox::silent()),
        calls: Arc::new(PendingCalls::default()),
        pump: None,
    })
}

/// Runs [`HANDLERS`] and clears their state.
///
/// # Panics
/// When the system gives no event descriptor.
pub(crate) fn warm_up(runtime: &mut JsRuntime) {
    let settings = Rc::new(Settings {
        heap: 0,
        buffers: 0,
        cpu: 0,
        output_bytes: 10,
        output_lines: 10,
        result: 50,
        web_assembly: false,
        eval: false,
        rewind: false,
    });
    let shared = nowhere().expect("an event descriptor");
    let session =
        Session { purpose: Purpose::WarmUp, shared: shared.clone(), settings: settings.clone(), run: None };
    runtime.op_state().borrow_mut().put(session);
    let entries = Entries::take(runtime);
    for handler in HANDLERS {
        let (shared, settings, entries) = (&shared, &*settings, &entries);
        block_on(run(RunContext { runtime, entries, shared, settings }, request(handler)));
        call_with_flag(runtime, "forget", true);
    }
    drop(entries);
    runtime.op_state().borrow_mut().take::<Session>();
}

fn request(handler: &str) -> Run {
    let text = handler.to_owned();
    let file = "warmup.js".to_owned();
    Run {
        run: 0,
        mode: Mode::Call,
        entry: Source { file, kind: SourceKind::Script, text, hash: [0; 32], names: Vec::new(), cache: None },
        params: "{}".to_owned(),
        context: Context::default(),
        timeout: 0,
        system: false,
        environment: Vec::new(),
    }
}
