//! A table on a terminal: as wide as it may be, cut where it must be.

use console::{Term, measure_text_width};
use isochron::domain::text::to_one_line;

use super::put;
use crate::cli::{paint::Paint, say};

/// Spaces between two columns.
const GAP: usize = 2;
/// A column that may be cut keeps this many characters.
const NARROWEST: usize = 10;

/// A colour, if there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Green,
    Red,
    Yellow,
    Dim,
    Bold,
}

/// A text in one line.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: &str, style: Style) -> Self {
        Self { text: to_one_line(text).into_owned(), style }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Style::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text, Style::Plain)
    }
}

/// How a column gives way when the terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// It stays as it is.
    Fixed(&'static str),
    /// It is cut.
    Cut(&'static str),
    /// It is cut, and left out when that is not enough; the last such column first.
    Spare(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Fixed(title) | Self::Cut(title) | Self::Spare(title) => title,
        }
    }
}

/// Rows below titles.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(super) fn add<const N: usize>(&mut self, row: [Cell; N]) {
        self.rows.push(row.into());
    }

    /// Prints the table, or `nothing` if it has no rows.
    pub(super) fn print(&self, paint: Paint, nothing: &str) {
        if self.rows.is_empty() {
            return say(nothing);
        }
        // Not on a terminal: nothing is cut, so that other programs see all of it.
        let width = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        put(&self.text(paint, width));
    }

    fn text(&self, paint: Paint, width: Option<usize>) -> String {
        let widths = self.widths(width.unwrap_or(usize::MAX));
        let titles: Vec<_> =
            self.columns.iter().map(|column| Cell::new(column.title(), Style::Bold)).collect();
        let lines = std::iter::once(&titles).chain(&self.rows).map(|row| line(row, &widths, paint));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The width of each column; 0 for those that are left out.
    fn widths(&self, most: usize) -> Vec<usize> {
        let cells = |index: usize| self.rows.iter().filter_map(move |row| row.get(index));
        let mut widths: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let texts = cells(index).map(|cell| measure_text_width(&cell.text));
                texts.max().unwrap_or_default().max(column.title().len())
            })
            .collect();
        loop {
            let shown = widths.iter().filter(|width| **width > 0);
            let (count, sum) = shown.fold((0, 0), |(count, sum), width| (count + 1, sum + width));
            if sum + GAP * usize::saturating_sub(count, 1) <= most {
                return widths;
            }
            let may_be_cut = |index: &usize| !matches!(self.columns[*index], Column::Fixed(_));
            let widest = (0..widths.len()).filter(may_be_cut).max_by_key(|index| widths[*index]);
            match widest {
                Some(index) if widths[index] > NARROWEST => widths[index] -= 1,
                _ => {
                    let spare = |index: &usize| {
                        matches!(self.columns[*index], Column::Spare(_)) && widths[*index] > 0
                    };
                    match (0..widths.len()).rev().find(spare) {
                        Some(index) => widths[index] = 0,
                        None => return widths,
                    }
                }
            }
        }
    }
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths).filter(|(_, width)| **width > 0) {
        let text = cut(&cell.text, *width);
        let pad = width.saturating_sub(measure_text_width(&text)) + GAP;
        line += &colour(&text, cell.style, paint);
        line.extend(std::iter::repeat_n(' ', pad));
    }
    line.trim_end().to_owned()
}

/// A text in a colour.
pub(super) fn colour(text: &str, style: Style, paint: Paint) -> String {
    match style {
        Style::Plain => paint.plain(text),
        Style::Green => paint.green(text),
        Style::Red => paint.red(text),
        Style::Yellow => paint.yellow(text),
        Style::Dim => paint.dim(text),
        Style::Bold => paint.bold(text),
    }
}

/// A text that is no wider than `width`.
fn cut(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if measure_text_width(&short) + 2 > width {
            break;
        }
        short.push(c);
    }
    short + "…"
}
