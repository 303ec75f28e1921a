//! Values as they are written, and the values that a setting accepts.

use std::{fmt, path::PathBuf};

use toml::de::DeValue;

use super::{Config, Secret};
use crate::domain::{draft::handler_name, network::NetRule};

/// A message repeats this many characters of a wrong value: one line of a terminal.
const MOST_SHOWN: usize = 80;

/// The values of a list of [`NetRule`]s.
pub(super) const NET_RULES: &str = "a list of hosts (`api.example.com`), `*.` and a host, addresses or CIDR \
    blocks (`10.0.0.0/8`, whose bits after the prefix are 0), each with or without a port (`db.local:5432`, `[::1]:80`)";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// A value as its origin has it.
pub(super) enum Raw<'a> {
    /// From a place that knows only text: a default, a variable, a flag.
    Word(&'a str),
    /// From the file, where a number is no text.
    Toml(&'a DeValue<'a>),
}

impl<'a> Raw<'a> {
    pub(super) fn word(text: &'a str) -> Self {
        Self::Word(text)
    }

    /// The text, whether or not the place could have said more.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) => Some(text),
            Self::Toml(value) => value.as_str(),
        }
    }

    /// Bytes of a text, none for anything else.
    pub(super) fn length(&self) -> usize {
        self.text().map_or(0, str::len)
    }

    fn integer(&self) -> Option<u64> {
        match self {
            Self::Word(text) => digits(text),
            Self::Toml(DeValue::Integer(n)) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            Self::Toml(_) => None,
        }
    }

    fn switch(&self) -> Option<bool> {
        match self {
            Self::Word("true") => Some(true),
            Self::Word("false") => Some(false),
            Self::Word(_) => None,
            Self::Toml(value) => value.as_bool(),
        }
    }

    /// Bytes: an integer, or text with a unit.
    fn size(&self) -> Option<u64> {
        self.integer().or_else(|| self.text().and_then(size))
    }

    /// The parts of a list, read one by one; `Err` is the part that `read` does not take.
    pub(super) fn list<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
        let parts: Vec<Raw<'_>> = match self {
            Self::Word(text) if text.trim().is_empty() => Vec::new(),
            Self::Word(text) => text.split(',').map(|part| Raw::Word(part.trim())).collect(),
            Self::Toml(DeValue::Array(items)) => items.iter().map(|item| Raw::Toml(item.get_ref())).collect(),
            Self::Toml(_) => return Err(self.to_string()),
        };
        parts.iter().map(|part| part.text().and_then(&read).ok_or_else(|| part.to_string())).collect()
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) => quote(f, text),
            Self::Toml(DeValue::String(text)) => quote(f, text),
            Self::Toml(DeValue::Integer(n)) => cut(f, &n.to_string()),
            Self::Toml(DeValue::Float(n)) => cut(f, n.as_str()),
            Self::Toml(DeValue::Boolean(on)) => write!(f, "{on}"),
            Self::Toml(DeValue::Datetime(time)) => write!(f, "{time}"),
            // An array or a table may hold anything, also a secret under its own key.
            Self::Toml(DeValue::Array(_)) => f.write_str("an array"),
            Self::Toml(DeValue::Table(_)) => f.write_str("a table"),
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    cut(f, &format!("{text:?}"))
}

fn cut(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => write!(f, "{}…", &text[..end]),
        None => f.write_str(text),
    }
}

/// Digits alone: `parse` by itself would take a plus sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.strip_prefix(' ').unwrap_or(unit) {
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => GIB,
        _ => return None,
    };
    digits(number)?.checked_mul(factor)
}

/// A size in the largest unit that divides it.
fn show_size(bytes: u64) -> String {
    let units = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None if bytes == 1 => "1 byte".into(),
        None => format!("{bytes} bytes"),
    }
}

