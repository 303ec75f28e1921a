//! `import()` and `import.meta`, without ever panicking.
//!
//! Near the end of the stack V8 makes no promise, and deno_core's callbacks unwrap its refusal,
//! which aborts the process (`function f(v) { f(import(0)) }`, denoland/deno issue 27736). The
//! callbacks here replace them.

use deno_core::v8;

use crate::runner::{
    modules::{esm::attribute_type, hook},
    run::{session::with_run, stack::keep_termination},
};

/// Replaces the callbacks of an isolate.
pub(crate) fn install(isolate: &mut v8::Isolate) {
    isolate.set_host_import_module_dynamically_callback(import);
    isolate.set_host_import_module_with_phase_dynamically_callback(import_in_phase);
    isolate.set_host_initialize_import_meta_object_callback(describe);
}

fn import_in_phase<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    options: v8::Local<'s, v8::Data>,
    referrer: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    _phase: v8::ModuleImportPhase,
    attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    import(scope, options, referrer, specifier, attributes)
}

/// `None` when V8 cannot make the promise; its exception is pending then.
fn import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    referrer: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let resolver = v8::PromiseResolver::new(scope)?;
    let state = deno_core::JsRuntime::op_state_from(scope);
    let kind = attribute_type(scope, attributes, 2).unwrap_or_default();
    let kind = v8::String::new(scope, &kind)?;
    v8::tc_scope!(let tc, scope);
    let loaded = hook::call(tc, &state, hook::IMPORT, &[referrer, specifier.into(), kind.into()]);
    if let Some(promise) = loaded.and_then(|loaded| v8::Local::<v8::Promise>::try_from(loaded).ok()) {
        return Some(promise);
    }
    if keep_termination(tc) {
        return None;
    }
    let error = tc.exception().unwrap_or_else(|| v8::undefined(tc).into());
    tc.reset();
    if resolver.reject(tc, error).is_none() {
        tc.rethrow();
        return None;
    }
    Some(resolver.get_promise(tc))
}

/// Fills `import.meta` at its first use.
#[expect(unsafe_code, reason = "V8 gives the context of the call")]
unsafe extern "C" fn describe(
    context: v8::Local<v8::Context>,
    module: v8::Local<v8::Module>,
    meta: v8::Local<v8::Object>,
) {
    v8::callback_scope!(unsafe scope, context);
    let state = deno_core::JsRuntime::op_state_from(scope);
    let hash = module.get_identity_hash().get();
    let found = with_run(&state, |run| run.modules.find(hash, |known| *known == module));
    let Some(id) = found.flatten().and_then(|id| u32::try_from(id).ok()) else { return };
    v8::tc_scope!(let tc, scope);
    let id = v8::Integer::new_from_unsigned(tc, id);
    let _ = hook::call(tc, &state, hook::META, &[id.into(), meta.into()]);
    keep_termination(tc);
}
