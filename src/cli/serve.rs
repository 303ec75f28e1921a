//! `isochron serve`

use std::{
    fmt,
    io::{self, IsTerminal},
    process::ExitCode,
};

use isochron::{
    allocator, app,
    config::{Config, LogFormat},
    domain::text::to_one_line,
};
use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::format::{Writer, debug_fn},
};

use super::{Settings, USAGE, fail, say_line, service::ServiceManager};

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
        .and_then(|runtime| runtime.block_on(app::serve(&config, &ServiceManager, say_line)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// Logs go to standard error, a record a line: the text of a record cannot look like another
/// record, nor act on a terminal.
pub(super) fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|e| config.refuse("log", format!("a filter such as info or isochron=debug,info ({e})")))?;
    let terminal = io::stderr().is_terminal();
    let pretty = config.log_format.map_or(terminal, |format| format == LogFormat::Pretty);
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if pretty {
        let fields = debug_fn(write_field).delimited(" ");
        log.fmt_fields(fields).with_writer(io::stderr).with_ansi(terminal).init();
    } else {
        log.json().with_writer(|| OneLine(io::stderr())).init();
    }
    Ok(())
}

fn write_field(to: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => to.write_str(&to_one_line(&text)),
        name => write!(to, "{name}={}", to_one_line(&text)),
    }
}

/// Escapes the control characters that JSON leaves as they are. A record is one write.
struct OneLine(io::Stderr);

impl io::Write for OneLine {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        writeln!(self.0, "{}", to_one_line(text.trim_end()))?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
