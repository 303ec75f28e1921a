//! The difference between two versions of a handler's source.

use askama::Template;
use axum::{extract::Path, response::Response};

use crate::dashboard::{
    ask::Fault,
    documents::{Difference, Hunk, Source},
    pages::segment,
    shown,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "difference.html")]
struct DifferencePage {
    visit: Visit,
    handler: String,
    old: String,
    new: String,
    difference: Difference,
}

/// A line with its numbers in both versions.
struct Line<'a> {
    kind: &'static str,
    sign: char,
    old: Option<usize>,
    new: Option<usize>,
    text: &'a str,
}

impl DifferencePage {
    fn lines<'a>(&self, hunk: &'a Hunk) -> Vec<Line<'a>> {
        let (mut old, mut new) = (hunk.old_start, hunk.new_start);
        let line = |line: &'a crate::dashboard::documents::DifferenceLine| {
            let (kind, in_old, in_new) = match line.op {
                '+' => ("added", false, true),
                '-' => ("removed", true, false),
                _ => ("same", true, true),
            };
            let sign = if kind == "same" { ' ' } else { line.op };
            let shown =
                Line { kind, sign, old: in_old.then_some(old), new: in_new.then_some(new), text: &line.text };
            old += usize::from(in_old);
            new += usize::from(in_new);
            shown
        };
        hunk.lines.iter().map(line).collect()
    }

    fn short(&self, hash: &str) -> String {
        hash.chars().take(10).collect()
    }

    fn count(&self, op: char) -> usize {
        self.difference.hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.op == op).count()
    }
}

/// `/sources/{old}/{new}`.
pub(in crate::dashboard) async fn show(
    visit: Visit,
    Path((old, new)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let source: Source = visit.api.get(&format!("/admin/sources/{}", segment(&new))).await?;
    let difference =
        visit.api.get(&format!("/admin/sources/{}/diff/{}", segment(&old), segment(&new))).await?;
    let page = DifferencePage { visit, handler: source.handler, old, new, difference };
    page.visit.show(&page)
}
