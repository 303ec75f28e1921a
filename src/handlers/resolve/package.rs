//! A package's `package.json`, and the file of the package that a path means by its `exports` and
//! `imports`, as Node's documentation of packages gives the algorithm ("Resolution Algorithm
//! Specification", `PACKAGE_EXPORTS_RESOLVE` and below).

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::source::Way;

/// The parts of a `package.json` that resolution needs. A part of the wrong type is left out, as in
/// Node.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Package {
    pub(super) name: Option<String>,
    /// `"type": "module"` or `"commonjs"`.
    pub(super) is_module: Option<bool>,
    pub(super) main: Option<String>,
    pub(super) module: Option<String>,
    pub(super) exports: Option<Value>,
    pub(super) imports: Option<Map<String, Value>>,
    /// Whether it is a native addon by its own words, without JavaScript in its place.
    pub(super) is_addon: bool,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Written {
    name: Value,
    r#type: Value,
    main: Value,
    module: Value,
    exports: Value,
    imports: Value,
    gypfile: Value,
    binary: Value,
    napi: Value,
}

impl Package {
    /// Reads the text of a `package.json`.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub(super) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let written: Written = serde_json::from_slice(text)?;
        let string = |value: Value| if let Value::String(text) = value { Some(text) } else { None };
        // The words of node-gyp, of node-pre-gyp and prebuild, and of napi-rs.
        let binary = |key| written.binary.get(key).is_some();
        let is_addon = written.gypfile == true
            || binary("module_name")
            || binary("napi_versions")
            || written.napi.is_object();
        Ok(Self {
            is_addon,
            name: string(written.name),
            is_module: match written.r#type.as_str() {
                Some("module") => Some(true),
                Some("commonjs") => Some(false),
                _ => None,
            },
            main: string(written.main),
            module: string(written.module),
            exports: Some(written.exports).filter(|exports| !exports.is_null()),
            imports: if let Value::Object(imports) = written.imports { Some(imports) } else { None },
        })
    }
}

/// The conditions of `exports` that hold, besides `default`.
pub(super) fn conditions(way: Way) -> [&'static str; 3] {
    match way {
        Way::Require => ["isochron", "worker", "require"],
        Way::Import => ["isochron", "worker", "import"],
    }
}

/// The value of an `exports` or `imports` for a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file of the package, relative to its folder.
    File(String),
    /// Another package, of an `imports`.
    Package(String),
    /// No condition fits, no key, or the value is null.
    None,
    /// A value that no package may have.
    Invalid(String),
}

/// The target of `subpath` (`.` or `./x`) in an `exports`.
pub(super) fn find_export(exports: &Value, subpath: &str, way: Way) -> Target {
    let conditions = conditions(way);
    let has_paths = exports.as_object().is_some_and(|keys| keys.keys().any(|key| key.starts_with('.')));
    match exports {
        Value::Object(keys) if has_paths => find_key(keys, subpath, false, &conditions),
        main if subpath == "." => resolve(main, None, false, &conditions).unwrap_or(Target::None),
        _ => Target::None,
    }
}

/// The target of `name` (`#x`) in an `imports`.
pub(super) fn find_import(imports: &Map<String, Value>, name: &str, way: Way) -> Target {
    find_key(imports, name, true, &conditions(way))
}

fn find_key(keys: &Map<String, Value>, wanted: &str, internal: bool, conditions: &[&str]) -> Target {
    if let Some(value) = keys.get(wanted).filter(|_| !wanted.contains('*') && !wanted.ends_with('/')) {
        return resolve(value, None, internal, conditions).unwrap_or(Target::None);
    }
    let mut best: Option<(&str, &str, &Value)> = None;
    for (key, value) in keys {
        let Some((before, after)) = key.split_once('*').filter(|(_, after)| !after.contains('*')) else {
            continue;
        };
        let fits = wanted.starts_with(before)
            && wanted != before
            && (after.is_empty() || wanted.ends_with(after) && wanted.len() >= key.len());
        // The longest text before the star wins, then the longest key.
        let rank = |before: &str, after: &str| (before.len(), before.len() + after.len());
        let better = best.is_none_or(|(b, a, _)| rank(before, after) > rank(b, a));
        if fits && better {
            best = Some((before, after, value));
        }
    }
    let Some((before, after, value)) = best else { return Target::None };
    let star = &wanted[before.len()..wanted.len() - after.len()];
    resolve(value, Some(star), internal, conditions).unwrap_or(Target::None)
}

