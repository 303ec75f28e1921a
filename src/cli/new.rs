//! `isochron new <name>`

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use isochron::domain::draft::handler_name;

use super::{FolderSettings, USAGE, fail, say};

/// The types of handlers, for editors.
const TYPES: &str = include_str!("../../runtime-js/handler.d.ts");
const JAVASCRIPT: &str = include_str!("new/handler.js.txt");
const TYPESCRIPT: &str = include_str!("new/handler.ts.txt");
const EDITOR: &str = include_str!("new/jsconfig.json");
/// The ends of the names of files that would be the same handler.
const ENDS: [&str; 6] = ["js", "cjs", "mjs", "ts", "cts", "mts"];

/// Write a handler to start from, and once the types for editors.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The handler's name, such as reports/sales
    name: String,
    /// Write TypeScript
    #[arg(long)]
    ts: bool,
    #[command(flatten)]
    settings: FolderSettings,
}

pub(super) fn main(options: &Options) -> ExitCode {
    let config = match options.settings.load() {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let (name, is_typescript) = match options.name.strip_suffix(".ts") {
        Some(name) => (name, true),
        None => (options.name.strip_suffix(".js").unwrap_or(&options.name), options.ts),
    };
    if let Err(problem) = handler_name(name) {
        return fail(USAGE, &anyhow::anyhow!("the name {problem}"));
    }
    match write(&config.tasks, name, is_typescript) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

fn write(tasks: &Path, name: &str, is_typescript: bool) -> anyhow::Result<()> {
    if let Some(end) = ENDS.iter().find(|end| tasks.join(format!("{name}.{end}")).exists()) {
        bail!(
            "{} is there already: choose another name, or remove it first",
            tasks.join(format!("{name}.{end}")).display()
        );
    }
    let (end, text) = if is_typescript { ("ts", TYPESCRIPT) } else { ("js", JAVASCRIPT) };
    let up = match name.matches('/').count() {
        0 => "./".to_owned(),
        levels => "../".repeat(levels),
    };
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let text = text.replace("{name}", leaf).replace("{types}", &format!("{up}isochron"));
    write_new(&tasks.join(format!("{name}.{end}")), &text)?;
    write_new(&tasks.join("jsconfig.json"), EDITOR)?;
    write_new(&tasks.join("isochron.d.ts"), TYPES)?;
    say(&format!(
        "\nTry it:       isochron run {name} --params '{{\"name\": \"Ada\"}}' --watch\n\
         Check it:     isochron check\n\
         Schedule it:  in {}, or over the API",
        tasks.join("tasks.json").display()
    ));
    Ok(())
}

/// Writes a file that is not there yet, and says so; leaves one that is there as it is.
pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    let mut file = match File::create_new(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("write {}", path.display())),
    };
    file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    say(&format!("wrote {}", path.display()));
    Ok(true)
}
