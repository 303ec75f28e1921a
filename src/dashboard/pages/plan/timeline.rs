//! The timeline: a span of time, with a lane for each task.

use askama::Template;
use axum::response::Response;

use crate::{
    dashboard::{
        ask::Fault,
        documents::{HandlerList, Lane, Timeline},
        markup::Markup,
        shown,
        svg::lanes::{self, Span},
        times::duration,
        visit::Visit,
    },
    domain::{Millis, time::HOUR},
};

/// The shortest and the longest span.
const SHORTEST: Millis = 5 * 60_000;
const LONGEST: Millis = 7 * 24 * HOUR;
/// Tasks of a page.
const LANES: usize = 30;

#[derive(Template)]
#[template(path = "timeline.html", blocks = ["lanes"])]
struct TimelinePage {
    visit: Visit,
    span: Span,
    timeline: Timeline,
    handlers: Vec<String>,
}

impl TimelinePage {
    fn draw(&self, lane: &Lane) -> Markup {
        let link = |run: &crate::dashboard::documents::LaneRun| self.visit.links.execution(&run.id);
        lanes::draw(lane, self.span, self.visit.at, link)
    }

    fn draw_load(&self) -> Markup {
        lanes::draw_load(&self.timeline.load, self.span, self.visit.at)
    }

    /// The labels of the axis, in a plot of their own.
    fn axis(&self) -> Markup {
        use crate::dashboard::markup::Tag;
        let ticks = self.span.ticks(self.visit.at);
        let label = |(index, (x, text)): (usize, &(String, String))| {
            // A small screen has room for every third label.
            let is_minor = ticks.len() > 5 && index % 3 != 1;
            let kind = if is_minor { "label minor" } else { "label" };
            let tag = Tag::open("text").with("class", kind).with("x", x).with("y", 12);
            tag.with("text-anchor", "middle").around(&Markup::text(text))
        };
        let inside = ticks.iter().enumerate().map(label).collect();
        let svg = Tag::open("svg").with("class", "axis").with("width", "100%").with("height", 18);
        svg.with("aria-hidden", "true").around(&inside)
    }

    fn length(&self) -> Millis {
        self.span.to - self.span.from
    }

    /// The address of another span of the same tasks.
    fn of(&self, from: Millis, to: Millis) -> String {
        let query = self.visit.query.only(&["handler", "name"]).with("from", from).with("to", to);
        query.after(&self.visit.links.to("/timeline"))
    }

    fn earlier(&self) -> String {
        let half = self.length() / 2;
        self.of((self.span.from - half).max(0), (self.span.to - half).max(SHORTEST))
    }

    fn later(&self) -> String {
        let half = self.length() / 2;
        self.of(self.span.from + half, self.span.to + half)
    }

    /// Half or twice the span around its middle.
    fn scaled(&self, length: Millis) -> String {
        let length = length.clamp(SHORTEST, LONGEST);
        let from = (self.span.from + (self.length() - length) / 2).max(0);
        self.of(from, from + length)
    }

    fn nearer(&self) -> Option<String> {
        (self.length() > SHORTEST).then(|| self.scaled(self.length() / 2))
    }

    fn farther(&self) -> Option<String> {
        (self.length() < LONGEST).then(|| self.scaled(self.length() * 2))
    }

    /// The span of this length around the present.
    fn present(&self) -> String {
        let from = (self.visit.at.now - self.length() / 2).max(0);
        self.of(from, from + self.length())
    }

    fn more_lanes(&self) -> Option<String> {
        let cursor = self.timeline.next_cursor.as_ref()?;
        Some(self.visit.here_with("cursor", cursor))
    }

    fn in_words(&self) -> String {
        let at = self.visit.at;
        let format = |moment| at.format(moment, "%a %-d %b, %H:%M");
        format!("{} to {}, {}", format(self.span.from), format(self.span.to), duration(self.length()))
    }

    /// Whether something of the span has been left out, and how it shows.
    fn cut(&self) -> bool {
        !self.timeline.complete || self.timeline.lanes.iter().any(|lane| lane.more || lane.planned_more)
    }
}

/// `/timeline`: `from` and `to` in epoch milliseconds, `handler`, `name`, `cursor`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let now = visit.at.now;
    let given = |name: &str| visit.query.get(name).parse::<Millis>().ok().filter(|time| *time >= 0);
    let from = given("from").unwrap_or((now - 12 * HOUR).max(0));
    let to = given("to").unwrap_or(from.saturating_add(24 * HOUR));
    let span = Span { from, to: to.clamp(from.saturating_add(SHORTEST), from.saturating_add(LONGEST)) };
    let query = visit.query.only(&["handler", "name", "cursor"]);
    let query = query.with("from", span.from).with("to", span.to).with("lanes", LANES);
    let timeline: Timeline = visit.api.get(&query.after("/admin/timeline")).await?;
    let handlers: HandlerList = visit.api.get("/admin/handlers").await?;
    let handlers = handlers.handlers.into_iter().map(|handler| handler.name).collect();
    let page = TimelinePage { visit, span, timeline, handlers };
    match page.visit.part() {
        "lanes" => page.visit.show(&page.as_lanes()),
        _ => page.visit.show(&page),
    }
}
