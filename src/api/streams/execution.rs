//! `GET /admin/executions/:id/stream`: the output of one run, line by line, and its end.
//!
//! A line's index is its id. The lines come from the run's tail while the server has it, and from
//! the store before that and after.

use std::time::Duration;

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    events::last_event_id,
    nothing_more,
    pen::{Ended, Pen},
    respond,
};
use crate::{
    api::{
        auth::Caller,
        error::ApiError,
        input::{Fields, RunPath},
        routes::{find_execution, show_row},
        state::Shared,
    },
    domain::{
        Millis,
        execution::{ExecutionStatus, Level, Line, Progress},
        ids::{ExecutionId, TaskId},
        step::{Event, News},
    },
    events::Listener,
    scheduler::{Following, Part},
};

/// Lines of one event, at most.
const BATCH: usize = 200;
/// Between two looks at a run that is about to be dispatched.
const LOOKED_EVERY: Duration = Duration::from_millis(250);
/// Between two looks at the output of a run that another node has: it stores output as often.
const READ_EVERY: Duration = Duration::from_millis(500);
/// The end of a run is told this long after it is recorded, at the latest; afterwards nobody waits for it.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
/// The id of the last event.
const END: &str = "end";

pub(in crate::api) async fn stream(
    State(api): State<Shared>,
    caller: Caller,
    RunPath(id): RunPath,
    mut fields: Fields,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let in_batches = fields.choice("batch", &[("1", true), ("0", false)]).unwrap_or(true);
    let last = last_event_id(&mut fields, &headers);
    let next = match last.as_deref() {
        None | Some(END) => 0,
        Some(line) => line.parse::<u64>().ok().and_then(|line| line.checked_add(1)).unwrap_or_else(|| {
            fields.report("lastEventId", format!("must be the id of a line or \"{END}\", not \"{line}\""));
            0
        }),
    };
    fields.finish()?;
    // Listens before the look at the row: the end of a run in progress is yet to be told.
    let news = api.events.listen();
    let row = find_execution(&api, &caller, id).await?;
    if last.as_deref() == Some(END) {
        return Ok(nothing_more());
    }
    let is_told = row.status != ExecutionStatus::Running;
    let run =
        Run { api: api.clone(), task: row.task_id, id, next, in_batches, progress: None, news, is_told };
    respond(&api, caller, move |pen| run.write(pen))
}

/// The way of a client along the output of a run.
struct Run {
    api: Shared,
    task: TaskId,
    id: ExecutionId,
    /// The index of the next line.
    next: u64,
    in_batches: bool,
    /// The progress that was told last.
    progress: Option<Progress>,
    /// The news of the task, for a page that shows more than the output.
    news: Listener,
    /// Whether the end of the run is told, or will not be.
    is_told: bool,
}

#[derive(Serialize)]
struct Numbered<'a> {
    n: u64,
    time: Millis,
    level: Level,
    message: &'a str,
}

impl Run {
    async fn write(mut self, mut pen: Pen) -> Result<(), Ended> {
        let _watching = self.api.events.watch();
        loop {
            if let Some(following) = self.api.scheduler.follow(self.id) {
                self.follow(&mut pen, following).await?;
                continue;
            }
            // The row comes first: when it is closed, all of its lines are there.
            let row = self.api.store.execution(self.task, self.id).await.map_err(|_| Ended)?;
            let Some(row) = row else {
                // Its task was deleted.
                self.write_last_news(&mut pen).await?;
                return pen.send().await;
            };
            self.write_stored(&mut pen).await?;
            if row.status != ExecutionStatus::Running {
                self.write_last_news(&mut pen).await?;
                let document = show_row(&self.api, &pen.caller, row).map_err(|_| Ended)?;
                pen.event("end", Some(END), &document);
                return pen.send().await;
            }
            self.write_news(&mut pen);
            self.write_progress(&mut pen, row.progress);
            pen.send().await?;
            let own = self.api.store.shared().and_then(|shared| shared.node());
            let wait = if row.node == own { LOOKED_EVERY } else { READ_EVERY };
            pen.wait(sleep(wait), self.id().as_deref()).await?;
        }
    }

