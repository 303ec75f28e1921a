//! The binary: the command line, and the runner, which alone knows the JavaScript engine.
//!
//! Synchronous on purpose: a runner has to start the engine on the main thread before any
//! other thread exists, so only the subcommands that serve build a runtime.

#![cfg_attr(not(test), warn(clippy::too_many_lines))]

mod cli;
mod runner;

fn main() -> std::process::ExitCode {
    cli::main()
}
