//! Connections to the server: addresses, TLS, statements and their parameters.
//!
//! Statements are sent one behind the other and answered in that order ([`Connection::all`]); a connection
//! prepares each at its first use, unless a pooler is between. In the texts of statements `#` stands for the
//! schema and its dot.

mod args;
mod codes;
mod dialect;
mod link;
mod pipeline;
mod readers;
mod tls;
mod url;

pub(crate) use self::{
    args::{Arg, Id, args},
    codes::{Outlook, text_of},
    link::{Connection, Query, query},
    readers::Readers,
};
pub use self::{
    dialect::Dialect,
    url::{Settings, UrlError},
};
