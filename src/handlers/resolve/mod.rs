//! Resolve: from a specifier to the file that it means.
//!
//! The rules are Node's ("Modules: Packages", "Modules: CommonJS modules"), with three liberties: an
//! `import` may leave out the ending of a file, the path of a `.ts` file may be written with `.js`, and
//! an `import` of a package without `exports` takes its `module` before its `main`, as bundlers do.

mod addon;
mod package;
mod unavailable;

use std::{
    collections::{HashMap, hash_map::Entry},
    rc::Rc,
};

use self::{
    addon::{ADDON_LOADERS, explain_addon},
    package::{Package, Target, conditions, find_export, find_import},
};
use super::folder::{Folder, Opened, SHOWN, join, normalize, parent};
use crate::domain::source::{SourceKind, Unresolved, Way};

/// The longest specifier, in bytes.
const LONGEST: usize = 1024;
/// Endings that a specifier may leave out, in the order in which they are tried.
const ENDINGS: [&str; 9] = ["", ".js", ".cjs", ".mjs", ".json", ".ts", ".cts", ".mts", ".node"];
/// The ending of a file with types, and the one that its specifier may have.
const WITH_TYPES: [(&str, &str); 3] = [(".js", ".ts"), (".mjs", ".mts"), (".cjs", ".cts")];

type Found = Result<Opened, Unresolved>;

