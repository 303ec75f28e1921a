//! `structuredClone`: V8's serializer without a way for a handler to change its work.
//!
//! deno_core's own op is not used: it looks for `Symbol.for("Deno.core.hostObject")`, which any
//! handler can set, and then unwraps a value that is not there, which ends the process.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2, v8};
use v8::{
    ValueDeserializer, ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer,
    ValueSerializerHelper, ValueSerializerImpl,
};

use crate::runner::run::{outcome, session::Session, stack::keep_termination};

/// Prototypes of an object that are searched for the brand: the longest chain of the web APIs has four.
const PROTOTYPES: usize = 8;

/// `structuredClone`: `[clone]` or `[undefined, reason]`.
#[op2(reentrant)]
pub(crate) fn op_isochron_clone<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    value: v8::Local<'s, v8::Value>,
    transfer: v8::Local<'s, v8::Array>,
    brand: v8::Local<'s, v8::Symbol>,
    copy: v8::Local<'s, v8::Function>,
) -> v8::Local<'s, v8::Array> {
    let refused = outcome::refused_buffer(&state.borrow().borrow::<Session>().settings);
    let request = Request { value, transfer, brand, copy };
    clone(scope, &request, &refused).unwrap_or_else(|| v8::Array::new(scope, 0))
}

/// One call of `structuredClone`.
struct Request<'s> {
    /// The value to clone.
    pub(crate) value: v8::Local<'s, v8::Value>,
    /// ArrayBuffers that move into the clone; `00_web.js` has checked each of them.
    pub(crate) transfer: v8::Local<'s, v8::Array>,
    /// The symbol that marks objects of the web APIs.
    pub(crate) brand: v8::Local<'s, v8::Symbol>,
    /// Copies an object that has the brand, or throws.
    pub(crate) copy: v8::Local<'s, v8::Function>,
}

/// Clones a value: `[clone]`, or `[undefined, reason]`, or `None` when an exception is pending.
/// `refused` is the text of the error when V8 gets no memory for a buffer.
fn clone<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    request: &Request<'s>,
    refused: &str,
) -> Option<v8::Local<'s, v8::Array>> {
    v8::tc_scope!(let tc, scope);
    let buffers = buffers(tc, request.transfer)?;
    if !buffers.iter().all(|buffer| buffer.is_detachable()) {
        return refusal(tc, "the memory of a WebAssembly instance cannot be transferred");
    }
    let delegate = Delegate::new(tc, request);
    let written = write(tc, request.value, delegate.clone(), &buffers);
    if keep_termination(tc) {
        return None;
    }
    let Some(bytes) = written else {
        let Some(text) = delegate.0.refusal.take() else {
            tc.rethrow();
            return None;
        };
        tc.reset();
        return refusal(tc, &text);
    };
    let moved = transfer(tc, &buffers);
    if let Some(copy) = read(tc, &bytes, delegate, &moved) {
        return Some(v8::Array::new_with_elements(tc, &[copy]));
    }
    if !keep_termination(tc) {
        // V8 wrote the bytes itself, so only a refused buffer can make it fail.
        tc.reset();
        let text = v8::String::new(tc, refused)?;
        let error = v8::Exception::range_error(tc, text);
        tc.throw_exception(error);
        tc.rethrow();
    }
    None
}

fn refusal<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> Option<v8::Local<'s, v8::Array>> {
    let text = v8::String::new(scope, text)?;
    let undefined = v8::undefined(scope).into();
    Some(v8::Array::new_with_elements(scope, &[undefined, text.into()]))
}

type Buffers<'s> = Vec<v8::Local<'s, v8::ArrayBuffer>>;

fn buffers<'s>(scope: &mut v8::PinScope<'s, '_>, list: v8::Local<'s, v8::Array>) -> Option<Buffers<'s>> {
    (0..list.length()).map(|index| list.get_index(scope, index)?.try_into().ok()).collect()
}

fn write<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    delegate: Delegate,
    buffers: &Buffers<'s>,
) -> Option<Vec<u8>> {
    let serializer = ValueSerializer::new(scope, Box::new(delegate));
    for (id, buffer) in (0..).zip(buffers) {
        serializer.transfer_array_buffer(id, *buffer);
    }
    serializer.write_header();
    let written = serializer.write_value(scope.get_current_context(), value);
    (written == Some(true)).then(|| serializer.release())
}

