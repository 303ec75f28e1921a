//! Parameters of statements, with their types.
//!
//! A statement that is not prepared must tell the types of its parameters, so each parameter knows its own.

use std::{error::Error, fmt};

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::domain::ids::{AlertId, ExecutionId, NodeId, TaskId, TokenId};

/// Sixteen bytes as a `uuid`: the order of the bytes is the order of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 16]);

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// A parameter. A list fills a column of the rows of `unnest`.
#[derive(Clone)]
pub(crate) enum Arg {
    Id(Option<Id>),
    Ids(Vec<Option<Id>>),
    Int(Option<i64>),
    Ints(Vec<Option<i64>>),
    Text(Option<String>),
    Texts(Vec<Option<String>>),
    Bytes(Option<Vec<u8>>),
    Blobs(Vec<Option<Vec<u8>>>),
    Bool(bool),
    Bools(Vec<bool>),
}

impl Arg {
    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Id(_) => Type::UUID,
            Self::Ids(_) => Type::UUID_ARRAY,
            Self::Int(_) => Type::INT8,
            Self::Ints(_) => Type::INT8_ARRAY,
            Self::Text(_) => Type::TEXT,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Bytes(_) => Type::BYTEA,
            Self::Blobs(_) => Type::BYTEA_ARRAY,
            Self::Bool(_) => Type::BOOL,
            Self::Bools(_) => Type::BOOL_ARRAY,
        }
    }
}

/// Shows no value: the driver logs parameters, and they are users' data.
impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())
    }
}

impl ToSql for Arg {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Id(value) => value.to_sql(ty, out),
            Self::Ids(value) => value.to_sql(ty, out),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Ints(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Texts(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
            Self::Blobs(value) => value.to_sql(ty, out),
            Self::Bool(value) => value.to_sql(ty, out),
            Self::Bools(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // The statement is prepared with these types.
        true
    }

    to_sql_checked!();
}

macro_rules! from {
    ($($type:ty => |$value:ident| $arg:expr;)*) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })*
    };
}

from! {
    TaskId => |id| Self::Id(Some(Id(id.to_bytes())));
    Option<TaskId> => |id| Self::Id(id.map(|id| Id(id.to_bytes())));
    ExecutionId => |id| Self::Id(Some(Id(id.to_bytes())));
    AlertId => |id| Self::Id(Some(Id(id.to_bytes())));
    Option<AlertId> => |id| Self::Id(id.map(|id| Id(id.to_bytes())));
    TokenId => |id| Self::Id(Some(Id(id.to_bytes())));
    NodeId => |id| Self::Id(Some(Id(id.to_bytes())));
    Option<NodeId> => |id| Self::Id(id.map(|id| Id(id.to_bytes())));
    u32 => |number| Self::Int(Some(number.into()));
    Option<u32> => |number| Self::Int(number.map(i64::from));
    Id => |id| Self::Id(Some(id));
    i64 => |number| Self::Int(Some(number));
    Option<i64> => |number| Self::Int(number);
    u64 => |number| Self::Int(Some(number.min(i64::MAX.unsigned_abs()).cast_signed()));
    usize => |number| Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)));
    &str => |text| Self::Text(Some(without_nul(text.to_owned())));
    String => |text| Self::Text(Some(without_nul(text)));
    Option<String> => |text| Self::Text(text.map(without_nul));
    Vec<u8> => |bytes| Self::Bytes(Some(bytes));
    Option<Vec<u8>> => |bytes| Self::Bytes(bytes);
    bool => |on| Self::Bool(on);
    Vec<bool> => |list| Self::Bools(list);
    Vec<TaskId> => |list| Self::Ids(list.into_iter().map(|id| Some(Id(id.to_bytes()))).collect());
    Vec<ExecutionId> => |list| Self::Ids(list.into_iter().map(|id| Some(Id(id.to_bytes()))).collect());
    Vec<Option<NodeId>> => |list| {
        Self::Ids(list.into_iter().map(|id| id.map(|id| Id(id.to_bytes()))).collect())
    };
    Vec<AlertId> => |list| Self::Ids(list.into_iter().map(|id| Some(Id(id.to_bytes()))).collect());
    Vec<Id> => |list| Self::Ids(list.into_iter().map(Some).collect());
    Vec<Option<Id>> => |list| Self::Ids(list);
    Vec<i64> => |list| Self::Ints(list.into_iter().map(Some).collect());
    Vec<Option<i64>> => |list| Self::Ints(list);
    Vec<String> => |list| Self::Texts(list.into_iter().map(|text| Some(without_nul(text))).collect());
    Vec<Option<String>> => |list| Self::Texts(list.into_iter().map(|text| text.map(without_nul)).collect());
    Vec<Vec<u8>> => |list| Self::Blobs(list.into_iter().map(Some).collect());
    Vec<Option<Vec<u8>>> => |list| Self::Blobs(list);
}

/// The database's texts have no U+0000. No text that is kept needs it; one that is looked for is then not found.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Makes a list of parameters.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::postgres::connection::Arg::from($value)),*]
    };
}
pub(crate) use args;

#[cfg(test)]
mod tests {
    #[test]
    fn a_parameter_shows_its_type_and_no_value() {
        let args = args!["hunter2", vec![b"hunter2".to_vec()], Some("hunter2".to_owned())];
        assert_eq!(format!("{args:?}"), "[text, _bytea, text]");
    }

    #[test]
    fn a_text_without_nul_stays_as_it_is() {
        assert_eq!(super::without_nul("a\u{1}b".to_owned()), "a\u{1}b");
        assert_eq!(super::without_nul("a\0b".to_owned()), "a\u{fffd}b");
    }
}
