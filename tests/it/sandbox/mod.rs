//! The sandbox: files and runners that try to harm the server, the machine or another run.

mod escapes;
mod hostile;
mod intruders;
mod lease;
mod limits;
mod rewind;
mod runner;
mod swallowed;
mod system_calls;
