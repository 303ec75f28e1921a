//! Mask: replaces the values of secrets in texts that are kept, shown or logged.
//!
//! A value is found as it is, as JSON escapes it and as the console shows it in quotes, also when that was
//! done several times. Of a value of several lines each line is found as well,
//! because the console breaks such values. A long value is found although only its beginning is there.
//!
//! Misuse to avoid: cutting a text before its mask. Where a runner has cut it already, the beginning of a
//! value is found at the cut: before the mark of a cut (`…`, or the console's `... 5 more characters`) and, with [`Mask::apply_to_cut`], at the end.

use serde_json::{Map, Value};

/// Values and lines of fewer characters are not replaced: they would hide words of ordinary texts.
const SHORTEST: usize = 6;
/// A value of which so many characters at its beginning are found is replaced as far as it goes.
const TELLING: usize = 32;
/// Marks of cuts that are looked at in one text.
const MOST_MARKS: usize = 256;
/// A text is escaped at most so often: JSON in JSON, shown by the console.
const ESCAPED: usize = 3;
/// The fewest characters of a value that are replaced at the cut of a text.
const AT_CUT: usize = 3;

/// The values that are replaced in the texts of one run.
#[derive(Debug, Default)]
pub struct Mask {
    forms: Vec<Form>,
}

/// A text to find.
struct Form {
    text: String,
    /// Bytes of its beginning that tell it.
    head: usize,
    /// Its place in a text: `[secret NAME]`.
    label: String,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label)
    }
}

impl Mask {
    /// Adds the value of a secret.
    pub fn add(&mut self, name: &str, value: &str) {
        self.add_forms(name, value);
        for line in value.lines().map(str::trim).filter(|line| line.len() < value.len()) {
            self.add_forms(name, line);
        }
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    }

    fn add_forms(&mut self, name: &str, text: &str) {
        if text.chars().count() < SHORTEST {
            return;
        }
        for text in forms_of(text) {
            let label = format!("[secret {name}]");
            if self.forms.iter().any(|form| form.text == text && form.label == label) {
                continue;
            }
            let head = text.char_indices().nth(TELLING).map_or(text.len(), |(at, _)| at);
            self.forms.push(Form { text, head, label });
        }
    }

    /// Whether there is nothing to replace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` without the values.
    #[must_use]
    pub fn apply(&self, text: String) -> String {
        if self.is_empty() { text } else { self.replace(text, false) }
    }

    /// `text`, whose end was cut off, without the values and without the beginning of one at its end.
    #[must_use]
    pub fn apply_to_cut(&self, text: String) -> String {
        if self.is_empty() { text } else { self.replace(text, true) }
    }

    /// A JSON value without the values, in keys, texts and numbers. `cut`: its texts may have been cut.
    #[must_use]
    pub fn apply_to_json(&self, value: Value, cut: bool) -> Value {
        if self.is_empty() {
            return value;
        }
        let apply = |text: String| if cut { self.apply_to_cut(text) } else { self.apply(text) };
        match value {
            Value::String(text) => apply(text).into(),
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.apply(text.clone());
                if masked == text { Value::Number(number) } else { masked.into() }
            }
            Value::Array(items) => items.into_iter().map(|item| self.apply_to_json(item, cut)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .map(|(key, item)| (apply(key), self.apply_to_json(item, cut)))
                        .collect::<Map<_, _>>(),
                )
            }
            other => other,
        }
    }

    fn replace(&self, text: String, cut: bool) -> String {
        let mut ranges = self.find(&text);
        let marks = text.match_indices('…').map(|(at, _)| at).take(MOST_MARKS);
        let ends = marks.chain(cuts_of_console(&text).take(MOST_MARKS)).chain(cut.then_some(text.len()));
        ranges.extend(ends.filter_map(|end| self.find_before(&text[..end])));
        if ranges.is_empty() {
            return text;
        }
        ranges.sort_by_key(|(start, _, form)| (*start, *form));
        let mut masked = String::with_capacity(text.len());
        let mut ranges = ranges.into_iter().peekable();
        let mut done = 0;
        while let Some((start, mut end, mut form)) = ranges.next() {
            // Ranges that overlap are one; the longest value names it.
            while let Some((_, later, other)) = ranges.next_if(|(start, ..)| *start < end) {
                end = end.max(later);
                form = form.min(other);
            }
            masked += &text[done..start];
            masked += &self.forms[form].label;
            done = end;
        }
        masked += &text[done..];
        masked
    }

    /// Every place of a form: start, end and the form's index, the longest form first.
    fn find(&self, text: &str) -> Vec<(usize, usize, usize)> {
        let mut ranges = Vec::new();
        for (index, form) in self.forms.iter().enumerate() {
            let mut from = 0;
            while let Some(at) = text[from..].find(&form.text[..form.head]) {
                let start = from + at;
                let end = start + common_prefix(&text[start..], &form.text);
                ranges.push((start, end, index));
                from = end;
            }
        }
        ranges
    }

    /// The beginning of a form at the end of a text, of at least [`AT_CUT`] characters.
    fn find_before(&self, text: &str) -> Option<(usize, usize, usize)> {
        let longest = self.forms.iter().map(|form| form.head).max()?;
        let nearest = text.ceil_char_boundary(text.len().saturating_sub(longest));
        let mut starts = text[nearest..].char_indices().map(|(at, _)| nearest + at);
        starts.find_map(|start| {
            let tail = &text[start..];
            let form = self.forms.iter().position(|form| form.text.starts_with(tail))?;
            (tail.chars().count() >= AT_CUT).then_some((start, text.len(), form))
        })
    }
}

