//! Names of Node's modules that no handler has, and what to use instead.

/// Node's modules without a counterpart here. Sorted.
const UNAVAILABLE: [(&str, &str); 28] = [
    ("child_process", "a handler cannot start programs"),
    ("cluster", "a handler is one run in a process of its own"),
    ("dgram", "a handler has no sockets; use fetch"),
    ("dns", "fetch resolves names itself"),
    ("domain", "use try and catch, or promises"),
    ("fs", "a handler has no file system; use params, ctx.kv or fetch"),
    ("http", "use fetch"),
    ("http2", "use fetch, which speaks HTTP/2 as well"),
    ("https", "use fetch"),
    ("inspector", "use console, whose lines the execution keeps"),
    ("module", "use require and import"),
    ("net", "a handler has no sockets; use fetch"),
    ("os", "a handler sees nothing of the machine"),
    ("perf_hooks", "use the global performance"),
    ("readline", "a handler has no terminal; use params"),
    ("repl", "a handler has no terminal; use params"),
    ("sea", "a handler is not a program of its own"),
    ("sqlite", "use ctx.kv, or a database over fetch"),
    ("sys", "use util"),
    ("test", "use isochron run"),
    ("tls", "a handler has no sockets; use fetch with https"),
    ("trace_events", "use console"),
    ("tty", "a handler has no terminal"),
    ("v8", "use structuredClone for copies"),
    ("vm", "use new Function, if the setting engine.eval allows it"),
    ("wasi", "use WebAssembly, if the setting engine.webAssembly allows it"),
    ("worker_threads", "a handler has one thread; make several tasks"),
    ("zlib", "use CompressionStream and DecompressionStream"),
];

/// The end of a sentence on a module of Node's that is not here; `None` for any other name.
pub(super) fn explain(specifier: &str) -> Option<String> {
    let (bare, is_marked) = match specifier.strip_prefix("node:") {
        Some(bare) => (bare, true),
        None => (specifier, false),
    };
    let first = bare.split('/').next().unwrap_or(bare);
    match UNAVAILABLE.binary_search_by_key(&first, |(name, _)| name) {
        // Only with its prefix are these names Node's.
        Ok(_) if !is_marked && matches!(first, "sea" | "sqlite" | "test") => None,
        Ok(at) => Some(format!("Node's module '{specifier}', which is not here: {}", UNAVAILABLE[at].1)),
        Err(_) => is_marked.then(|| format!("Node's module '{specifier}', which is not here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_explained_with_and_without_its_prefix() {
        assert!(UNAVAILABLE.is_sorted());
        for name in ["fs", "node:fs", "fs/promises", "node:fs/promises"] {
            let text = explain(name).expect("known");
            assert!(text.contains(&format!("'{name}'")) && text.contains("ctx.kv"), "{text}");
        }
        assert!(explain("node:anything").is_some());
        for name in ["lodash", "test", "fsevents", "@x/fs"] {
            assert_eq!(explain(name), None, "{name}");
        }
    }
}
