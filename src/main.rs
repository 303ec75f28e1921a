//! The binary: the command line, and the runner, which alone knows the JavaScript engine.
//!
//! `main` is synchronous: a runner must start the engine on the main thread before any other
//! thread exists, so only the subcommands that serve build a tokio runtime.

#![cfg_attr(not(test), warn(clippy::too_many_lines))]

mod cli;
mod runner;

fn main() -> std::process::ExitCode {
    cli::main()
}
