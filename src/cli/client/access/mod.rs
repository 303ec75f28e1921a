//! Tokens, and the values that handlers may read.

pub(in crate::cli) mod binding;
mod token;

pub(in crate::cli) use self::{binding::Variables, token::Tokens};
