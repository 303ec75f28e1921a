//! Native addons: machine code of npm packages, which no handler can load.

use crate::{domain::source::Unresolved, handlers::folder::SHOWN};

/// Packages by which others load their native addon.
pub(super) const ADDON_LOADERS: [&str; 4] =
    ["bindings", "node-gyp-build", "node-pre-gyp", "@mapbox/node-pre-gyp"];

/// The refusal of a file or of a package, by its path below the folder.
pub(super) fn explain_addon(path: &str) -> Unresolved {
    Unresolved {
        code: "ERR_DLOPEN_FAILED".to_owned(),
        text: format!(
            "{SHOWN}{path} is a native addon, which no handler can load: use a package of pure JavaScript"
        ),
    }
}
