//! `import()`: rejected, without ever panicking.
//!
//! Near the end of the stack V8 makes no promise, and deno_core's callbacks unwrap its refusal,
//! which aborts the process (`function f(v) { f(import(0)) }`, denoland/deno issue 27736). The
//! callbacks here replace them.

use deno_core::v8;

const TEXT: &str = "import() is not available: handlers are CommonJS modules, use require('./file')";

/// Replaces both callbacks of an isolate.
pub(crate) fn refuse(isolate: &mut v8::Isolate) {
    isolate.set_host_import_module_dynamically_callback(reject);
    isolate.set_host_import_module_with_phase_dynamically_callback(reject_phase);
}

fn reject<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    _referrer: v8::Local<'s, v8::Value>,
    _specifier: v8::Local<'s, v8::String>,
    _attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    rejected_promise(scope)
}

fn reject_phase<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    _referrer: v8::Local<'s, v8::Value>,
    _specifier: v8::Local<'s, v8::String>,
    _phase: v8::ModuleImportPhase,
    _attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    rejected_promise(scope)
}

/// `None` when V8 cannot make the promise; its exception is pending then.
fn rejected_promise<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Promise>> {
    let resolver = v8::PromiseResolver::new(scope)?;
    let text = v8::String::new(scope, TEXT)?;
    let error = v8::Exception::type_error(scope, text);
    resolver.reject(scope, error)?;
    Some(resolver.get_promise(scope))
}