/// A text as it is and as it is escaped up to [`ESCAPED`] times: as JSON, and as the console in quotes,
/// which keeps `"` and writes a control character as `\u0000` or `\x00`.
fn forms_of(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    let mut last = 0;
    for _ in 0..ESCAPED {
        let end = forms.len();
        for index in last..end {
            let json = Value::from(forms[index].as_str()).to_string();
            let json = json[1..json.len() - 1].to_owned();
            let quoted = json.replace("\\\"", "\"");
            for form in [quoted.replace("\\u00", "\\x"), quoted, json] {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        last = end;
    }
    forms
}

/// The places where the console has cut a quoted text: `'abc'... 5 more characters`.
fn cuts_of_console(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("... ").filter_map(|(at, mark)| {
        let counted = text[at + mark.len()..].starts_with(|c: char| c.is_ascii_digit());
        let quoted = text[..at].ends_with(['"', '\'', '`']);
        (counted && quoted).then(|| at - 1)
    })
}

/// Bytes at the beginning that two texts have in common, whole characters only.
fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    a.floor_char_boundary(same).min(b.floor_char_boundary(same))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mask(values: &[(&str, &str)]) -> Mask {
        let mut mask = Mask::default();
        values.iter().for_each(|(name, value)| mask.add(name, value));
        mask
    }

    #[test]
    fn a_value_is_replaced_wherever_it_stands_and_in_its_escaped_forms() {
        let mask = mask(&[("A", "s3cret\"v\\alue\n2"), ("B", "12345678"), ("C", "short")]);
        for (text, masked) in [
            ("x s3cret\"v\\alue\n2 y", "x [secret A] y"),
            (r#"{"k":"s3cret\"v\\alue\n2"}"#, r#"{"k":"[secret A]"}"#),
            (r#"{ k: 's3cret"v\\alue\n2' }"#, "{ k: '[secret A]' }"),
            // The console shows JSON that has the value: as a property, and in other JSON.
            (r#"{ body: '{"k":"s3cret\\"v\\\\alue\\n2"}' }"#, r#"{ body: '{"k":"[secret A]"}' }"#),
            (r#"{"j":"{\"k\":\"s3cret\\\"v\\\\alue\\n2\"}"}"#, r#"{"j":"{\"k\":\"[secret A]\"}"}"#),
            (r#"{ s: "xxx123456"... 5 more characters }"#, r#"{ s: "xxx[secret B]"... 5 more characters }"#),
            (r#"{ s: "xxx123456"... and so on }"#, r#"{ s: "xxx123456"... and so on }"#),
            ("1234567812345678", "[secret B][secret B]"),
            ("short 1234567", "short 1234567"),
        ] {
            assert_eq!(mask.apply(text.to_owned()), masked);
        }
        let result = json!({"12345678": [12_345_678, 1.5, null, {"a": "é12345678"}]});
        let masked = json!({"[secret B]": ["[secret B]", 1.5, null, {"a": "é[secret B]"}]});
        assert_eq!(mask.apply_to_json(result, false), masked);
    }

    #[test]
    fn values_that_overlap_leave_nothing_of_either() {
        let mask = mask(&[("SHORT", "abcdef"), ("LONG", "abcdefghi"), ("LATER", "ghijklmno")]);
        assert_eq!(mask.apply("abcdefghi abcdef".to_owned()), "[secret LONG] [secret SHORT]");
        assert_eq!(mask.apply("abcdefghijklmno!".to_owned()), "[secret LONG]!");
    }

    #[test]
    fn a_value_of_several_lines_is_replaced_line_by_line() {
        let mask = mask(&[("KEY", "-----BEGIN-----\nAAAABBBB\nCC\n-----END-----\n")]);
        let shown = "{\n  key: '-----BEGIN-----\\n' +\n    'AAAABBBB\\n' +\n    'CC\\n'";
        let masked = "{\n  key: '[secret KEY]\\n' +\n    '[secret KEY]\\n' +\n    'CC\\n'";
        assert_eq!(mask.apply(shown.to_owned()), masked);
    }

    #[test]
    fn the_beginning_of_a_value_is_replaced_at_a_cut_and_that_of_a_long_one_everywhere() {
        let long = "0123456789".repeat(10);
        let mask = mask(&[("LONG", &long), ("OTHER", "a-value-é")]);
        assert_eq!(mask.apply_to_cut("text a-va".to_owned()), "text [secret OTHER]");
        assert_eq!(mask.apply_to_cut("text a-value-é".to_owned()), "text [secret OTHER]");
        assert_eq!(mask.apply_to_cut("text a-".to_owned()), "text a-");
        assert_eq!(mask.apply("text a-va".to_owned()), "text a-va");
        assert_eq!(
            mask.apply("with { a: a-va…\ncause: a-value-…".to_owned()),
            "with { a: [secret OTHER]…\ncause: [secret OTHER]…"
        );
        assert_eq!(mask.apply(format!("\"{}\"... 50 more", &long[..50])), "\"[secret LONG]\"... 50 more");
        assert_eq!(mask.apply_to_cut(format!("x{}", &long[..20])), "x[secret LONG]");
    }
}
