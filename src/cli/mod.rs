//! Command line: one file per subcommand.

mod check;
mod client;
mod doctor;
mod init;
mod manual;
mod new;
mod next;
mod paint;
mod run;
mod secret;
mod serve;
mod service;
mod store;
mod suggest;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use isochron::{
    config::{self, Config},
    domain::{
        text::{show_controls, to_one_line},
        zone::parse_zone,
    },
};

/// Wrong usage: flags, settings, expressions.
pub(crate) const USAGE: u8 = 2;
/// Ended by the user.
pub(crate) const INTERRUPTED: u8 = 130;

/// Runs JavaScript on a schedule, each run in an isolate of its own.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the admin API and run the tasks that are due (the default).
    Serve(Settings),
    /// Run one handler now, in the same sandbox, without a server.
    Run(run::Options),
    /// Write a handler to start from.
    New(new::Options),
    /// Load every handler and read tasks.json; report all problems.
    Check(check::Options),
    /// Write the handlers that come with isochron, and examples.
    Init(init::Options),
    /// Look at the machine, the files and the server, and tell what would be better.
    Doctor(doctor::Options),
    /// Show the next times of a schedule.
    Next(next::Options),
    /// Set, list and delete secrets, and rotate their key.
    Secret(secret::Options),
    /// Look after the store of a server that is not running.
    Store(store::Options),
    /// Look after the tasks of a server.
    Task(client::Tasks),
    /// Show the output of a run, or of the newest run of a task.
    Logs(client::Logs),
    /// Show the news of tasks and runs as they come.
    Events(client::Events),
    /// Show the runs of all tasks that come next.
    Upcoming(client::Upcoming),
    /// Tell where more is due than can run at once, and what would help.
    Simulate(client::Simulate),
    /// Make, list and revoke the tokens of a server.
    Token(client::Tokens),
    /// Set, list and delete the variables of a server.
    Variable(client::Variables),
    /// Push the handlers into the store of a server, and look at the versions there.
    Handlers(client::Handlers),
    /// Look at the processes that share the store of a server.
    Node(client::Nodes),
    /// Print completions for a shell.
    Completions(manual::Completions),
    /// Write the manual pages.
    Man(manual::Manual),
    /// One runner process; the server starts these.
    #[command(hide = true)]
    Runner(crate::runner::Flags),
}

/// Where settings come from; a flag goes before the environment, that before the file.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8686]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The handlers' folder [default: tasks]
    #[arg(long, value_name = "DIR")]
    tasks: Option<String>,
    /// Where the store and the token are kept [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// How to log: pretty or json [default: pretty on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// The filter of log lines, such as info or isochron=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// A file with settings [default: isochron.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Settings of commands that work on files alone.
#[derive(Debug, Args)]
pub(crate) struct FolderSettings {
    /// The handlers' folder [default: tasks]
    #[arg(long, value_name = "DIR")]
    tasks: Option<String>,
    /// A file with settings [default: isochron.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl FolderSettings {
    fn load(&self) -> anyhow::Result<Config> {
        let (tasks, config) = (self.tasks.clone(), self.config.clone());
        Settings { listen: None, tasks, data: None, log_format: None, log: None, config }.load()
    }
}

/// Checks that the folder of the handlers is there.
fn ensure_folder(config: &Config) -> anyhow::Result<()> {
    let folder = config.tasks.display();
    anyhow::ensure!(
        config.tasks.is_dir(),
        "there is no folder {folder}: name it with --tasks, or make a handler in it with `isochron new`"
    );
    Ok(())
}

impl Settings {
    fn load(&self) -> anyhow::Result<Config> {
        let flags: Vec<(&str, String)> = [
            ("listen", &self.listen),
            ("tasks", &self.tasks),
            ("data", &self.data),
            ("logFormat", &self.log_format),
            ("log", &self.log),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.clone()?)))
        .collect();
        let file = config::read_file(self.config.as_deref(), &std::env::current_dir()?)?;
        let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let config = config::load(&flags, config::read_environment()?.into_iter(), file, cores)?;
        if let Err(error) = parse_zone(&config.timezone) {
            return Err(config.refuse("timezone", error.to_string()).into());
        }
        Ok(config)
    }
}

/// Runs the command of the command line.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let mut error = with_visible_arguments().unwrap_or(error);
        if error.kind() == ErrorKind::InvalidSubcommand {
            suggest_command(&mut error);
        }
        if error.kind() == ErrorKind::ArgumentConflict {
            tell("Put options after the subcommand: `isochron store verify --data DIR`.\n");
        }
        error.exit()
    });
    match cli.command {
        None => serve::main(&cli.serve),
        Some(Command::Serve(settings)) => serve::main(&settings),
        Some(Command::Run(options)) => run::main(options),
        Some(Command::New(options)) => new::main(&options),
        Some(Command::Check(options)) => check::main(&options),
        Some(Command::Init(options)) => init::main(&options),
        Some(Command::Doctor(options)) => doctor::main(&options),
        Some(Command::Next(options)) => next::main(&options),
        Some(Command::Secret(options)) => secret::main(options),
        Some(Command::Store(options)) => store::main(&options),
        Some(Command::Task(tasks)) => tasks.main(),
        Some(Command::Logs(logs)) => client::main(&logs.remote, |client| logs.perform(client)),
        Some(Command::Events(events)) => client::main(&events.remote, |client| events.perform(client)),
        Some(Command::Upcoming(span)) => client::main(&span.remote, |client| span.perform(client)),
        Some(Command::Simulate(span)) => client::main(&span.remote, |client| span.perform(client)),
        Some(Command::Token(tokens)) => tokens.main(),
        Some(Command::Variable(variables)) => variables.main(),
        Some(Command::Handlers(handlers)) => handlers.main(),
        Some(Command::Node(nodes)) => nodes.main(),
        Some(Command::Completions(completions)) => completions.main(),
        Some(Command::Man(manual)) => manual.main(),
        Some(Command::Runner(options)) => crate::runner::main(&options),
    }
}

/// Puts the nearest of the commands for users into an error about an unknown command.
fn suggest_command(error: &mut clap::Error) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let command = Cli::command();
    let names =
        command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    let nearest = suggest::nearest(word, names).map(str::to_owned);
    error.remove(ContextKind::SuggestedSubcommand);
    if let Some(nearest) = nearest {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![nearest]));
    }
}

/// The parser's error about the arguments with their control characters escaped: it quotes them.
fn with_visible_arguments() -> Option<clap::Error> {
    let arguments = std::env::args_os().map(|argument| to_one_line(&argument.to_string_lossy()).into_owned());
    Cli::try_parse_from(arguments).err()
}

/// Tells an error with its causes in one line, and returns the exit code.
fn fail(code: u8, error: &anyhow::Error) -> ExitCode {
    tell(&to_one_line(&format!("isochron: {error:#}")));
    ExitCode::from(code)
}

/// Writes a text to standard output as one line.
fn say_line(text: &str) {
    say(&to_one_line(text));
}

/// Writes lines to standard output. A closed output is no error: nobody reads on.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", show_controls(text)).and_then(|()| out.flush());
}

/// Writes lines to standard error.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", show_controls(text));
}
