//! The export of spans by OTLP over HTTP, in its JSON form, to the collector that `otel.endpoint` names.
//!
//! Spans go in batches through the server's own client. A batch that cannot be delivered is dropped and
//! counted: traces are no reason to keep memory or to hold up a run.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};
use url::Url;

use crate::{
    domain::network::{NetPolicy, NetRule},
    network::{Client, Failure, Limits, Redirect, Request, Upload},
    traces::{Attribute, Span, Traces},
};

/// Spans of one request.
const BATCH: usize = 512;
/// A batch that is not full goes after this time.
const SENT_EVERY: Duration = Duration::from_secs(2);
/// A request takes no longer, and neither do all that a stop still makes.
const WITHIN: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read.
const ANSWER: u64 = 64 * 1024;
/// Between two lines of the log about spans that were dropped.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Sends ended spans to a collector.
pub(super) struct Exporter {
    traces: Traces,
    spans: mpsc::Receiver<Span>,
    client: Client,
    place: NetRule,
    url: String,
    /// The dropped spans that the log tells of, and when it warned.
    warned: (u64, Option<Instant>),
}

impl Exporter {
    /// The host of `endpoint` may be reached whatever class its addresses have, unless `net.deny` has it.
    ///
    /// # Errors
    /// A sentence about the address.
    pub(super) fn open(
        endpoint: &str,
        net: &NetPolicy,
        (traces, spans): (Traces, mpsc::Receiver<Span>),
    ) -> anyhow::Result<Self> {
        let wrong = || anyhow::anyhow!("otel.endpoint must be an http: or https: address");
        let base = Url::parse(endpoint).map_err(|_| wrong())?;
        let host = base.host_str().ok_or_else(wrong)?;
        let port = base.port_or_known_default().ok_or_else(wrong)?;
        let place = format!("{host}:{port}").parse().map_err(|()| wrong())?;
        let client = Client::new(net.clone(), Limits { body: ANSWER, requests: 1 });
        let url = format!("{}/v1/traces", base.as_str().trim_end_matches('/'));
        Ok(Self { traces, spans, client, place, url, warned: (0, None) })
    }

    /// Sends spans until a stop, and then those that are left.
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut batch = Vec::new();
        while !*stopping.borrow() {
            let full =
                async { while batch.len() < BATCH && self.spans.recv_many(&mut batch, BATCH).await > 0 {} };
            tokio::select! {
                biased;
                _ = stopping.changed() => {}
                _ = timeout(SENT_EVERY, full) => self.send(&mut batch).await,
            }
        }
        // The spans of runs that ended during the stop are in the channel.
        self.spans.close();
        let rest = async {
            loop {
                self.send(&mut batch).await;
                if self.spans.recv_many(&mut batch, BATCH).await == 0 {
                    break;
                }
            }
        };
        // Spans that are left then go with the process.
        let _ = timeout(WITHIN, rest).await;
    }

    async fn send(&mut self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return self.warn_of_drops(None);
        }
        let body = write(batch).to_string().into_bytes();
        let count = batch.len() as u64;
        batch.clear();
        let problem = match timeout(WITHIN, self.post(body)).await {
            Ok(Ok(status)) if (200..300).contains(&status) => None,
            Ok(Ok(status)) => Some(format!("the collector answered {status}")),
            Ok(Err(failure)) => Some(failure.message),
            Err(_) => Some(format!("the collector did not answer within {} s", WITHIN.as_secs())),
        };
        if problem.is_some() {
            self.traces.drop_spans(count);
        }
        self.warn_of_drops(problem);
    }

    async fn post(&self, body: Vec<u8>) -> Result<u16, Failure> {
        let session = self.client.session_to(self.place.clone());
        let headers = [("content-type".to_owned(), b"application/json".to_vec())];
        let body = Upload::Bytes(body.into());
        let mut response =
            session.send(Request::new("POST", &self.url, &headers, Redirect::Manual, body)?).await?;
        // The answer ends the exchange; its text says nothing more.
        while let Ok(Some(_)) = response.body.next().await {}
        Ok(response.status)
    }

    /// Warns in the log of dropped spans, at most once in a while.
    fn warn_of_drops(&mut self, problem: Option<String>) {
        let dropped = self.traces.dropped();
        let is_early = self.warned.1.is_some_and(|warned| warned.elapsed() < TOLD_EVERY);
        if dropped > self.warned.0 && !is_early {
            self.warned = (dropped, Some(Instant::now()));
            let problem = problem.unwrap_or_else(|| "more spans come than can be sent".to_owned());
            tracing::warn!(dropped, problem, "spans of traces are dropped");
        }
    }
}

/// Sends spans, if they are recorded, until a stop.
pub(super) async fn export(exporter: Option<Exporter>, stopping: watch::Receiver<bool>) {
    if let Some(exporter) = exporter {
        exporter.run(stopping).await;
    }
}

/// The request for a batch, as the protocol has it.
fn write(batch: &[Span]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let resource = [text("service.name", "isochron"), text("service.version", env!("CARGO_PKG_VERSION"))];
    let spans: Vec<_> = batch.iter().map(write_span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "isochron"}, "spans": spans}],
    }]})
}

fn write_span(span: &Span) -> Value {
    // Numbers of 64 bits are texts in the protocol's JSON.
    let nanos = |time: i64| (i128::from(time) * 1_000_000).to_string();
    let attributes = span.about.attributes.iter().map(|(key, value)| {
        let value = match value {
            Attribute::Text(text) => json!({"stringValue": text}),
            Attribute::Number(number) => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    });
    let status = match &span.about.error {
        Some(error) => json!({"code": 2, "message": error}),
        None => json!({}),
    };
    let link = span.about.link.map(|context| {
        json!({"traceId": format!("{:032x}", context.trace), "spanId": format!("{:016x}", context.span)})
    });
    json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": format!("{:016x}", span.context.span),
        "parentSpanId": span.parent.map_or_else(String::new, |parent| format!("{parent:016x}")),
        "name": span.about.name,
        // Internal, or of a server.
        "kind": if span.about.serves { 2 } else { 1 },
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes.collect::<Vec<_>>(),
        "links": link.into_iter().collect::<Vec<_>>(),
        "status": status,
    })
}