/// Resolves the specifiers of one load, and keeps the packages that it reads meanwhile.
pub(super) struct Resolver<'a> {
    folder: &'a Folder,
    /// By the folder of their `package.json`.
    packages: HashMap<String, Option<Rc<Package>>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(folder: &'a Folder) -> Self {
        Self { folder, packages: HashMap::new() }
    }

    /// The file that `specifier` means in the file `from`, a path below the folder.
    ///
    /// # Errors
    /// A sentence for the author, with Node's code.
    pub(super) fn resolve(&mut self, from: &str, specifier: &str, way: Way) -> Found {
        if specifier.len() > LONGEST {
            let text = format!("the name of a module has {} bytes; the most is {LONGEST}", specifier.len());
            return Err(missing(way, text));
        }
        let asked = Asked { from, specifier, way };
        let found = if specifier.starts_with('#') {
            self.internal(&asked)
        } else if let Some(path) = asked.path()? {
            let wants_folder = path.ends_with('/')
                || [".", ".."].iter().any(|end| path == *end || path.ends_with(&format!("/{end}")));
            let normal = normalize(&path).ok_or_else(|| asked.leads_out())?;
            self.file_or_folder(&normal, wants_folder, way)?.ok_or_else(|| asked.no_file(&normal))
        } else {
            self.package_file(&asked, specifier)
        }?;
        refuse_foreign(&found.path)?;
        Ok(found)
    }

    /// The kind of module that a file is by its name and its package.
    ///
    /// # Errors
    /// When the package's `package.json` is broken.
    pub(super) fn kind(&mut self, path: &str) -> Result<SourceKind, Unresolved> {
        Ok(match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("json") => SourceKind::Json,
            Some("mjs" | "mts") => SourceKind::Module,
            Some("js" | "ts") => {
                let in_package = path.split('/').any(|part| part == "node_modules");
                let package = if in_package { self.scope(path)? } else { None };
                match package.and_then(|(_, package)| package.is_module) {
                    Some(true) => SourceKind::Module,
                    Some(false) => SourceKind::Script,
                    None => SourceKind::Unmarked,
                }
            }
            _ => SourceKind::Script,
        })
    }

    fn open(&self, path: &str) -> Result<Option<Opened>, Unresolved> {
        self.folder.open(path).map_err(|error| Unresolved {
            code: "EACCES".to_owned(),
            text: format!("Cannot read {SHOWN}{path}: {error}"),
        })
    }

    fn file_or_folder(
        &mut self,
        path: &str,
        wants_folder: bool,
        way: Way,
    ) -> Result<Option<Opened>, Unresolved> {
        if !wants_folder && let Some(file) = self.file(path)? {
            return Ok(Some(file));
        }
        if self.folder.is_folder(path) { self.main_file(path, way) } else { Ok(None) }
    }

    fn file(&self, path: &str) -> Result<Option<Opened>, Unresolved> {
        for ending in ENDINGS {
            if let Some(file) = self.open(&format!("{path}{ending}"))? {
                return Ok(Some(file));
            }
        }
        for (written, real) in WITH_TYPES {
            if let Some(stem) = path.strip_suffix(written) {
                return self.open(&format!("{stem}{real}"));
            }
        }
        Ok(None)
    }

    /// The file that stands for a folder.
    fn main_file(&mut self, folder: &str, way: Way) -> Result<Option<Opened>, Unresolved> {
        if let Some(package) = self.package(folder)? {
            let module = package.module.as_ref().filter(|_| way == Way::Import);
            for main in module.into_iter().chain(&package.main) {
                let Some(path) = normalize(&join(folder, main)).filter(|path| path.starts_with(folder))
                else {
                    continue;
                };
                if let Some(file) = self.file(&path)? {
                    return Ok(Some(file));
                }
                if let Some(file) = self.file(&join(&path, "index"))? {
                    return Ok(Some(file));
                }
            }
        }
        self.file(&join(folder, "index"))
    }

    /// The `package.json` of a folder.
    fn package(&mut self, folder: &str) -> Result<Option<Rc<Package>>, Unresolved> {
        match self.packages.entry(folder.to_owned()) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(unknown) => {
                let path = join(folder, "package.json");
                let broken = |error: String| Unresolved {
                    code: "ERR_INVALID_PACKAGE_CONFIG".to_owned(),
                    text: format!("{SHOWN}{path} cannot be read: {error}"),
                };
                let text = self.folder.read(&path).map_err(|error| broken(error.to_string()))?;
                let package = text.map(|text| Package::parse(&text)).transpose();
                let package = package.map_err(|error| broken(error.to_string()))?.map(Rc::new);
                Ok(unknown.insert(package).clone())
            }
        }
    }

    /// The package that a file belongs to, with its folder.
    fn scope(&mut self, path: &str) -> Result<Option<(String, Rc<Package>)>, Unresolved> {
        let mut folder = parent(path);
        loop {
            if folder == "node_modules" || folder.ends_with("/node_modules") {
                return Ok(None);
            }
            if let Some(package) = self.package(folder)? {
                return Ok(Some((folder.to_owned(), package)));
            }
            if folder.is_empty() {
                return Ok(None);
            }
            folder = parent(folder);
        }
    }

    /// `#name`: an entry of the own package's `imports`.
    fn internal(&mut self, asked: &Asked<'_>) -> Found {
        let scope = self.scope(asked.from)?;
        let imports = scope.as_ref().and_then(|(folder, package)| Some((folder, package.imports.as_ref()?)));
        let target =
            imports.map(|(folder, imports)| (folder, find_import(imports, asked.specifier, asked.way)));
        match target {
            Some((folder, Target::File(path))) => {
                let path = join(folder, &path);
                self.open(&path)?.ok_or_else(|| asked.no_file(&path))
            }
            Some((_, Target::Package(name))) => self.package_file(asked, &name),
            Some((folder, Target::Invalid(target))) => Err(invalid(folder, "imports", &target)),
            Some((_, Target::None)) | None => {
                let package = scope.map_or_else(String::new, |(folder, _)| join(&folder, ""));
                Err(Unresolved {
                    code: "ERR_PACKAGE_IMPORT_NOT_DEFINED".to_owned(),
                    text: format!(
                        "{SHOWN}{package}package.json has no {} in its imports, which {SHOWN}{} asks for",
                        asked.specifier, asked.from
                    ),
                })
            }
        }
    }

    /// A package's file, by its name and a path in it.
    fn package_file(&mut self, asked: &Asked<'_>, specifier: &str) -> Found {
        // Node's own names go first, as in Node.
        if let Some(text) = unavailable::explain(specifier) {
            if let Some((folder, _)) = self.scope(asked.from)?.filter(|(_, package)| package.is_addon) {
                return Err(explain_addon(&folder));
            }
            return Err(missing(asked.way, format!("{SHOWN}{} asks for {text}", asked.from)));
        }
        let Some((name, subpath)) = split(specifier) else { return Err(asked.no_package(specifier)) };
        if ADDON_LOADERS.contains(&name) && asked.from.split('/').any(|part| part == "node_modules") {
            let scope = self.scope(asked.from)?;
            return Err(explain_addon(scope.as_ref().map_or(asked.from, |(folder, _)| folder)));
        }
        if let Some((folder, package)) = self.scope(asked.from)?
            && package.name.as_deref() == Some(name)
            && package.exports.is_some()
        {
            return self.exported(asked, &folder, &package, &subpath);
        }
        let mut folder = parent(asked.from);
        loop {
            if folder != "node_modules" && !folder.ends_with("/node_modules") {
                let candidate = join(folder, &format!("node_modules/{name}"));
                if self.folder.is_folder(&candidate)
                    && let Some(file) = self.in_package(asked, &candidate, &subpath)?
                {
                    return Ok(file);
                }
            }
            if folder.is_empty() {
                return Err(asked.no_package(specifier));
            }
            folder = parent(folder);
        }
    }

    fn in_package(
        &mut self,
        asked: &Asked<'_>,
        folder: &str,
        subpath: &str,
    ) -> Result<Option<Opened>, Unresolved> {
        if let Some(package) = self.package(folder)? {
            if package.is_addon && subpath == "." {
                return Err(explain_addon(folder));
            }
            if package.exports.is_some() {
                return self.exported(asked, folder, &package, subpath).map(Some);
            }
        }
        if subpath == "." {
            return self.main_file(folder, asked.way);
        }
        let Some(path) = normalize(&join(folder, subpath)).filter(|path| path.starts_with(folder)) else {
            return Ok(None);
        };
        self.file_or_folder(&path, subpath.ends_with('/'), asked.way)
    }

    fn exported(&mut self, asked: &Asked<'_>, folder: &str, package: &Package, subpath: &str) -> Found {
        let target = package.exports.as_ref().map(|exports| find_export(exports, subpath, asked.way));
        match target {
            Some(Target::File(path)) => {
                let path = join(folder, &path);
                self.open(&path)?.ok_or_else(|| asked.no_file(&path))
            }
            Some(Target::Package(target) | Target::Invalid(target)) => {
                Err(invalid(folder, "exports", &target))
            }
            Some(Target::None) | None => Err(Unresolved {
                code: "ERR_PACKAGE_PATH_NOT_EXPORTED".to_owned(),
                text: format!(
                    "the package {SHOWN}{folder} does not export '{subpath}' under the conditions {} or default, \
                     which {SHOWN}{} asks for",
                    conditions(asked.way).join(", "),
                    asked.from
                ),
            }),
        }
    }
}

