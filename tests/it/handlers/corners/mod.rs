//! Corners of the language and of the web APIs that authors of handlers meet.

mod lines;

use super::{messages, run_all};
use crate::harness::Server;