/// Moves the memory of the buffers into new ones and detaches the old ones.
fn transfer<'s>(scope: &mut v8::PinScope<'s, '_>, buffers: &Buffers<'s>) -> Buffers<'s> {
    let take = |buffer: &v8::Local<'s, v8::ArrayBuffer>| {
        let memory = buffer.get_backing_store();
        buffer.detach(None);
        v8::ArrayBuffer::with_backing_store(scope, &memory)
    };
    buffers.iter().map(take).collect()
}

fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
    delegate: Delegate,
    buffers: &Buffers<'s>,
) -> Option<v8::Local<'s, v8::Value>> {
    let deserializer = ValueDeserializer::new(scope, Box::new(delegate), bytes);
    for (id, buffer) in (0..).zip(buffers) {
        deserializer.transfer_array_buffer(id, *buffer);
    }
    let context = scope.get_current_context();
    deserializer.read_header(context)?;
    deserializer.read_value(context)
}

/// The delegate of V8's serializer: copies objects of the web APIs, and keeps the reason of a refusal.
#[derive(Clone)]
struct Delegate(Rc<State>);

struct State {
    brand: v8::Global<v8::Symbol>,
    copy: v8::Global<v8::Function>,
    /// Copies of objects of the web APIs; the serialized form holds their index.
    copies: RefCell<Vec<v8::Global<v8::Object>>>,
    /// Why the value cannot be cloned.
    refusal: RefCell<Option<String>>,
}

impl Delegate {
    fn new(scope: &mut v8::PinScope<'_, '_>, request: &Request<'_>) -> Self {
        Self(Rc::new(State {
            brand: v8::Global::new(scope, request.brand),
            copy: v8::Global::new(scope, request.copy),
            copies: RefCell::default(),
            refusal: RefCell::default(),
        }))
    }

    fn refuse(&self, scope: &mut v8::PinScope<'_, '_>, text: &str) {
        if let Some(message) = v8::String::new(scope, text) {
            self.throw_data_clone_error(scope, message);
        }
    }
}

impl ValueSerializerImpl for Delegate {
    fn throw_data_clone_error<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        message: v8::Local<'s, v8::String>,
    ) {
        self.0.refusal.replace(Some(message.to_rust_string_lossy(scope)));
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
    ) -> Option<bool> {
        let brand = v8::Local::new(scope, &self.0.brand);
        let mut object = object;
        for _ in 0..PROTOTYPES {
            if object.has_own_property(scope, brand.into())? {
                return Some(true);
            }
            // A proxy among the prototypes would run the handler's code.
            match object.get_prototype(scope).map(v8::Local::<v8::Object>::try_from) {
                Some(Ok(prototype)) if !prototype.is_proxy() => object = prototype,
                _ => break,
            }
        }
        Some(false)
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        object: v8::Local<'s, v8::Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let copy = v8::Local::new(scope, &self.0.copy);
        let this = v8::undefined(scope).into();
        let copy = copy.call(scope, this, &[object.into()])?;
        let copy = v8::Local::<v8::Object>::try_from(copy).ok()?;
        let mut copies = self.0.copies.borrow_mut();
        serializer.write_uint32(u32::try_from(copies.len()).ok()?);
        copies.push(v8::Global::new(scope, copy));
        Some(true)
    }

    // V8 aborts if one of the next two methods neither answers nor throws.

    fn get_shared_array_buffer_id<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        _buffer: v8::Local<'s, v8::SharedArrayBuffer>,
    ) -> Option<u32> {
        self.refuse(scope, "#<SharedArrayBuffer> could not be cloned.");
        None
    }

    fn get_wasm_module_transfer_id(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        _module: v8::Local<v8::WasmModuleObject>,
    ) -> Option<u32> {
        self.refuse(scope, "#<Module> could not be cloned.");
        None
    }
}

impl ValueDeserializerImpl for Delegate {
    fn read_host_object<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let mut index = 0;
        if !deserializer.read_uint32(&mut index) {
            return None;
        }
        let copies = self.0.copies.borrow();
        Some(v8::Local::new(scope, copies.get(index as usize)?))
    }
}
