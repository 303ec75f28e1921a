//! Traces: spans of requests and runs, on their way to the exporter of `app`.
//!
//! A part of the server begins a span ([`Traces::begin`]) and ends it ([`Traces::end`]); ended spans wait
//! in a bounded channel. When that is full a span is dropped and counted: nothing waits for a trace.
//! While no trace is recorded, which is the default, a span costs one look at an option.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc;

use crate::{
    clock::Clock,
    domain::{Millis, network::trace::TraceContext},
};

/// Ended spans that wait for the exporter.
const WAITING: usize = 2048;

/// Records spans, or does not. Clones record together.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Recorder>>);

struct Recorder {
    clock: Arc<dyn Clock>,
    ended: mpsc::Sender<Span>,
    dropped: AtomicU64,
}

/// A span that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Its own place in its trace.
    pub context: TraceContext,
    parent: Option<u64>,
    start: Millis,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its place in its trace.
    pub context: TraceContext,
    /// The span that it is a part of; none for a root.
    pub parent: Option<u64>,
    /// Epoch milliseconds.
    pub start: Millis,
    /// Epoch milliseconds.
    pub end: Millis,
    /// Its description.
    pub about: About,
}

/// The description of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The name, such as `run`.
    pub name: String,
    /// Whether it answers a request from outside.
    pub serves: bool,
    /// A span of another trace that led to it.
    pub link: Option<TraceContext>,
    /// Names and values.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Why the work failed, if it did.
    pub error: Option<String>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl Traces {
    /// Records spans, and the end of the channel from which they are taken.
    #[must_use]
    pub fn record(clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Span>) {
        let (ended, spans) = mpsc::channel(WAITING);
        let recorder = Recorder { clock, ended, dropped: AtomicU64::new(0) };
        (Self(Some(Arc::new(recorder))), spans)
    }

    /// Whether spans are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a span below `parent`, or the first one of a new trace. `None` while nothing is recorded.
    #[must_use]
    pub fn begin(&self, parent: Option<TraceContext>) -> Option<Open> {
        let recorder = self.0.as_ref()?;
        self.begin_at(parent, recorder.clock.now())
    }

    /// As [`Traces::begin`], for work that has begun at `start`.
    #[must_use]
    pub fn begin_at(&self, parent: Option<TraceContext>, start: Millis) -> Option<Open> {
        let recorder = self.0.as_ref()?;
        // 0 is no span, and no trace.
        let span = (recorder.clock.bits() & u128::from(u64::MAX)) as u64 | 1;
        let context = match parent {
            Some(parent) => TraceContext { span, ..parent },
            None => TraceContext { trace: recorder.clock.bits() | 1, span, sampled: true },
        };
        Some(Open { context, parent: parent.map(|parent| parent.span), start })
    }

    /// Ends a span.
    pub fn end(&self, open: Option<Open>, about: impl FnOnce() -> About) {
        let Some((recorder, open)) = self.0.as_ref().zip(open) else { return };
        if !open.context.sampled {
            return;
        }
        let Open { context, parent, start } = open;
        let span = Span { context, parent, start, end: recorder.clock.now(), about: about() };
        if recorder.ended.try_send(span).is_err() {
            self.drop_spans(1);
        }
    }

    /// Counts spans that cannot be exported.
    pub fn drop_spans(&self, number: u64) {
        if let Some(recorder) = &self.0 {
            recorder.dropped.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// The spans that were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |recorder| recorder.dropped.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn about() -> About {
        About { name: "work".to_owned(), serves: false, link: None, attributes: Vec::new(), error: None }
    }

    #[test]
    fn a_span_is_below_its_parent_and_in_its_trace() {
        let (traces, mut spans) = Traces::record(Arc::new(SystemClock));
        let root = traces.begin(None);
        let context = root.expect("it is recorded").context;
        let part = traces.begin(Some(context));
        traces.end(part, about);
        traces.end(root, about);
        let part = spans.try_recv().expect("a span");
        assert_eq!((part.context.trace, part.parent), (context.trace, Some(context.span)));
        assert_ne!(part.context.span, context.span);
        assert_eq!(spans.try_recv().expect("a span").parent, None);
    }

    #[test]
    fn a_trace_that_its_caller_does_not_record_is_handed_on_and_not_recorded() {
        let (traces, mut spans) = Traces::record(Arc::new(SystemClock));
        let parent = TraceContext { trace: 5, span: 6, sampled: false };
        let open = traces.begin(Some(parent)).expect("a context");
        assert_eq!((open.context.trace, open.context.sampled), (5, false));
        traces.end(Some(open), about);
        assert!(spans.try_recv().is_err());
    }

    #[test]
    fn spans_that_find_no_room_are_dropped_and_counted() {
        let (traces, _spans) = Traces::record(Arc::new(SystemClock));
        for _ in 0..WAITING + 3 {
            traces.end(traces.begin(None), about);
        }
        assert_eq!(traces.dropped(), 3);
    }

    #[test]
    fn nothing_is_recorded_unless_it_is_asked_for() {
        let traces = Traces::default();
        assert!(traces.begin(None).is_none());
        traces.end(None, || unreachable!("nothing describes it"));
    }
}
