//! The documents point to files and headings that exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders with pages. Folders inside them are not read.
const FOLDERS: [&str; 6] = ["", "docs", "bench", "fuzz", "runtime-js", "vendor/v8"];
/// First parts of the paths that pages name from the root of the repository.
const ROOTS: [&str; 5] = ["src/", "tests/", "docs/", "bench/", "runtime-js/"];

#[test]
fn every_link_and_every_path_in_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: Vec<PathBuf> = FOLDERS.iter().flat_map(|folder| pages_of(&root.join(folder))).collect();
    assert!(pages.len() >= 13, "only {pages:?}");
    let mut broken = BTreeSet::new();
    for page in &pages {
        let prose = prose_of(page);
        let folder = page.parent().expect("a folder");
        let links = links(&prose).filter(|link| !link.starts_with("http")).filter(|link| {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            !target.exists() || !heading.is_empty() && !headings(&target).contains(heading)
        });
        let paths = prose.split('`').skip(1).step_by(2).filter(|text| {
            let is_path = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            is_path && ROOTS.iter().any(|begin| text.starts_with(begin)) && !root.join(text).exists()
        });
        broken.extend(links.chain(paths).map(|found| format!("{}: {found}", page.display())));
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.into_iter().collect::<Vec<_>>().join("\n"));
}

fn pages_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder with pages");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

/// A page without its blocks of code.
fn prose_of(page: &Path) -> String {
    let text = fs::read_to_string(page).expect("a page");
    text.split("```").step_by(2).collect()
}

fn links(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// The headings of a page, in the form that links use.
fn headings(page: &Path) -> BTreeSet<String> {
    let name = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose_of(page).lines().filter(|line| line.starts_with('#')).map(name).collect()
}