/// One question.
struct Asked<'a> {
    from: &'a str,
    specifier: &'a str,
    way: Way,
}

impl Asked<'_> {
    /// The path below the folder, not normalized, of a specifier that is a path or a URL.
    fn path(&self) -> Result<Option<String>, Unresolved> {
        let specifier = self.specifier;
        if self.way == Way::Import {
            if specifier.starts_with("file:") {
                let path = url::Url::parse(specifier).ok().map(|url| decode(url.path()));
                return path.and_then(|path| below(&path)).map(Some).ok_or_else(|| self.leads_out());
            }
            let scheme = specifier.split_once(':').map(|(scheme, _)| scheme);
            if let Some(scheme @ ("http" | "https" | "data" | "blob")) = scheme {
                let text = format!(
                    "Cannot import '{specifier}': a handler imports files of {SHOWN} and packages of \
                     {SHOWN}node_modules, not {scheme}: URLs"
                );
                return Err(Unresolved { code: "ERR_UNSUPPORTED_ESM_URL_SCHEME".to_owned(), text });
            }
        }
        let is_relative =
            specifier.starts_with("./") || specifier.starts_with("../") || [".", ".."].contains(&specifier);
        if !is_relative && !specifier.starts_with('/') {
            return Ok(None);
        }
        // An `import` is a URL: `%20` is a space, and a query belongs to no file.
        let path = match self.way {
            Way::Import => decode(specifier.split(['?', '#']).next().unwrap_or_default()),
            Way::Require => specifier.to_owned(),
        };
        if is_relative {
            return Ok(Some(join(parent(self.from), &path)));
        }
        below(&path).map(Some).ok_or_else(|| self.leads_out())
    }

    fn leads_out(&self) -> Unresolved {
        let Self { from, specifier, way } = self;
        let verb = verb(*way);
        missing(
            *way,
            format!("Cannot {verb} '{specifier}' from {SHOWN}{from}: it leads out of the handlers' folder"),
        )
    }

    fn no_file(&self, path: &str) -> Unresolved {
        let Self { from, specifier, way } = self;
        let endings = ENDINGS[1..ENDINGS.len() - 1].join(", ");
        let shown = path.replace('\0', "\\0");
        let specifier = specifier.replace('\0', "\\0");
        missing(
            *way,
            format!(
                "Cannot find module '{specifier}' from {SHOWN}{from}; looked for {SHOWN}{shown} as it is, with \
                 {endings}, and for an index file in it"
            ),
        )
    }

    fn no_package(&self, specifier: &str) -> Unresolved {
        let Self { from, way, .. } = self;
        let text = match split(specifier) {
            Some((name, _)) => format!(
                "Cannot find module '{specifier}' from {SHOWN}{from}: there is no package {name} in \
                 {SHOWN}node_modules (npm install {name}), and a file of {SHOWN} is named by a path that starts \
                 with ./ or ../"
            ),
            None => format!(
                "Cannot find module '{specifier}' from {SHOWN}{from}: it is neither the name of a package nor a \
                 path that starts with ./ or ../"
            ),
        };
        missing(*way, text)
    }
}

