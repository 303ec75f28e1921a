//! `isochron completions` and `isochron man`

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, fail};

/// Print completions for a shell
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn main(&self) -> ExitCode {
        clap_complete::generate(self.shell, &mut Cli::command(), "isochron", &mut std::io::stdout());
        ExitCode::SUCCESS
    }
}

/// Write the manual pages
#[derive(Debug, Args)]
pub(super) struct Manual {
    /// The folder, which is made if it is not there
    folder: PathBuf,
}

impl Manual {
    pub(super) fn main(&self) -> ExitCode {
        let folder = self.folder.display();
        let written =
            fs::create_dir_all(&self.folder).with_context(|| format!("make {folder}")).and_then(|()| {
                clap_mangen::generate_to(Cli::command(), &self.folder)
                    .with_context(|| format!("write the pages into {folder}"))
            });
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &error),
        }
    }
}
