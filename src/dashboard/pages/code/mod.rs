//! Pages about the files of handlers: the list, one file, two versions of it.

pub(in crate::dashboard) mod difference;
pub(in crate::dashboard) mod handler;
pub(in crate::dashboard) mod handlers;
