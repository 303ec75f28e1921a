//! Markup: pieces of HTML that are not escaped again. Every text in them has been escaped.

use std::fmt::{self, Display, Write};

use askama::filters::HtmlSafe;

use crate::domain::text::turns_writing;

/// HTML that a template shows as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup of a text.
    pub(super) fn text(text: impl Display) -> Self {
        Self(Escaped(text).to_string())
    }

    /// Markup of a text that a form sends back: the same text comes back, see [`show_turns`].
    pub(super) fn typed(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        for piece in Self::text(text).0.split_inclusive(turns_writing) {
            html.push_str(piece.trim_end_matches(turns_writing));
            for turn in piece.chars().filter(|character| turns_writing(*character)) {
                // Writing into a string does not fail.
                let _ = write!(html, "&#{};", u32::from(turn));
            }
        }
        Self(html)
    }

    /// An element: `attributes` are names and values, `inside` is its content.
    pub(super) fn element(name: &str, attributes: &[(&str, &dyn Display)], inside: &Self) -> Self {
        let mut html = Tag::open(name);
        for (name, value) in attributes {
            html.set(name, value);
        }
        html.around(inside)
    }

    /// Adds more markup at the end.
    pub(super) fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }
}

impl Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

impl FromIterator<Self> for Markup {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

/// A tag that is being written.
pub(super) struct Tag {
    name: String,
    html: String,
}

impl Tag {
    /// Begins a tag.
    pub(super) fn open(name: &str) -> Self {
        Self { name: name.to_owned(), html: format!("<{name}") }
    }

    /// Adds an attribute.
    pub(super) fn set(&mut self, name: &str, value: impl Display) -> &mut Self {
        // Writing into a string does not fail.
        let _ = write!(self.html, " {name}=\"{}\"", Escaped(value));
        self
    }

    /// The same, for a chain of calls.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.set(name, value);
        self
    }

    /// The element with its content.
    pub(super) fn around(self, inside: &Markup) -> Markup {
        let Self { name, html } = self;
        Markup(format!("{html}>{inside}</{name}>"))
    }

    /// The element without content.
    pub(super) fn empty(self) -> Markup {
        self.around(&Markup::default())
    }
}

/// A page in which each mark that turns the direction of writing is shown as JSON writes it (`\u202e`): such a mark
/// would show the text beside it in another order. A page has none but in the texts of users and handlers.
pub(super) fn show_turns(html: String) -> String {
    if !html.contains(turns_writing) {
        return html;
    }
    let mut shown = String::with_capacity(html.len() + 64);
    for character in html.chars() {
        if turns_writing(character) {
            // Writing into a string does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Shows a text with the characters escaped that mean something in HTML.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // HTML has no such character, escaped or not.
                '\0' => self.0.write_char('\u{fffd}')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_escaped_and_markup_is_not_escaped_again() {
        let text = Markup::text("<img src=x onerror='a&b'>\0");
        assert_eq!(text.to_string(), "&lt;img src=x onerror=&#39;a&amp;b&#39;&gt;\u{fffd}");
        let link = Markup::element("a", &[("title", &"\"<b>\"")], &Markup::text("&"));
        assert_eq!(link.to_string(), "<a title=\"&quot;&lt;b&gt;&quot;\">&amp;</a>");
    }

    #[test]
    fn a_mark_that_turns_the_writing_is_seen_and_does_not_act() {
        let page = show_turns("pay\u{202e}gpj.exe \u{61c}\u{2066}x\u{2069} “é” ع 東京".to_owned());
        assert_eq!(page, "pay\\u202egpj.exe \\u061c\\u2066x\\u2069 “é” ع 東京");
        let typed = Markup::typed("<a\u{202e}\u{202d}b>\u{202c}").to_string();
        assert_eq!(typed, "&lt;a&#8238;&#8237;b&gt;&#8236;");
        assert_eq!(show_turns(typed.clone()), typed, "a form sends the marks back");
    }
}
