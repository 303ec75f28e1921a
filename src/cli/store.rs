//! `isochron store verify | export | import | migrate`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::ensure;
use clap::{Args, Subcommand};
use isochron::{
    app,
    backup::file,
    clock::{Clock, SystemClock},
    config::Config,
    domain::text::count,
    store::{
        Store,
        sled::{SledStore, Verified},
    },
};

use super::{Settings, USAGE, fail, say_line, serve::start_log};

/// Verify, export, import, migrate.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every record and every index; changes nothing
    ///
    /// The embedded store repairs itself at its next start; a store in PostgreSQL is not repaired.
    Verify(Settings),
    /// Write all tasks, their history and all values into a file
    Export(Copy),
    /// Read such a file into an empty store
    Import(Copy),
    /// Make the tables in the PostgreSQL server, or bring them to this build's version
    Migrate(Settings),
}

#[derive(Debug, Args)]
struct Copy {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(options: &Options) -> ExitCode {
    let (settings, logs) = match &options.command {
        // The findings go to standard output, so that the log is not needed.
        Command::Verify(settings) | Command::Migrate(settings) => (settings, false),
        Command::Export(copy) | Command::Import(copy) => (&copy.settings, true),
    };
    let loaded = settings.load().and_then(|config| {
        if logs {
            start_log(&config)?;
        }
        Ok(config)
    });
    let config = match loaded {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let done = match &options.command {
        Command::Verify(_) => verify(&config),
        Command::Export(copy) => export(&config, &copy.file),
        Command::Import(copy) => import(&config, &copy.file),
        Command::Migrate(_) => migrate(&config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// The place of the store, without its password.
fn place(config: &Config) -> anyhow::Result<String> {
    if config.store.url.is_none() {
        return Ok(config.store.path.display().to_string());
    }
    #[cfg(feature = "postgres")]
    return Ok(format!("{} ({})", app::postgres_settings(config)?.shown(), config.store.schema));
    #[cfg(not(feature = "postgres"))]
    anyhow::bail!("this build has no PostgreSQL")
}

fn migrate(config: &Config) -> anyhow::Result<()> {
    ensure!(config.store.url.is_some(), "the embedded store has no tables: set store.url first");
    #[cfg(feature = "postgres")]
    isochron::store::postgres::PgStore::migrate(app::postgres_settings(config)?)?;
    say_line(&format!("{} has the tables of this build", place(config)?));
    Ok(())
}

/// The findings of either kind of store.
fn verified(config: &Config) -> anyhow::Result<Verified> {
    #[cfg(feature = "postgres")]
    if config.store.url.is_some() {
        let found = isochron::store::postgres::PgStore::verify(app::postgres_settings(config)?)?;
        let isochron::store::postgres::Verified { counts, quarantined, problems } = found;
        return Ok(Verified { counts, quarantined, problems });
    }
    Ok(SledStore::verify(&config.store.path, config.store.cache)?)
}

fn verify(config: &Config) -> anyhow::Result<()> {
    ensure_exists(config)?;
    let Verified { counts, quarantined, problems } = verified(config)?;
    say_line(&format!("{}: {counts}", place(config)?));
    for found in quarantined {
        say_line(&format!("in quarantine: {found}"));
    }
    for problem in &problems {
        say_line(&format!("problem: {problem}"));
    }
    let mend = if config.store.url.is_some() {
        "nothing repairs them in PostgreSQL: restore the database, or import a backup into an empty schema \
         (`store.schema`)"
    } else {
        "the next start puts damaged records into quarantine and repairs indexes; import a backup to get missing \
         records back"
    };
    ensure!(problems.is_empty(), "{}: {mend}", count(problems.len(), "problem"));
    say_line("everything verifies");
    Ok(())
}

fn export(config: &Config, path: &Path) -> anyhow::Result<()> {
    ensure_exists(config)?;
    with_store(config, async |store: &dyn Store| {
        let counts = file::export(store, path, SystemClock.now()).await?;
        say_line(&format!("exported {counts} to {}", path.display()));
        if counts.secrets > 0 {
            say_line(
                "the secrets in it are encrypted, and the key of the secrets is not in it: keep it elsewhere",
            );
        }
        Ok(())
    })
}

fn import(config: &Config, path: &Path) -> anyhow::Result<()> {
    // Parameters, output and results are for the owner only.
    app::make_data_directory(config)?;
    with_store(config, async |store: &dyn Store| {
        let counts = file::import(store, path).await?;
        say_line(&format!("imported {counts} into {}", place(config)?));
        Ok(())
    })
}

/// Checks that there is a store: opening would make an empty one.
fn ensure_exists(config: &Config) -> anyhow::Result<()> {
    let path = &config.store.path;
    ensure!(
        config.store.url.is_some() || SledStore::is_in(path),
        "there is no store in {}: see --data",
        path.display()
    );
    Ok(())
}

fn with_store(
    config: &Config,
    work: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let store = app::open_joined(config).await?;
        let done = work(&*store).await;
        store.close().await?;
        done
    })
}
