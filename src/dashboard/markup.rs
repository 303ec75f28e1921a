//! Markup: pieces of HTML that are not escaped again. Every text in them has been escaped.

use std::fmt::{self, Display, Write};

use askama::filters::HtmlSafe;

/// HTML that a template shows as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup of a text.
    pub(super) fn text(text: impl Display) -> Self {
        Self(Escaped(text).to_string())
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
}
