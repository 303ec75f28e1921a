//! The arguments of a native function.

use deno_core::v8;
use deno_error::JsErrorBox;

enum Argument {
    Bytes(Vec<u8>),
    Text(String),
    Number(f64),
    Nothing,
}

/// The arguments, copied out of V8: numbers, texts, `Uint8Array`s and arrays of them.
pub(crate) struct Arguments(Vec<Argument>);

impl Arguments {
    /// Copies the arguments.
    ///
    /// # Errors
    /// When one is of another kind, which is a mistake of `runtime-js`.
    pub(crate) fn read(
        scope: &mut v8::PinScope<'_, '_>,
        list: v8::Local<'_, v8::Array>,
    ) -> Result<Self, JsErrorBox> {
        let mut arguments = Vec::new();
        for index in 0..list.length() {
            let value = list.get_index(scope, index);
            let value = value.ok_or_else(|| JsErrorBox::generic("an argument cannot be read"))?;
            arguments.push(if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) {
                let mut bytes = vec![0; view.byte_length()];
                view.copy_contents(&mut bytes);
                Argument::Bytes(bytes)
            } else if let Ok(text) = v8::Local::<v8::String>::try_from(value) {
                Argument::Text(text.to_rust_string_lossy(scope))
            } else if let Ok(number) = v8::Local::<v8::Number>::try_from(value) {
                Argument::Number(number.value())
            } else {
                Argument::Nothing
            });
        }
        Ok(Self(arguments))
    }

    /// The bytes of an argument; empty if it has none.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        match self.0.get(index) {
            Some(Argument::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// The text of an argument; empty if it has none.
    pub(crate) fn text(&self, index: usize) -> &str {
        match self.0.get(index) {
            Some(Argument::Text(text)) => text,
            _ => "",
        }
    }

    /// The number of an argument, cut to the range of `u32`; 0 if it has none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut on purpose")]
    pub(crate) fn number(&self, index: usize) -> u32 {
        match self.0.get(index) {
            Some(Argument::Number(number)) => *number as u32,
            _ => 0,
        }
    }
}
