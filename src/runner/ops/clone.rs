//! `structuredClone`: V8's serializer, and nothing that a program could plug into it.
//!
//! deno_core's op follows `Symbol.for("Deno.core.hostObject")`, which any handler can
//! write, into an unwrap that ends the process.

use std::{cell::RefCell, rc::Rc};

use deno_core::v8::{
    self, ValueDeserializer, ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer,
    ValueSerializerHelper, ValueSerializerImpl,
};

/// Clones a value: `[clone]`, or `[undefined, why not]`, or nothing when an exception
/// of the handler's own is on its way.
pub(crate) fn clone<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Array>> {
    v8::tc_scope!(let tc, scope);
    let refusal = Refusal::default();
    let copy = write(tc, value, refusal.clone()).and_then(|bytes| read(tc, &bytes));
    if let Some(copy) = copy {
        return Some(v8::Array::new_with_elements(tc, &[copy]));
    }
    let refusal = refusal.0.take();
    if refusal.is_none() && tc.has_caught() {
        tc.rethrow();
        return None;
    }
    tc.reset();
    let text = refusal.unwrap_or_else(|| "the value could not be cloned".to_owned());
    let text = v8::String::new(tc, &text)?;
    let undefined = v8::undefined(tc).into();
    Some(v8::Array::new_with_elements(tc, &[undefined, text.into()]))
}

fn write<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    refusal: Refusal,
) -> Option<Vec<u8>> {
    let serializer = ValueSerializer::new(scope, Box::new(refusal));
    serializer.write_header();
    let written = serializer.write_value(scope.get_current_context(), value);
    (written == Some(true)).then(|| serializer.release())
}

fn read<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: &[u8]) -> Option<v8::Local<'s, v8::Value>> {
    let deserializer = ValueDeserializer::new(scope, Box::new(Plain), bytes);
    let context = scope.get_current_context();
    deserializer.read_header(context)?;
    deserializer.read_value(context)
}

/// What V8 says cannot be cloned.
#[derive(Debug, Default, Clone)]
struct Refusal(Rc<RefCell<Option<String>>>);

impl ValueSerializerImpl for Refusal {
    fn throw_data_clone_error<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        message: v8::Local<'s, v8::String>,
    ) {
        self.0.replace(Some(message.to_rust_string_lossy(scope)));
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
    }
}

/// Reads what the serializer wrote: no host objects, so nothing to decide.
struct Plain;

impl ValueDeserializerImpl for Plain {}
