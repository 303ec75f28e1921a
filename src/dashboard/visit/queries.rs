//! Queries: the names and values that the address of each page may have.
//!
//! A page refuses every other one with words, as the API does: a wrong link must not show something else than it
//! says. Values that the API is asked with are judged by the API.

use chrono::NaiveDate;

use super::Query;
use crate::{
    dashboard::ask::{Fault, Problem, Refusal},
    domain::{Millis, text::to_one_line, time::LATEST},
};

/// The hours of the longest stretch of time that a list looks back.
const MOST_HOURS: Millis = 24 * 366;

/// The values that a name may have.
#[derive(Clone, Copy)]
enum Allowed {
    /// The API judges it, or it is a text to look for.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from the first to the second one.
    Whole(Millis, Millis),
    /// A day, such as `2026-11-28`.
    Day,
    /// A month, such as `2026-11`.
    Month,
}

use Allowed::{Day, Month, Text, Whole, Word};

/// The names that every page may have: of its parts, and of the mark of a second request.
const OF_EVERY_PAGE: [&str; 2] = ["part", "here"];
const MOMENT: Allowed = Whole(0, LATEST);
const SINCE: Allowed = Whole(1, MOST_HOURS);
const SKIP: Allowed = Whole(0, LATEST);

/// The pages, by the paths of their routes. A page that is not here reads its query as a form.
#[rustfmt::skip]
const PAGES: [(&str, &[(&str, Allowed)]); 21] = [
    ("/", &[]),
    ("/alerts", &[("status", Text), ("channel", Text), ("cursor", Text)]),
    ("/alerts/mute", &[]),
    ("/audit", &[("actor", Text), ("action", Text), ("taskId", Text), ("since", SINCE), ("cursor", Text)]),
    ("/calendar", &[("month", Month), ("day", Day), ("hour", MOMENT)]),
    ("/docs", &[]),
    ("/executions", &[
        ("status", Text), ("trigger", Text), ("handler", Text), ("taskId", Text), ("from", MOMENT), ("to", MOMENT),
        ("since", SINCE), ("cursor", Text), ("column", Word(super::COLUMNS)),
    ]),
    ("/executions/{id}", &[("lines", Word(&["all"]))]),
    ("/executions/{id}/{action}", &[]),
    ("/handlers", &[]),
    ("/handlers/{*name}", &[]),
    ("/search", &[("q", Text)]),
    ("/secrets", &[]),
    ("/tasks", &[
        ("status", Text), ("handler", Text), ("tag", Text), ("name", Text), ("sortBy", Text), ("sortOrder", Text),
        ("skip", SKIP),
    ]),
    ("/tasks/new", &[("from", Text), ("handler", Text)]),
    ("/tasks/{id}", &[("status", Text), ("trigger", Text), ("skip", SKIP)]),
    ("/tasks/{id}/edit", &[]),
    ("/tasks/{id}/why", &[("day", Day)]),
    ("/tasks/{id}/{action}", &[]),
    ("/timeline", &[("handler", Text), ("name", Text), ("cursor", Text), ("from", MOMENT), ("to", MOMENT)]),
    ("/tokens", &[]),
];

impl Allowed {
    /// The phrase about a value that is not one of these; `None` for one that is.
    fn refuse(self, value: &str) -> Option<String> {
        let (is_right, form) = match self {
            Text => return None,
            Word(words) => (words.contains(&value), format!("one of {}", words.join(", "))),
            Whole(least, most) => {
                let is_right = value.parse().is_ok_and(|number: Millis| (least..=most).contains(&number));
                (is_right, format!("a whole number from {least} to {most}"))
            }
            Day => (value.parse::<NaiveDate>().is_ok(), "a day such as 2026-11-28".to_owned()),
            Month => {
                let first = format!("{value}-01");
                (first.parse::<NaiveDate>().is_ok(), "a month such as 2026-11".to_owned())
            }
        };
        let short: String = value.chars().take(60).collect();
        (!is_right).then(|| format!("must be {form}, not \"{}\"", to_one_line(&short)))
    }
}

/// Checks the query of the page at a route.
///
/// # Errors
/// 400 that names each wrong name and value.
pub(super) fn check(route: &str, query: &Query) -> Result<(), Fault> {
    let Some((_, known)) = PAGES.iter().find(|(path, _)| *path == route) else { return Ok(()) };
    let mut details = Vec::new();
    for (name, value) in query.pairs().iter().filter(|(name, _)| !OF_EVERY_PAGE.contains(&name.as_str())) {
        let problem = match known.iter().find(|(one, _)| one == name) {
            Some((_, allowed)) => allowed.refuse(value),
            None if known.is_empty() => Some("is not known here: this page has no such choices".to_owned()),
            None => {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                Some(format!("is not known here; known are {}", names.join(", ")))
            }
        };
        let field: String = to_one_line(name).chars().take(60).collect();
        details.extend(problem.map(|problem| Problem { field, problem }));
    }
    if details.is_empty() {
        return Ok(());
    }
    let message = "The address asks for something that this page does not have:".to_owned();
    Err(Fault::Refused(Refusal { code: 400, message, details }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(route: &str, query: &str) -> Vec<String> {
        match check(route, &Query::read(query)) {
            Err(Fault::Refused(Refusal { details, .. })) => {
                details.into_iter().map(|one| format!("{} {}", one.field, one.problem)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_page_refuses_names_and_values_that_it_does_not_have() {
        for (route, query, said) in [
            ("/tasks", "page=-1", "page is not known here; known are status, handler, tag, name, sortBy"),
            ("/tasks", "skip=-1", "skip must be a whole number from 0 to 253402300799999, not \"-1\""),
            ("/calendar", "month=2026-13", "month must be a month such as 2026-11, not \"2026-13\""),
            ("/calendar", "day=today", "day must be a day such as 2026-11-28, not \"today\""),
            ("/executions", "column=nonsense", "column must be one of outcome, start, duration"),
            ("/audit", "since=0", "since must be a whole number from 1 to 8784, not \"0\""),
            (
                "/timeline",
                "from=%E2%80%AE1",
                "from must be a whole number from 0 to 253402300799999, not \"\\u202e1\"",
            ),
            ("/", "status=failed", "status is not known here: this page has no such choices"),
        ] {
            let problems = refused(route, query);
            assert!(problems.len() == 1 && problems[0].starts_with(said), "{route}?{query}: {problems:?}");
        }
    }

    #[test]
    fn a_page_takes_what_its_own_links_have() {
        for (route, query) in [
            ("/tasks", "status=nonsense&skip=50&part=rows"),
            ("/calendar", "month=2026-11&day=2026-11-28&hour=1795860000000"),
            ("/executions", "column=id&column=outcome&since=24"),
            ("/preview", "schedule=0+9+*+*+*&anything=else"),
            ("/alerts", "here=1"),
        ] {
            assert_eq!(refused(route, query), Vec::<String>::new(), "{route}?{query}");
        }
    }
}
