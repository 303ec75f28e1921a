//! `isochron serve`

use std::{io::IsTerminal, process::ExitCode};

use isochron::{
    allocator, app,
    config::{Config, LogFormat},
};
use tracing_subscriber::EnvFilter;

use super::{Settings, USAGE, fail, say};

pub(super) fn main(settings: &Settings) -> ExitCode {
    let config = match settings.load().and_then(|config| start_log(&config).map(|()| config)) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    allocator::share_arenas();
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(app::serve(&config, say)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// Logs go to standard error.
pub(super) fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|e| config.refuse("log", format!("a filter such as info or isochron=debug,info ({e})")))?;
    let terminal = std::io::stderr().is_terminal();
    let pretty = config.log_format.map_or(terminal, |format| format == LogFormat::Pretty);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if pretty {
        log.with_ansi(terminal).init();
    } else {
        log.json().init();
    }
    Ok(())
}