/// Whether an `Authorization` header can carry the text unchanged. A token with a line break at
/// its end, as files of secrets have it, would match no request.
pub(super) fn is_token(text: &str) -> bool {
    (16..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The values that a setting accepts, and the field they go to.
pub(super) enum Accept {
    /// An integer within a range; in text, digits only.
    Count { from: u64, to: u64, unit: &'static str, put: fn(&mut Config, u64) },
    /// Bytes within a range.
    Size { from: u64, to: u64, put: fn(&mut Config, u64) },
    /// Yes or no.
    Switch { put: fn(&mut Config, bool) },
    /// Text; `put` says whether it took it.
    Text { allowed: &'static str, put: fn(&mut Config, &str) -> bool },
    /// A path, which need not exist.
    Path { put: fn(&mut Config, PathBuf) },
    /// Names of handlers.
    Names { put: fn(&mut Config, Vec<String>) },
    /// Texts; `put` says whether it took them.
    List { allowed: &'static str, put: fn(&mut Config, Vec<String>) -> bool },
    /// Hosts and addresses.
    NetRules { put: fn(&mut Config, Vec<NetRule>) },
    /// A text that is never shown.
    Hidden {
        allowed: &'static str,
        /// Whether it may be in a file.
        in_file: bool,
        is_right: fn(&str) -> bool,
        put: fn(&mut Config, Secret),
    },
}

/// A value that a setting did not take.
pub(super) struct Refused {
    /// The value or its wrong part, as a message may show it.
    pub(super) value: String,
    /// The values that are allowed, as a noun phrase.
    pub(super) allowed: String,
}

impl Accept {
    /// A range of bytes given in MiB; most sizes have such bounds.
    pub(super) const fn mib(from: u64, to: u64, put: fn(&mut Config, u64)) -> Self {
        Self::Size { from: from * MIB, to: to * MIB, put }
    }

    /// A range of bytes.
    pub(super) const fn bytes(from: u64, to: u64, put: fn(&mut Config, u64)) -> Self {
        Self::Size { from, to, put }
    }

    /// The values that are allowed, as a noun phrase.
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Count { from, to, unit: "", .. } => format!("an integer from {from} to {to}"),
            Self::Count { from, to, unit, .. } => format!("an integer from {from} to {to} ({unit})"),
            Self::Size { from, to, .. } => format!(
                "a size from {} to {}: bytes, or a number with KiB, MiB or GiB",
                show_size(*from),
                show_size(*to)
            ),
            Self::Switch { .. } => "true or false".into(),
            Self::Path { .. } => "a path".into(),
            Self::Text { allowed, .. } | Self::Hidden { allowed, .. } | Self::List { allowed, .. } => {
                (*allowed).into()
            }
            Self::Names { .. } => "names of handlers: letters, digits, `-`, `_`, and `/` between them".into(),
            Self::NetRules { .. } => NET_RULES.into(),
        }
    }

    /// Takes `raw` into `config`, or leaves `config` as it is.
    pub(super) fn put(&self, raw: &Raw<'_>, config: &mut Config) -> Result<(), Refused> {
        let refused = |value| Refused { value, allowed: self.allowed() };
        let whole = || refused(raw.to_string());
        match self {
            Self::Count { from, to, put, .. } => {
                put(config, raw.integer().filter(|n| (from..=to).contains(&n)).ok_or_else(whole)?);
            }
            Self::Size { from, to, put } => {
                put(config, raw.size().filter(|n| (from..=to).contains(&n)).ok_or_else(whole)?);
            }
            Self::Switch { put } => put(config, raw.switch().ok_or_else(whole)?),
            Self::Text { put, .. } => {
                let text = raw.text().ok_or_else(whole)?;
                if !put(config, text) {
                    return Err(whole());
                }
            }
            Self::Path { put } => {
                // The operating system would refuse a NUL with less of a reason, and later.
                let path = raw.text().filter(|text| !text.is_empty() && !text.contains('\0'));
                put(config, path.map(PathBuf::from).ok_or_else(whole)?);
            }
            Self::Names { put } => {
                let name = |text: &str| handler_name(text).is_ok().then(|| text.to_owned());
                put(config, raw.list(name).map_err(refused)?);
            }
            Self::List { put, .. } => {
                let parts = raw.list(|text| Some(text.to_owned())).map_err(refused)?;
                if !put(config, parts) {
                    return Err(whole());
                }
            }
            Self::NetRules { put } => put(config, raw.list(|text| text.parse().ok()).map_err(refused)?),
            Self::Hidden { is_right, put, .. } => {
                let text = raw.text().filter(|text| is_right(text)).ok_or_else(whole)?;
                put(config, Secret(text.to_owned()));
            }
        }
        Ok(())
    }
}