    /// Follows the run until its end is recorded.
    async fn follow(&mut self, pen: &mut Pen, mut following: Following) -> Result<(), Ended> {
        loop {
            match following.part(self.next, BATCH) {
                Part::Lines(lines) => {
                    self.write_lines(pen, &lines);
                    if pen.is_full() {
                        pen.send().await?;
                    }
                }
                Part::Stored(until) => {
                    self.write_stored(pen).await?;
                    // Lines that the store has refused are nowhere.
                    self.next = self.next.max(until);
                }
                Part::Awaited | Part::Nothing => {
                    let progress = self.api.scheduler.live(self.id).and_then(|live| live.progress());
                    self.write_progress(pen, progress);
                    self.write_news(pen);
                    pen.send().await?;
                    let id = self.id();
                    let news = async {
                        tokio::select! {
                            () = following.changed() => {}
                            () = self.news.wait() => {}
                        }
                    };
                    pen.wait(news, id.as_deref()).await?;
                }
                Part::Closed => return Ok(()),
            }
        }
    }

    /// Writes the lines that are in the store.
    async fn write_stored(&mut self, pen: &mut Pen) -> Result<(), Ended> {
        let outputs = self.api.store.outputs(vec![self.id], None).await.map_err(|_| Ended)?;
        let lines = outputs.into_iter().next().unwrap_or_default();
        let skip = usize::try_from(self.next).unwrap_or(usize::MAX).min(lines.len());
        for lines in lines[skip..].chunks(BATCH) {
            self.write_lines(pen, lines);
            if pen.is_full() {
                pen.send().await?;
            }
        }
        Ok(())
    }

    fn write_lines(&mut self, pen: &mut Pen, lines: &[Line]) {
        let numbered = (self.next..).zip(lines).map(|(n, line)| {
            let Line { time, level, ref message } = *line;
            Numbered { n, time, level, message }
        });
        self.next += lines.len() as u64;
        if self.in_batches {
            let numbered: Vec<_> = numbered.collect();
            let id = numbered.last().map(|line| line.n.to_string());
            pen.event("lines", id.as_deref(), &to_json(&numbered));
        } else {
            numbered.for_each(|line| pen.event("line", Some(&line.n.to_string()), &to_json(&line)));
        }
    }

    fn write_progress(&mut self, pen: &mut Pen, progress: Option<Progress>) {
        if progress.is_some() && progress != self.progress {
            pen.event("progress", None, &to_json(&progress));
            self.progress = progress;
        }
    }

    /// Writes the news of the task but for the progress of this run; whether some were missed.
    fn write_news(&mut self, pen: &mut Pen) -> bool {
        let mut missed = false;
        while self.news.is_behind() {
            let wanted =
                |event: &Event| event.task() == Some(self.task) && !matches!(event.news, News::Progress(..));
            let Ok(news) = self.news.take(wanted) else {
                // A page that has missed news still learns of the end from this stream.
                missed = true;
                continue;
            };
            for told in news {
                self.is_told |= told.event.closes(self.task, self.id);
                pen.event(told.event.news.name(), None, &told.text);
            }
        }
        missed
    }

    /// Writes the news of the task up to the end of the run. The row shows the end a moment before this server
    /// tells it, and longer before if another node has recorded it.
    async fn write_last_news(&mut self, pen: &mut Pen) -> Result<(), Ended> {
        let deadline = Instant::now() + TOLD_WITHIN;
        loop {
            let missed = self.write_news(pen);
            if missed || self.is_told || Instant::now() >= deadline {
                return Ok(());
            }
            pen.send().await?;
            let id = self.id();
            let news = async {
                tokio::select! {
                    () = self.news.wait() => {}
                    () = sleep_until(deadline) => {}
                }
            };
            pen.wait(news, id.as_deref()).await?;
        }
    }

    /// The id of the last line.
    fn id(&self) -> Option<String> {
        self.next.checked_sub(1).map(|last| last.to_string())
    }
}

/// The JSON of numbers and texts, which always have one.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
