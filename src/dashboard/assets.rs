//! Assets: the files that pages load. All of them are in the binary, in one folder whose name is
//! the hash of them all: an address never changes its content, so browsers keep it for ever.

use std::io::Write;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::Shared;

/// A file by its name, with its type.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_bytes!(concat!("assets/", $name)))
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: &[(&str, &str, &[u8])] = &[
    file!("app.css", CSS),
    file!("favicon.svg", SVG),
    file!("js/ansi.js", JAVASCRIPT),
    file!("js/app.js", JAVASCRIPT),
    file!("js/json.js", JAVASCRIPT),
    file!("js/keys.js", JAVASCRIPT),
    file!("js/live.js", JAVASCRIPT),
    file!("js/marks.js", JAVASCRIPT),
    file!("js/palette.js", JAVASCRIPT),
    file!("js/timeline.js", JAVASCRIPT),
    file!("js/log.js", JAVASCRIPT),
    file!("vendor/htmx-4.0.1.min.js", JAVASCRIPT),
];

/// The files, packed once.
pub(super) struct Assets {
    version: String,
    files: Vec<Asset>,
}

struct Asset {
    name: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    packed: Bytes,
}

impl Assets {
    /// Packs every file.
    pub(super) fn load() -> Self {
        let mut hash = Sha256::new();
        let pack = |&(name, kind, plain): &(&'static str, &'static str, &'static [u8])| {
            hash.update(name.as_bytes());
            hash.update(plain);
            Asset { name, kind, plain, packed: pack(plain).into() }
        };
        let files = FILES.iter().map(pack).collect();
        Self { version: HEXLOWER.encode(&hash.finalize()[..6]), files }
    }

    /// The hash of all files, for their addresses.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let _ = packer.write_all(plain);
    packer.finish().unwrap_or_default()
}

/// Serves a file. An address of another version, as a page of before an update has it, gets the
/// file of now and is not kept.
pub(super) async fn serve(
    State(dashboard): State<Shared>,
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let assets = &dashboard.assets;
    let Some(asset) = assets.files.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", assets.version);
    let text_of =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let cache = if version == assets.version { "public, max-age=31536000, immutable" } else { "no-cache" };
    let head = [(header::CACHE_CONTROL, cache), (header::VARY, "Accept-Encoding"), (header::ETAG, &tag)];
    if text_of(header::IF_NONE_MATCH).contains(&tag) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    let kind = [(header::CONTENT_TYPE, asset.kind)];
    if text_of(header::ACCEPT_ENCODING).contains("gzip") {
        return (head, kind, [(header::CONTENT_ENCODING, "gzip")], asset.packed.clone()).into_response();
    }
    (head, kind, asset.plain).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendored_script_is_the_one_that_was_published() {
        let (_, _, script) = FILES.iter().find(|(name, ..)| name.starts_with("vendor/htmx")).expect("htmx");
        assert_eq!(
            HEXLOWER.encode(&Sha256::digest(script)),
            "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
            "htmx.org 4.0.1 of the npm registry, dist/htmx.min.js"
        );
    }

    #[test]
    fn everything_that_a_first_visit_loads_is_small() {
        let packed: usize = Assets::load().files.iter().map(|asset| asset.packed.len()).sum();
        assert!(packed < 60_000, "{packed} bytes packed");
    }

    #[test]
    fn no_script_makes_code_of_text() {
        for (name, kind, content) in FILES.iter().filter(|(name, ..)| !name.starts_with("vendor/")) {
            let text = std::str::from_utf8(content).expect("text");
            let found: Vec<_> =
                ["eval(", "new Function", "innerHTML", "document.write", "@import", "http://", "https://"]
                    .into_iter()
                    .filter(|word| text.contains(word) && !(*kind == SVG && word.starts_with("http")))
                    .collect();
            assert!(found.is_empty(), "{name} has {found:?}");
        }
    }
}
