//! Colours on a terminal. Everywhere else, and with `NO_COLOR`, texts stay plain.

use std::{env, io::IsTerminal};

use isochron::domain::text::show_controls;

/// Whether and how texts are coloured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// For a stream: colours if it is a terminal that has them and the user wants them.
    pub(super) fn new(stream: &impl IsTerminal) -> Self {
        let refuses = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(stream.is_terminal() && !refuses && !is_dumb)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// The text without colour; control characters are shown, not obeyed.
    pub(super) fn plain(self, text: &str) -> String {
        show_controls(text).into_owned()
    }

    fn wrap(self, code: &str, text: &str) -> String {
        let text = show_controls(text);
        if self.0 && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.into_owned() }
    }
}
