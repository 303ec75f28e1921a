//! `import()`: rejected, without ever panicking.
//!
//! deno_core's own callbacks unwrap what V8 refuses to make near the end of the
//! stack, which aborts the process (`function f(v) { f(import(0)) }`, denoland/deno
//! issue 27736). These replace them.

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
    rejected(scope)
}

fn reject_phase<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    _referrer: v8::Local<'s, v8::Value>,
    _specifier: v8::Local<'s, v8::String>,
    _phase: v8::ModuleImportPhase,
    _attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    rejected(scope)
}

/// `None` leaves V8 with the exception that kept it from making the promise.
fn rejected<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Promise>> {
    let resolver = v8::PromiseResolver::new(scope)?;
    let text = v8::String::new(scope, TEXT)?;
    let error = v8::Exception::type_error(scope, text);
    resolver.reject(scope, error)?;
    Some(resolver.get_promise(scope))
}