fn verb(way: Way) -> &'static str {
    match way {
        Way::Require => "require",
        Way::Import => "import",
    }
}

/// The path below the folder of an absolute one: `/tasks/lib/x.js`.
fn below(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?;
    rest.strip_prefix(SHOWN)
        .map(str::to_owned)
        .or_else(|| (rest == SHOWN.trim_end_matches('/')).then(String::new))
}

/// A path of a URL without its `%20`.
fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The name of a package and the path in it: `.` or `./x`.
fn split(specifier: &str) -> Option<(&str, String)> {
    let slashes = usize::from(specifier.starts_with('@'));
    let end = specifier.match_indices('/').nth(slashes).map_or(specifier.len(), |(at, _)| at);
    let (name, rest) = specifier.split_at(end);
    let is_wrong = name.is_empty()
        || name.starts_with('.')
        || slashes == 1 && !name.contains('/')
        || name.contains(['\\', '%', ':', '\0', '?', ' '])
        || name.split('/').any(|part| part.is_empty() || part == "node_modules" || part.starts_with('.'));
    // `punycode/` is the package and not Node's module.
    let rest = if rest == "/" { "" } else { rest };
    (!is_wrong).then(|| (name, format!(".{rest}")))
}

/// Refuses files that are no text of a program.
fn refuse_foreign(path: &str) -> Result<(), Unresolved> {
    let (code, why) = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("node") => return Err(explain_addon(path)),
        Some("wasm") => ("ERR_UNKNOWN_FILE_EXTENSION", "is WebAssembly, which cannot be loaded as a module"),
        Some("tsx" | "jsx") => {
            ("ERR_UNKNOWN_FILE_EXTENSION", "has JSX, which handlers do not have: use a bundler")
        }
        _ => return Ok(()),
    };
    Err(Unresolved { code: code.to_owned(), text: format!("{SHOWN}{path} {why}") })
}

fn missing(way: Way, text: String) -> Unresolved {
    let code = match way {
        Way::Require => "MODULE_NOT_FOUND",
        Way::Import => "ERR_MODULE_NOT_FOUND",
    };
    Unresolved { code: code.to_owned(), text }
}

fn invalid(folder: &str, part: &str, target: &str) -> Unresolved {
    Unresolved {
        code: "ERR_INVALID_PACKAGE_TARGET".to_owned(),
        text: format!("{SHOWN}{} has a wrong path in its {part}: {target}", join(folder, "package.json")),
    }
}
