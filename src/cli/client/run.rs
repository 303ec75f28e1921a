//! `isochron task run`

use std::{
    io::{self, IsTerminal},
    process::{self, ExitCode},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use isochron::domain::lock::lock;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    CONFLICT, Client, Done, Failure, Remote,
    draft::read_params,
    find::{items, text},
    follow::Stream,
    format::duration,
    output::Printer,
    put_error,
};
use crate::cli::{INTERRUPTED, paint::Paint, say, say_line, tell};

/// Parts of the progress bar.
const PARTS: u64 = 1000;
/// Between two looks at a run that waits for its turn.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// The flags of a run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The task's name, the beginning of it, or its id
    task: String,
    /// Parameters of this run instead of the task's: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// Wait for the end and print the result; the exit code is 1 if the run fails and 3 if it is skipped
    #[arg(short, long)]
    wait: bool,
    /// Wait, and print the output as it comes
    #[arg(short, long)]
    follow: bool,
    /// Cancel the run on Ctrl-C, which otherwise ends this command only
    #[arg(long)]
    cancel_on_interrupt: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
}

impl Run {
    pub(super) fn perform(&self, client: &Client) -> Done<ExitCode> {
        let params = self.params.as_deref().map(read_params).transpose().map_err(Failure::Usage)?;
        let body = params.map(|params| json!({ "params": params }));
        let id = client.find(&self.task)?;
        let started = client.ask("POST", &format!("/admin/scheduler/{id}/actions/run"), body.as_ref())?;
        let execution = text(&started, "executionId").to_owned();
        if !self.wait && !self.follow {
            if client.json {
                say(&started.to_string());
            } else {
                say_line(&format!("{}: {execution}", text(&started["meta"], "message")));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let cancel = self.cancel_on_interrupt.then(|| Client::new(&self.remote)).transpose()?;
        let (task, run) = (id.clone(), execution.clone());
        let interrupted = Arc::new(AtomicBool::new(false));
        let asked = interrupted.clone();
        end_on_interrupt(move || {
            asked.store(true, Ordering::SeqCst);
            if let Some(client) = &cancel {
                cancel_run(client, &task, &run);
            }
        });
        let usual = client.get(&format!("/admin/scheduler/{id}"))?["task"]["stats"]["p50"].as_u64();
        let end = self.watch(client, &execution, usual)?;
        let code = self.tell_end(client, &end);
        // A cancellation may end the run before it ends this command.
        Ok(if interrupted.load(Ordering::SeqCst) { ExitCode::from(INTERRUPTED) } else { code })
    }

    /// Shows the run, and returns the execution at its end.
    fn watch(&self, client: &Client, execution: &str, usual: Option<u64>) -> Done<Value> {
        let printer = Printer::all(client);
        let bar = Mutex::new(bar(usual));
        let mut stream = open(client, execution, &lock(&bar))?;
        loop {
            let told = stream.next()?;
            let bar = lock(&bar);
            match told.name.as_str() {
                "lines" if self.follow => {
                    bar.suspend(|| items(&told.data).for_each(|line| printer.show(line)));
                }
                "progress" => {
                    let parts = told.data["fraction"].as_f64().unwrap_or_default() * 1000.0;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
                    bar.set_position(parts as u64);
                    bar.set_message(
                        isochron::domain::text::to_one_line(text(&told.data, "text")).into_owned(),
                    );
                }
                "end" => {
                    bar.finish_and_clear();
                    return Ok(told.data);
                }
                _ => {}
            }
        }
    }

    fn tell_end(&self, client: &Client, end: &Value) -> ExitCode {
        let status = text(end, "status");
        let code = match status {
            "completed" => 0,
            "skipped" => CONFLICT,
            _ => 1,
        };
        if client.json {
            say(&end.to_string());
            return ExitCode::from(code);
        }
        let err = Paint::new(&io::stderr());
        let took = end["duration"].as_i64().map_or_else(String::new, |ms| format!(" after {}", duration(ms)));
        match status {
            "completed" => {
                put_error(&err.green(&format!("completed{took}")));
                say(&serde_json::to_string_pretty(&end["result"]).unwrap_or_default());
            }
            _ => {
                let head = err.red(&format!("{status} ({}){took}", text(end, "reason")));
                put_error(&format!("{head} {}", err.bold(text(end, "error"))));
                if let Some(stack) = end["stack"].as_str() {
                    put_error(&err.dim(stack));
                }
            }
        }
        ExitCode::from(code)
    }
}

/// Opens the stream of a run. One that waits for its turn has none yet.
fn open<'a>(client: &'a Client, execution: &str, bar: &ProgressBar) -> Done<Stream<'a>> {
    loop {
        match Stream::open(client, format!("/admin/executions/{execution}/stream")) {
            Err(Failure::Refused(404, _)) => {
                bar.set_message("waits for its turn");
                thread::sleep(LOOKED_EVERY);
            }
            opened => {
                bar.set_message("");
                return opened;
            }
        }
    }
}

/// A bar on a terminal; elsewhere it is hidden. `usual` is how long a run takes, in milliseconds.
fn bar(usual: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(PARTS);
    let usually = usual.and_then(|ms| i64::try_from(ms).ok());
    let usually = usually.map_or_else(String::new, |ms| format!(", usually {}", duration(ms)));
    let form = format!("{{spinner}} {{bar:24}} {{elapsed}}{usually}  {{wide_msg}}");
    if let Ok(style) = ProgressStyle::with_template(&form) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Ends this process with the code of an interruption on Ctrl-C, after `last`.
fn end_on_interrupt(last: impl FnOnce() + Send + 'static) {
    // Without these Ctrl-C ends the process as it always does.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    // Heard from here on, and not only once the thread runs.
    let Ok(mut interrupt) = runtime.block_on(async { signal(SignalKind::interrupt()) }) else { return };
    thread::spawn(move || {
        if runtime.block_on(interrupt.recv()).is_some() {
            last();
            process::exit(INTERRUPTED.into());
        }
    });
}

/// Cancels this run, or on a server that cannot do that, the runs of its task.
fn cancel_run(client: &Client, task: &str, execution: &str) {
    tell("isochron: the run is being cancelled");
    let one = client.ask("POST", &format!("/admin/executions/{execution}/actions/cancel"), None);
    if let Err(Failure::Refused(404 | 405, _)) = one {
        // It may have ended by itself.
        let _ = client.ask("POST", &format!("/admin/scheduler/{task}/actions/cancel"), None);
    }
}
