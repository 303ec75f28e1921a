//! Ops: the calls that `runtime-js` makes into the runner, a file per concern. No handler can reach
//! them. As a second barrier they take plain values and never panic or print.

mod clone;
mod console;
mod crypto;
mod fetch;
mod hash;
mod host;
mod library;
mod modules;
mod native;
mod run;
mod time;

deno_core::extension!(
    isochron_ops,
    deps = [deno_web],
    ops = [
        run::op_isochron_invocation,
        console::op_isochron_write,
        library::op_isochron_library,
        modules::op_isochron_module,
        modules::op_isochron_compile,
        modules::op_isochron_text,
        modules::op_isochron_json_error,
        modules::op_isochron_names,
        modules::op_isochron_es_compile,
        modules::op_isochron_es_synthetic,
        modules::op_isochron_es_link,
        modules::op_isochron_es_instantiate,
        modules::op_isochron_es_evaluate,
        modules::op_isochron_es_namespace,
        host::op_isochron_call,
        fetch::op_isochron_fetch,
        fetch::op_isochron_fetch_write,
        fetch::op_isochron_fetch_read,
        fetch::op_isochron_fetch_cancel,
        native::op_isochron_native,
        run::op_isochron_signal,
        run::op_isochron_frames,
        run::op_isochron_checkpoint,
        run::op_isochron_end,
        clone::op_isochron_clone,
        crypto::op_isochron_random,
        crypto::op_isochron_uuid,
        hash::op_isochron_hash,
        hash::op_isochron_hmac,
        hash::op_isochron_pbkdf2,
        hash::op_isochron_heap,
        time::op_isochron_now,
        time::op_isochron_origin,
    ],
);
