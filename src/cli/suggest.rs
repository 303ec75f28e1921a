//! The known name that is nearest to an unknown one.

use strsim::damerau_levenshtein;

/// The nearest of `known`, if a slip of the fingers away from `word`; never `word` itself, which may be known
/// and yet not load.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        // The name without its folder is a slip of the memory.
        let leaf = name.rsplit('/').next().map_or(usize::MAX, |leaf| 1 + damerau_levenshtein(&lower, leaf));
        damerau_levenshtein(&lower, &name).min(leaf)
    };
    let most = 1 + word.chars().count() / 4;
    known
        .into_iter()
        .filter(|name| *name != word)
        .map(|name| (distance(name), name))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, name)| name)
}

/// ` (did you mean "x"?)`, or nothing.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |name| format!(" (did you mean \"{name}\"?)"))
}
