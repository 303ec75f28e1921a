//! The tools of the stories: a browser, its pages as a person uses them, and a proxy in front of a server.

mod driver;
mod page;
mod proxy;

pub(super) use self::{page::Browser, proxy::Proxy};
