//! Alerts: the messages whose occasion lasts, the deliveries, the channels, and the mute.

use askama::Template;
use axum::{http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    dashboard::{
        ask::{Fault, Refusal},
        documents::{Alerts, Deliveries, Delivery, Firing},
        forms::Form,
        links::Query,
        shown,
        visit::Visit,
    },
    domain::{
        Millis,
        access::Role,
        alerts::Attempt,
        draft::sentence,
        time::{DAY, HOUR, MINUTE},
    },
};

/// The names of the query that the API knows as well.
const ASKED: [&str; 3] = ["status", "channel", "cursor"];
/// The names that leave deliveries out.
const FILTERS: [&str; 2] = ["status", "channel"];
/// Deliveries of a page.
const LIMIT: usize = 30;

/// The lengths of a mute to choose from.
const LENGTHS: [(Millis, &str); 7] = [
    (HOUR, "an hour"),
    (15 * MINUTE, "15 minutes"),
    (4 * HOUR, "4 hours"),
    (12 * HOUR, "12 hours"),
    (DAY, "a day"),
    (3 * DAY, "3 days"),
    (7 * DAY, "a week"),
];

#[derive(Template)]
#[template(path = "alerts.html", blocks = ["now", "messages"])]
struct AlertsPage {
    visit: Visit,
    alerts: Alerts,
    list: Deliveries,
    /// The channel that was just tried, with the answer.
    tried: Option<(String, Attempt)>,
}

impl AlertsPage {
    /// The states of deliveries to choose from.
    fn states(&self) -> [(&'static str, &'static str); 6] {
        [
            ("", "All"),
            ("pending", "Waiting"),
            ("held", "Held back"),
            ("delivered", "Delivered"),
            ("given-up", "Given up"),
            ("dropped", "Dropped"),
        ]
    }

    fn of_status(&self, status: &str) -> String {
        self.filters().with("status", status).after(&self.address())
    }

    /// The address of the messages of a channel that wait, or are held back.
    fn waiting(&self, channel: &str, status: &str) -> String {
        Query::default().with("channel", channel).with("status", status).after(&self.address()) + "#messages"
    }

    fn filters(&self) -> Query {
        self.visit.query.only(&FILTERS)
    }

    fn is_filtered(&self) -> bool {
        !self.filters().is_empty()
    }

    fn address(&self) -> String {
        self.visit.links.to("/alerts")
    }

    fn newest(&self) -> String {
        self.filters().after(&self.address())
    }

    fn further(&self) -> Option<String> {
        let cursor = self.list.next_cursor.as_ref()?;
        Some(self.filters().with("cursor", cursor).after(&self.address()))
    }

    /// The messages whose occasion lasts: those about the same occasion of a task together.
    fn firing(&self) -> Vec<(&Firing, Vec<&Firing>)> {
        let mut all: Vec<(&Firing, Vec<&Firing>)> = Vec::new();
        for one in &self.alerts.firing {
            let same = |(first, _): &&mut (&Firing, Vec<_>)| {
                first.task_id == one.task_id && first.occasion == one.occasion
            };
            match all.iter_mut().find(same) {
                Some((_, channels)) => channels.push(one),
                None => all.push((one, vec![one])),
            }
        }
        all
    }

    /// Whether there is nothing to show yet.
    fn is_unused(&self) -> bool {
        self.alerts.channels.is_empty() && self.alerts.firing.is_empty() && self.alerts.mute.is_none()
    }

    fn is_admin(&self) -> bool {
        self.visit.may(Role::Admin)
    }
}

/// The question about a mute.
#[derive(Template)]
#[template(path = "mute.html", blocks = ["question"])]
struct MuteQuestion {
    visit: Visit,
    form: Form,
    problems: Vec<String>,
}

impl MuteQuestion {
    fn lengths(&self) -> [(Millis, &'static str); 7] {
        LENGTHS
    }
}

/// `GET /alerts`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    page(visit, None).await
}

async fn page(visit: Visit, tried: Option<(String, Attempt)>) -> Result<Response, Fault> {
    let alerts = visit.api.get("/admin/alerts").await?;
    let query = visit.query.only(&ASKED).with("limit", LIMIT);
    let list = visit.api.get(&query.after("/admin/alerts/deliveries")).await?;
    let page = AlertsPage { visit, alerts, list, tried };
    match page.visit.part() {
        "now" => page.visit.show(&page.as_now()),
        "messages" => page.visit.show(&page.as_messages()),
        _ => page.visit.show(&page),
    }
}

/// `POST /alerts/test`: tries a channel, and shows its answer.
pub(in crate::dashboard) async fn test(visit: Visit, form: Form) -> Result<Response, Fault> {
    /// The answer of the API.
    #[derive(Deserialize)]
    struct Tested {
        #[serde(flatten)]
        attempt: Attempt,
    }
    let channel = form.get("channel").to_owned();
    let body = json!({ "channel": channel }).to_string();
    let answer = visit.api.send(Method::POST, "/admin/alerts/test", Some(body)).await?;
    let tested: Tested = serde_json::from_value(answer)
        .map_err(|error| Fault::Broken(format!("the answer of a test: {error}")))?;
    page(visit, Some((channel, tested.attempt))).await
}

/// `GET /alerts/mute`.
pub(in crate::dashboard) async fn ask_mute(visit: Visit) -> Result<Response, Fault> {
    let form = Form::parse(b"");
    show_question(&MuteQuestion { visit, form, problems: Vec::new() })
}

/// `POST /alerts/mute`: a mute of a length, or its end for the length 0.
pub(in crate::dashboard) async fn mute(visit: Visit, form: Form) -> Result<Response, Fault> {
    let text = |name: &str| Some(form.get(name).trim()).filter(|text| !text.is_empty());
    let length = form.get("length").parse::<Millis>().ok().filter(|length| (0..=366 * DAY).contains(length));
    let Some(length) = length else {
        let problems = vec!["length must be one of the list".to_owned()];
        return show_question(&MuteQuestion { visit, form, problems });
    };
    let until = (length > 0).then(|| visit.at.now + length);
    let mut body = json!({ "until": until });
    for name in ["tag", "reason"] {
        if let (Some(text), true) = (text(name), until.is_some()) {
            body[name] = Value::from(text);
        }
    }
    match visit.api.send(Method::PUT, "/admin/alerts/mute", Some(body.to_string())).await {
        Ok(answer) => {
            let message = answer["meta"]["message"].as_str().unwrap_or_default();
            Ok(visit.go(&visit.links.to("/alerts"), message))
        }
        Err(Fault::Refused(Refusal { code: 400, details, .. })) => {
            let problems = details.iter().map(|one| sentence(&one.field, &one.problem)).collect();
            show_question(&MuteQuestion { visit, form, problems })
        }
        Err(fault) => Err(fault),
    }
}

fn show_question(question: &MuteQuestion) -> Result<Response, Fault> {
    match question.visit.part() {
        "question" => question.visit.show(&question.as_question()),
        _ => question.visit.show(&question),
    }
}

/// The newest messages about a task; none where they cannot be read.
pub(super) async fn newest_of(visit: &Visit, task: &str) -> Vec<Delivery> {
    let address = Query::default().with("taskId", task).with("limit", 5).after("/admin/alerts/deliveries");
    visit.api.get::<Deliveries>(&address).await.unwrap_or_default().deliveries
}