/// `None` for "no condition fits", after which the next condition is tried.
fn resolve(value: &Value, star: Option<&str>, internal: bool, conditions: &[&str]) -> Option<Target> {
    match value {
        Value::String(target) => Some(resolve_text(target, star, internal)),
        Value::Object(keys) => keys
            .iter()
            .filter(|(key, _)| *key == "default" || conditions.contains(&key.as_str()))
            .find_map(|(_, value)| resolve(value, star, internal, conditions)),
        Value::Array(targets) => {
            let mut last = None;
            for target in targets {
                match resolve(target, star, internal, conditions) {
                    Some(found @ (Target::File(_) | Target::Package(_))) => return Some(found),
                    Some(other) => last = Some(other),
                    None => {}
                }
            }
            last.or(Some(Target::None))
        }
        Value::Null => Some(Target::None),
        other => Some(Target::Invalid(other.to_string())),
    }
}

fn resolve_text(target: &str, star: Option<&str>, internal: bool) -> Target {
    let filled = star.map_or_else(|| target.to_owned(), |star| target.replace('*', star));
    let Some(path) = filled.strip_prefix("./") else {
        let is_package = internal && !target.starts_with("../") && !target.starts_with('/');
        return if is_package { Target::Package(filled) } else { Target::Invalid(filled) };
    };
    let leads_out = |part: &str| matches!(part, "" | "." | ".." | "node_modules");
    if path.split(['/', '\\']).any(leads_out) {
        Target::Invalid(filled)
    } else {
        Target::File(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str) -> Target {
        Target::File(path.to_owned())
    }

    #[test]
    fn exports_are_read_as_node_reads_them() {
        let dual = json!({ ".": { "node": "./n.js", "worker": { "types": "./t.d.ts" }, "import": "./i.mjs", "require": "./r.cjs", "default": "./d.js" } });
        let paths = json!({
            "./a": "./dist/a.js", "./b/*": "./dist/b/*.js", "./b/secret/*": null, "./b/*.css": "./css/*.css",
            "./c": ["bad", "./c.js"], "./out": "./../x", "./deep": "./node_modules/x", "./n": 7,
        });
        let require = |exports: &Value, path| find_export(exports, path, Way::Require);
        assert_eq!(require(&dual, "."), file("r.cjs"));
        assert_eq!(find_export(&dual, ".", Way::Import), file("i.mjs"));
        assert_eq!(require(&dual, "./x"), Target::None);
        assert_eq!(require(&json!("./x.js"), "."), file("x.js"));
        assert_eq!(require(&json!("./x.js"), "./x"), Target::None);
        assert_eq!(require(&json!({ "isochron": "./i.js", "default": "./d.js" }), "."), file("i.js"));
        assert_eq!(require(&json!({ "node": "./n.js" }), "."), Target::None);
        assert_eq!(require(&paths, "."), Target::None);
        assert_eq!(require(&paths, "./a"), file("dist/a.js"));
        assert_eq!(require(&paths, "./b/x/y"), file("dist/b/x/y.js"));
        assert_eq!(require(&paths, "./b/secret/x"), Target::None);
        assert_eq!(require(&paths, "./b/x.css"), file("css/x.css"));
        assert_eq!(require(&paths, "./c"), file("c.js"));
        for path in ["./out", "./deep", "./n", "./b/../../x"] {
            assert!(matches!(require(&paths, path), Target::Invalid(_)), "{path}");
        }
    }

    #[test]
    fn imports_may_name_other_packages() {
        let imports = json!({ "#a": "./a.js", "#dep": { "require": "lodash/fp", "default": "./x.mjs" }, "#in/*": "./in/*" });
        let imports = imports.as_object().expect("an object");
        let find = |name| find_import(imports, name, Way::Require);
        assert_eq!(find("#a"), file("a.js"));
        assert_eq!(find("#dep"), Target::Package("lodash/fp".to_owned()));
        assert_eq!(find_import(imports, "#dep", Way::Import), file("x.mjs"));
        assert_eq!(find("#in/x.js"), file("in/x.js"));
        assert_eq!(find("#none"), Target::None);
    }

    #[test]
    fn parts_of_a_wrong_type_are_left_out() {
        let package = Package::parse(
            br#"{ "name": 1, "main": ["x"], "type": "module", "imports": "x", "exports": null }"#,
        );
        assert_eq!(package.expect("JSON"), Package { is_module: Some(true), ..Package::default() });
        assert!(Package::parse(b"{").is_err());
    }
}
