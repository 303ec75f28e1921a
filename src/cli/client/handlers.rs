//! `isochron handlers`

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow, ensure};
use clap::{Args, Subcommand};
use isochron::bundles::bundle::{CHUNK, FileEntry, MOST_BYTES, MOST_FILES, Manifest, hash_of};
use serde_json::{Value, json};

use super::{
    Client, Done, Failure, Remote, failure,
    find::{items, text},
    format::relative,
    now, paint, print_items,
    table::{Cell, Column, Style, Table},
};
use crate::cli::{say, say_line};

/// Rounds of sending what the server lacks.
const ROUNDS: usize = 5;
/// Characters of an id that are shown.
const SHOWN: usize = 12;

/// Push the handlers' folder into the store of a server, and look at the versions there
///
/// Servers with the setting handlers.from = "store" run the version that was pushed last.
#[derive(Debug, Args)]
pub(in crate::cli) struct Handlers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Push all files of a folder as one version, which the next runs use
    Push(Push),
    /// List the versions, the newest first
    List(List),
    /// Use a version that was pushed before
    Rollback(Rollback),
}

#[derive(Debug, Args)]
struct Push {
    /// The folder
    #[arg(default_value = "tasks", value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Rollback {
    /// The version, by the beginning of its id [default: the one pushed before the current one]
    id: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Handlers {
    pub(in crate::cli) fn main(&self) -> ExitCode {
        let (Command::Push(Push { remote, .. })
        | Command::List(List { remote })
        | Command::Rollback(Rollback { remote, .. })) = &self.command;
        super::main(remote, |client| {
            match &self.command {
                Command::Push(Push { folder, .. }) => push(client, folder),
                Command::List(_) => list(client),
                Command::Rollback(Rollback { id, .. }) => rollback(client, id.as_deref()),
            }?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The files of a folder, and where their chunks are.
#[derive(Default)]
struct Folder {
    root: PathBuf,
    manifest: Manifest,
    /// The path and the first byte of each chunk.
    chunks: BTreeMap<String, (String, usize)>,
    bytes: u64,
    /// Links that were left out.
    links: usize,
}

impl Folder {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let root = folder.canonicalize().with_context(|| format!("open the folder {}", folder.display()))?;
        ensure!(root.is_dir(), "{} is no folder", folder.display());
        let mut found = Self { root: root.clone(), ..Self::default() };
        found.collect(&root, "")?;
        ensure!(!found.manifest.is_empty(), "the folder {} has no file", folder.display());
        Ok(found)
    }

    /// Reads the files below a folder; names that begin with a dot are left out.
    fn collect(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let failed = || format!("read the folder {}", folder.display());
        for entry in fs::read_dir(folder).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(anyhow!("the name of {} is not UTF-8", entry.path().display()));
            };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(failed)?;
            if kind.is_dir() {
                self.collect(&entry.path(), &format!("{path}/"))?;
                continue;
            }
            let target = entry.path().canonicalize().ok().filter(|target| target.starts_with(&self.root));
            match target {
                Some(target) if target.is_file() => self.add(path, &target)?,
                _ => self.links += 1,
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, file: &Path) -> anyhow::Result<()> {
        let bytes = fs::read(file).with_context(|| format!("read the file {}", file.display()))?;
        self.bytes += bytes.len() as u64;
        ensure!(self.manifest.len() < MOST_FILES, "the folder has more than {MOST_FILES} files");
        ensure!(self.bytes <= MOST_BYTES, "the folder has more than {MOST_BYTES} bytes");
        let chunks: Vec<_> = bytes.chunks(CHUNK).map(hash_of).collect();
        for (place, hash) in chunks.iter().enumerate() {
            self.chunks.insert(hash.clone(), (path.clone(), place * CHUNK));
        }
        self.manifest.insert(path, FileEntry { size: bytes.len() as u64, chunks });
        Ok(())
    }

    fn chunk(&self, hash: &str) -> anyhow::Result<Vec<u8>> {
        let (path, start) = self.chunks.get(hash).context("the server asks for a chunk that there is not")?;
        let bytes = fs::read(self.root.join(path)).with_context(|| format!("read the file {path}"))?;
        let end = bytes.len().min(start + CHUNK);
        let chunk = bytes.get(*start..end).unwrap_or_default().to_vec();
        ensure!(hash_of(&chunk) == hash, "the file {path} has changed meanwhile: push again");
        Ok(chunk)
    }
}

fn push(client: &Client, folder: &Path) -> Done {
    let folder = Folder::read(folder).map_err(Failure::Usage)?;
    let manifest = serde_json::to_vec(&folder.manifest).map_err(anyhow::Error::from)?;
    let parts: BTreeMap<_, _> = manifest.chunks(CHUNK).map(|part| (hash_of(part), part.to_vec())).collect();
    let body = json!({"manifest": manifest.chunks(CHUNK).map(hash_of).collect::<Vec<_>>()});
    let mut sent = 0;
    for _ in 0..ROUNDS {
        let answer = client.ask("POST", "/admin/bundles", Some(&body))?;
        let Some(missing) = answer["missing"].as_array() else {
            return told(client, &folder, sent, &answer);
        };
        for hash in missing.iter().filter_map(Value::as_str) {
            let bytes = match parts.get(hash) {
                Some(part) => part.clone(),
                None => folder.chunk(hash)?,
            };
            let body = json!({"content": data_encoding::BASE64.encode(&bytes)});
            client.ask("PUT", &format!("/admin/bundles/chunks/{hash}"), Some(&body))?;
            sent += bytes.len();
        }
    }
    Err(failure("the server lacks a part of the files again and again: push once more"))
}

/// Tells what a push has done.
fn told(client: &Client, folder: &Folder, sent: usize, answer: &Value) -> Done {
    if client.json {
        say(&answer.to_string());
        return Ok(());
    }
    let id = short(text(&answer["bundle"], "id"));
    say_line(&format!(
        "pushed {id}: {} files, {}; {} were sent",
        folder.manifest.len(),
        amount(folder.bytes),
        amount(sent as u64)
    ));
    if folder.links > 0 {
        say_line(&format!("{} links that lead to folders or out of the folder were left out", folder.links));
    }
    Ok(())
}

fn list(client: &Client) -> Done {
    let answer = client.get("/admin/bundles")?;
    if client.json {
        print_items(&answer["bundles"]);
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Fixed("ID"),
        Column::Fixed("USED"),
        Column::Fixed("PUSHED"),
        Column::Cut("BY"),
        Column::Fixed("FILES"),
        Column::Fixed("SIZE"),
    ]);
    for bundle in items(&answer["bundles"]) {
        let pushed = bundle["pushedAt"].as_i64().map_or_else(String::new, |time| relative(time, now()));
        table.add([
            Cell::new(short(text(bundle, "id")), Style::Bold),
            if bundle["current"] == true { "now" } else { "" }.into(),
            pushed.into(),
            text(bundle, "pushedBy").into(),
            bundle["files"].to_string().into(),
            amount(bundle["bytes"].as_u64().unwrap_or_default()).into(),
        ]);
    }
    table.print(paint(), "no handlers have been pushed yet: isochron handlers push");
    Ok(())
}

fn rollback(client: &Client, wanted: Option<&str>) -> Done {
    let answer = client.get("/admin/bundles")?;
    let bundles: Vec<_> = items(&answer["bundles"]).collect();
    let id = match wanted {
        Some(start) => {
            let mut found =
                bundles.iter().map(|bundle| text(bundle, "id")).filter(|id| id.starts_with(start));
            let id = found.next().ok_or_else(|| failure(format!("there is no version {start}")))?;
            if found.next().is_some() {
                return Err(failure(format!(
                    "more than one version begins with {start}: write more of its id"
                )));
            }
            id
        }
        None => {
            let mut older = bundles.iter().skip_while(|bundle| bundle["current"] != true).skip(1);
            older
                .next()
                .map(|bundle| text(bundle, "id"))
                .ok_or_else(|| failure("no version was pushed before the current one"))?
        }
    };
    let answer = client.ask("POST", &format!("/admin/bundles/{id}/actions/use"), None)?;
    if client.json {
        say(&answer.to_string());
    } else {
        say_line(&format!("the next runs use {}", short(id)));
    }
    Ok(())
}

fn short(id: &str) -> &str {
    id.get(..SHOWN).unwrap_or(id)
}

/// A number of bytes for people.
fn amount(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}
