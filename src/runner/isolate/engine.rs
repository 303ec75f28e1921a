//! V8 itself: its start in this process, and its name.

use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::{JsRuntime, v8};
use isochron::runtime::protocol::Settings;
use rand::{TryRng, rngs::SysRng};

/// The threads that V8 uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// Those of its platform, for collections and compilers.
    Platform,
    /// That which runs JavaScript alone.
    One,
}

/// Starts V8. Call before any other function of V8, which reads its flags once.
pub(crate) fn initialise(settings: Option<&Settings>, threads: Threads) {
    // V8 would open /dev/urandom, which the sandbox refuses.
    v8::V8::set_entropy_source(|bytes: &mut [u8]| SysRng.try_fill_bytes(bytes).is_ok());
    let mut flags = String::new();
    if let Some(settings) = settings {
        if !settings.eval {
            flags.push_str(" --disallow-code-generation-from-strings");
        }
        if settings.web_assembly {
            // The counting allocator does not see WebAssembly's memories. A page has 64 KiB.
            flags.push_str(&format!(" --wasm-max-mem-pages={}", (settings.buffers >> 16).max(1)));
        }
    }
    if threads == Threads::One {
        // The memory reducer works seconds after a run, when there is none. Frozen flags would refuse
        // the seed of [`reseed`]. With one thread a loop that Maglev has compiled never becomes Turbofan's
        // (`CompileOptimizedOSRFromMaglev`), and takes a fifth longer.
        flags.push_str(" --single-threaded --no-maglev --no-memory-reducer --no-freeze-flags-after-init");
    }
    v8::V8::set_flags_from_string(&flags);
    JsRuntime::init_platform(match threads {
        Threads::Platform => None,
        Threads::One => Some(v8::new_single_threaded_default_platform(false).make_shared()),
    });
}

/// Runs what V8 has put off until no JavaScript runs, as callbacks of finalization registries, until
/// `stop`; returns whether that was anything. A platform with [`Threads::Platform`] has deno_core's event
/// loop do it, and none waits here.
///
/// # Panics
/// Before [`initialise`].
pub(crate) fn run_tasks(isolate: &v8::Isolate, stop: impl Fn() -> bool) -> bool {
    let platform = v8::V8::get_current_platform();
    let mut ran = false;
    while !stop() && v8::Platform::pump_message_loop(&platform, isolate, false) {
        ran = true;
    }
    ran
}

/// Whether `Math.random` is to get another seed.
static SEED_IS_DUE: AtomicBool = AtomicBool::new(false);

/// Has [`reseed`] draw the seed of `Math.random` for a context that has not used it yet; needs [`Threads::One`].
pub(crate) fn let_reseed() {
    SEED_IS_DUE.store(true, Ordering::Relaxed);
}

/// Draws that seed, once. Call it when code is compiled that will run: a flag that is set has V8 hash all its flags
/// anew before it takes the next code cache. The caches stay valid: this flag is not in that hash
/// (`ComputeFlagListHash`).
pub(crate) fn reseed() {
    if !SEED_IS_DUE.swap(false, Ordering::Relaxed) {
        return;
    }
    let mut seed = [0; 4];
    // Without chance from the system V8 falls back to the isolate's own.
    if SysRng.try_fill_bytes(&mut seed).is_ok() {
        v8::V8::set_flags_from_string(&format!("--random-seed={}", i32::from_ne_bytes(seed)));
    }
}

/// The engine's version and flags: a code cache is valid for one engine only.
pub(crate) fn name() -> String {
    let tag = v8::script_compiler::cached_data_version_tag();
    format!("{}-{tag:08x}", v8::VERSION_STRING)
}
