//! JSON whose values know their positions.

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{self, Object},
    common::Ranged,
    errors::ParseErrorKind,
    parse_to_ast,
};
use serde_json::{Map, Number, Value};

use super::finding::{Finding, Position};

/// A text, and the findings in it.
pub(super) struct Text<'a> {
    file: String,
    text: &'a str,
    line_starts: Vec<usize>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Text<'a> {
    pub(super) fn new(file: String, text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, text, line_starts: std::iter::once(0).chain(starts).collect(), findings: Vec::new() }
    }

    /// Parses the text, with comments and commas before closing brackets if `has_comments`.
    ///
    /// # Errors
    /// The first mistake.
    pub(super) fn parse(&self, has_comments: bool) -> Result<ast::Value<'a>, Finding> {
        let options = ParseOptions {
            allow_comments: has_comments,
            allow_trailing_commas: has_comments,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        match parse_to_ast(self.text, &CollectOptions::default(), &options) {
            Ok(parsed) => {
                let empty = || Finding::at(&self.file, self.position(0), "the file is empty");
                parsed.value.ok_or_else(empty)
            }
            Err(error) => {
                let hint = match error.kind() {
                    ParseErrorKind::CommentsNotAllowed | ParseErrorKind::TrailingCommasNotAllowed => {
                        ": name the file tasks.jsonc to have them"
                    }
                    _ => "",
                };
                let problem = format!("not valid JSON: {}{hint}", lower_first(&error.kind().to_string()));
                Err(Finding::at(&self.file, self.position(error.range().start), problem))
            }
        }
    }

    /// Reports a mistake at a value.
    pub(super) fn report(&mut self, at: &impl Ranged, problem: impl Into<String>) {
        self.report_at(self.position(at.start()), problem);
    }

    pub(super) fn report_at(&mut self, position: Position, problem: impl Into<String>) {
        self.findings.push(Finding::at(&self.file, position, problem));
    }

    /// The position of a byte.
    pub(super) fn position(&self, byte: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= byte).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..byte).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// The object as a body of the API would have it; reports keys that are given twice.
    pub(super) fn object(&mut self, object: &Object<'a>) -> Map<String, Value> {
        let mut map = Map::new();
        for property in &object.properties {
            let key = property.name.as_str();
            let value = self.value(&property.value);
            if map.insert(key.to_owned(), value).is_some() {
                self.report(&property.name, format!("the key \"{key}\" is given twice"));
            }
        }
        map
    }

    fn value(&mut self, value: &ast::Value<'a>) -> Value {
        match value {
            ast::Value::Object(object) => Value::Object(self.object(object)),
            ast::Value::Array(array) => {
                Value::Array(array.elements.iter().map(|item| self.value(item)).collect())
            }
            ast::Value::StringLit(text) => Value::String(text.value.clone().into_owned()),
            ast::Value::BooleanLit(switch) => Value::Bool(switch.value),
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::NumberLit(number) => match serde_json::from_str::<Number>(number.value) {
                Ok(number) => Value::Number(number),
                Err(_) => {
                    self.report(number, format!("{} is not a number that can be kept", number.value));
                    Value::Null
                }
            },
        }
    }
}

/// The byte at which the value of `path` begins, such as `params.list[0].key`; of a key that is not
/// there, that of the nearest object around it.
pub(super) fn locate(object: &Object<'_>, path: &str) -> usize {
    // A key may have dots in it, so that the longest one that fits goes first.
    let fits = |key: &str| {
        path.strip_prefix(key)
            .filter(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    let found =
        object.properties.iter().filter_map(|property| Some((fits(property.name.as_str())?, property)));
    match found.min_by_key(|(rest, _)| rest.len()) {
        Some((rest, property)) => {
            let inner = locate_in(&property.value, rest);
            inner.unwrap_or_else(|| if rest.is_empty() { property.value.start() } else { property.start() })
        }
        None => object.start(),
    }
}

fn locate_in(value: &ast::Value<'_>, rest: &str) -> Option<usize> {
    if let Some(rest) = rest.strip_prefix('.') {
        return Some(locate(value.as_object()?, rest));
    }
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let item = value.as_array()?.elements.get(index.parse::<usize>().ok()?)?;
    Some(locate_in(item, rest).unwrap_or_else(|| item.start()))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
