//! ES modules: compiled, linked and evaluated by V8 itself, step by step as `30_modules.js` says.
//!
//! `deno_core`'s own module map is not used: it loads with promises, and a terminated evaluation makes
//! it panic. Here a step that V8 refuses ends in an exception, never in a panic.

use std::{cell::RefCell, rc::Rc};

use crate::runner::{
    isolate::engine,
    modules::{
        commonjs::take_source,
        compiled::{Failure, source_string, unit},
        hook,
        table::EsModule,
    },
    run::{files::Compiled, session::with_run},
};
use deno_core::{
    OpState,
    v8::{self, script_compiler as compiler},
};
use isochron::runtime::protocol::{Source, SourceKind};

type State = Rc<RefCell<OpState>>;

/// Compiles file `index`: `[id, specifier, type, …]` or `[undefined, error, text, position]`.
pub(crate) fn compile_es<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    index: usize,
) -> v8::Local<'s, v8::Array> {
    let kept = with_run(state, |run| run.files.take_kept_text(index)).flatten();
    let Some(Source { file, text, cache, .. }) = take_source(state, index) else {
        return v8::Array::new(scope, 0);
    };
    let text = match kept {
        Some(text) => Some(v8::Local::new(scope, text)),
        None => source_string(scope, text),
    };
    let compiled = {
        v8::tc_scope!(let tc, scope);
        let compiled = text.and_then(|text| try_compile(tc, &file, text, cache.as_deref()));
        compiled.ok_or_else(|| Failure::caught(tc, SourceKind::Module))
    };
    match compiled {
        Ok((module, accepted)) => {
            let global = v8::Global::new(scope, module);
            let id = with_run(state, |run| {
                if !accepted {
                    run.files.keep(index, Compiled::Module(global.clone()));
                }
                run.modules.add(EsModule::new(global, module.get_identity_hash().get(), Vec::new()))
            });
            describe_requests(scope, id.unwrap_or_default(), module)
        }
        Err(failure) => failure.into_array(scope, &file),
    }
}

fn try_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    file: &str,
    text: v8::Local<'s, v8::String>,
    cache: Option<&[u8]>,
) -> Option<(v8::Local<'s, v8::Module>, bool)> {
    let (mut unit, options) = unit(scope, file, text, cache, true)?;
    let module = compiler::compile_module2(scope, &mut unit, options, compiler::NoCacheReason::NoReason)?;
    engine::reseed();
    let accepted = cache.is_some() && unit.get_cached_data().is_some_and(|data| !data.rejected());
    Some((module, accepted))
}

fn describe_requests<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    id: usize,
    module: v8::Local<'s, v8::Module>,
) -> v8::Local<'s, v8::Array> {
    let requests = module.get_module_requests();
    let id = v8::Integer::new_from_unsigned(scope, u32::try_from(id).unwrap_or(u32::MAX));
    let mut elements: Vec<v8::Local<v8::Value>> = vec![id.into()];
    for index in 0..requests.length() {
        let Some(request) = requests.get(scope, index) else { break };
        let Ok(request) = v8::Local::<v8::ModuleRequest>::try_from(request) else { break };
        let kind = attribute_type(scope, request.get_import_attributes(), 3);
        let kind = kind.and_then(|kind| v8::String::new(scope, &kind));
        let kind = kind.unwrap_or_else(|| v8::String::empty(scope));
        elements.extend([request.get_specifier().into(), v8::Local::<v8::Value>::from(kind)]);
    }
    v8::Array::new_with_elements(scope, &elements)
}

/// The value of the attribute `type`; each attribute takes `width` elements.
pub(super) fn attribute_type<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    attributes: v8::Local<'s, v8::FixedArray>,
    width: usize,
) -> Option<String> {
    let text = |scope: &mut v8::PinScope<'s, '_>, at: usize| {
        let value = attributes.get(scope, at)?;
        let value = v8::Local::<v8::String>::try_from(value).ok()?;
        Some(value.to_rust_string_lossy(scope))
    };
    (0..attributes.length()).step_by(width).find_map(|at| {
        let key = text(scope, at)?;
        if key == "type" { text(scope, at + 1) } else { None }
    })
}

/// Makes a module whose exports `30_modules.js` gives when it is evaluated; returns its id.
pub(crate) fn make_synthetic(scope: &mut v8::PinScope<'_, '_>, state: &State, names: Vec<String>) -> usize {
    let title = v8::String::new(scope, "synthetic").unwrap_or_else(|| v8::String::empty(scope));
    let exported: Vec<_> = names.iter().filter_map(|name| v8::String::new(scope, name)).collect();
    let module = v8::Module::create_synthetic_module(scope, title, &exported, evaluate_synthetic);
    let global = v8::Global::new(scope, module);
    let module = EsModule::new(global, module.get_identity_hash().get(), names);
    with_run(state, |run| run.modules.add(module)).unwrap_or_default()
}

