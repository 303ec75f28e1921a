//! The processes with an isolate: the template, the blanks that are its copies, and the cells that are theirs.

mod blank;
mod cell;
mod made;
mod template;

pub(crate) use self::template::serve;
