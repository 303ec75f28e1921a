//! `isochron init`

use std::process::ExitCode;

use clap::Args;

use super::{FolderSettings, USAGE, fail, new::write_new, say};

/// The files of `tasks/` that the binary carries.
const FILES: &[(&str, &str)] = &[
    ("cleanup-logs.js", include_str!("../../tasks/cleanup-logs.js")),
    ("database-stats.js", include_str!("../../tasks/database-stats.js")),
    ("generate-report.js", include_str!("../../tasks/generate-report.js")),
    ("examples/exchange-rates.js", include_str!("../../tasks/examples/exchange-rates.js")),
    ("examples/page-watch.js", include_str!("../../tasks/examples/page-watch.js")),
    ("examples/paged-api.js", include_str!("../../tasks/examples/paged-api.js")),
    ("examples/sales-report.ts", include_str!("../../tasks/examples/sales-report.ts")),
    ("examples/signed-webhook.js", include_str!("../../tasks/examples/signed-webhook.js")),
    ("examples/sql-over-http.js", include_str!("../../tasks/examples/sql-over-http.js")),
    ("examples/tasks.json", include_str!("../../tasks/examples/tasks.json")),
    ("examples/ten-steps.js", include_str!("../../tasks/examples/ten-steps.js")),
];

/// Whether a file below the handlers' folder is as it was shipped.
pub(super) fn is_shipped(name: &str, text: &str) -> bool {
    FILES.contains(&(name, text))
}

/// Write the handlers that come with isochron, and examples, into the handlers' folder.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    settings: FolderSettings,
}

pub(super) fn main(options: &Options) -> ExitCode {
    let config = match options.settings.load() {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let mut there = 0;
    for (name, text) in FILES {
        match write_new(&config.tasks.join(name), text) {
            Ok(true) => {}
            Ok(false) => there += 1,
            Err(error) => return fail(1, &error),
        }
    }
    match there {
        0 => {}
        1 => say("1 file was there already and stays as it is"),
        many => say(&format!("{many} files were there already and stay as they are")),
    }
    say(
        "\nStart the server:     isochron\nMake a handler:       isochron new hello\nCheck all handlers:   isochron check",
    );
    ExitCode::SUCCESS
}