fn evaluate_synthetic<'s>(
    context: v8::Local<'s, v8::Context>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Value>> {
    v8::callback_scope!(unsafe scope, context);
    let state = deno_core::JsRuntime::op_state_from(scope);
    let hash = module.get_identity_hash().get();
    let found = with_run(&state, |run| {
        let id = run.modules.find(hash, |known| *known == module)?;
        Some((id, run.modules.names(id)))
    });
    let (id, names) = found.flatten()?;
    let id = v8::Integer::new_from_unsigned(scope, u32::try_from(id).ok()?);
    let values = hook::call(scope, &state, hook::EVALUATE, &[id.into()])?;
    let values = v8::Local::<v8::Array>::try_from(values).ok()?;
    for (index, name) in names.iter().enumerate() {
        let name = v8::String::new(scope, name)?;
        let value = values.get_index(scope, u32::try_from(index).ok()?)?;
        module.set_synthetic_module_export(scope, name, value)?;
    }
    let resolver = v8::PromiseResolver::new(scope)?;
    let undefined = v8::undefined(scope).into();
    resolver.resolve(scope, undefined)?;
    Some(resolver.get_promise(scope).into())
}

/// Notes the modules that a module's requests mean, in their order.
pub(crate) fn link(state: &State, id: usize, targets: Vec<(String, String, usize)>) {
    with_run(state, |run| run.modules.link(id, targets));
}

/// Instantiates a module and all that it leads to: `[]` or `[undefined, error, text, position]`.
pub(crate) fn instantiate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    id: usize,
) -> v8::Local<'s, v8::Array> {
    let Some(module) = module_of(scope, state, id) else { return v8::Array::new(scope, 0) };
    let failure = {
        v8::tc_scope!(let tc, scope);
        let is_new = module.get_status() == v8::ModuleStatus::Uninstantiated;
        let done = !is_new || module.instantiate_module(tc, find_target) == Some(true);
        (!done).then(|| Failure::caught(tc, SourceKind::Module))
    };
    match failure {
        None => v8::Array::new(scope, 0),
        Some(failure) => failure.into_array(scope, "a module"),
    }
}

fn find_target<'s>(
    context: v8::Local<'s, v8::Context>,
    specifier: v8::Local<'s, v8::String>,
    attributes: v8::Local<'s, v8::FixedArray>,
    referrer: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Module>> {
    v8::callback_scope!(unsafe scope, context);
    let state = deno_core::JsRuntime::op_state_from(scope);
    let specifier = specifier.to_rust_string_lossy(scope);
    let kind = attribute_type(scope, attributes, 3).unwrap_or_default();
    let hash = referrer.get_identity_hash().get();
    let found = with_run(&state, |run| {
        let id = run.modules.find(hash, |known| *known == referrer)?;
        run.modules.target(id, &specifier, &kind)
    });
    if let Some(module) = found.flatten() {
        return Some(v8::Local::new(scope, module));
    }
    let text = v8::String::new(scope, &format!("the module '{specifier}' was not loaded"))?;
    let error = v8::Exception::error(scope, text);
    scope.throw_exception(error);
    None
}

/// Evaluates a module: `[promise]`; `[]` while it is evaluated already.
pub(crate) fn evaluate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    id: usize,
) -> Option<v8::Local<'s, v8::Array>> {
    use v8::ModuleStatus::{Evaluating, Instantiating, Uninstantiated};
    let module = module_of(scope, state, id)?;
    if matches!(module.get_status(), Uninstantiated | Instantiating | Evaluating) {
        return Some(v8::Array::new(scope, 0));
    }
    let promise = module.evaluate(scope)?;
    Some(v8::Array::new_with_elements(scope, &[promise]))
}

/// The namespace of an instantiated module.
pub(crate) fn namespace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    id: usize,
) -> Option<v8::Local<'s, v8::Value>> {
    use v8::ModuleStatus::{Instantiating, Uninstantiated};
    let module = module_of(scope, state, id)?;
    if matches!(module.get_status(), Uninstantiated | Instantiating) {
        return None;
    }
    Some(module.get_module_namespace())
}

/// Whether a module or one that it leads to has a top-level `await`.
pub(crate) fn is_async(scope: &mut v8::PinScope<'_, '_>, state: &State, id: usize) -> bool {
    use v8::ModuleStatus::{Errored, Instantiating, Uninstantiated};
    module_of(scope, state, id).is_some_and(|module| {
        !matches!(module.get_status(), Uninstantiated | Instantiating | Errored) && module.is_graph_async()
    })
}

fn module_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    id: usize,
) -> Option<v8::Local<'s, v8::Module>> {
    let module = with_run(state, |run| run.modules.get(id)).flatten()?;
    Some(v8::Local::new(scope, module))
}
