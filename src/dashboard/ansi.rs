//! ANSI: the colours that programs write for terminals, as classes. `js/log.js` does the same for lines
//! that arrive while a page is open.

use super::markup::{Markup, Tag};

/// The attributes that are on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    /// 0 to 7: the colours of terminals.
    colour: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
}

impl Style {
    /// Follows one number of a sequence.
    fn set(&mut self, code: u8) {
        match code {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            4 => self.underlined = true,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underlined = false,
            30..=37 => self.colour = Some(code - 30),
            90..=97 => self.colour = Some(code - 90),
            39 => self.colour = None,
            _ => {}
        }
    }

    fn classes(self) -> String {
        let mut classes: Vec<_> = self.colour.map(|colour| format!("c{colour}")).into_iter().collect();
        let flags = [(self.bold, "b"), (self.dim, "d"), (self.italic, "i"), (self.underlined, "u")];
        classes.extend(flags.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()));
        classes.join(" ")
    }
}

/// A line of output; sequences that are no colours are left out.
pub(super) fn show(line: &str) -> Markup {
    let mut pieces = line.split("\u{1b}[");
    let mut style = Style::default();
    let mut shown = Markup::text(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| ('@'..='~').contains(&c));
        let (codes, rest) = end.map_or((piece, ""), |end| piece.split_at(end));
        if rest.starts_with('m') {
            // A longer way to name a colour: its numbers are not those of attributes.
            let codes = codes
                .split_once("38;")
                .or_else(|| codes.split_once("48;"))
                .map_or(codes, |(before, _)| before);
            codes.split(';').map(|code| code.parse().unwrap_or_default()).for_each(|code| style.set(code));
        }
        let text = rest.get(1..).unwrap_or_default();
        if style == Style::default() {
            shown.push(&Markup::text(text));
        } else if !text.is_empty() {
            shown.push(&Tag::open("span").with("class", style.classes()).around(&Markup::text(text)));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_texts_stay_texts() {
        let table = [
            ("plain <b>", "plain &lt;b&gt;"),
            ("\u{1b}[31mred\u{1b}[0m end", "<span class=\"c1\">red</span> end"),
            (
                "\u{1b}[1;92mok\u{1b}[22m!\u{1b}[m.",
                "<span class=\"c2 b\">ok</span><span class=\"c2\">!</span>.",
            ),
            ("\u{1b}[2K\u{1b}[1Gdone", "done"),
            ("\u{1b}[38;5;196mfar\u{1b}[0m", "far"),
            ("cut \u{1b}[31", "cut "),
            ("\u{1b}[é", ""),
        ];
        for (line, html) in table {
            assert_eq!(show(line).to_string(), html, "{line:?}");
        }
    }
}
