//! `generate-report`, the sample that comes with isochron, in each of its formats.

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use lopdf::{Document, Object};
use serde_json::{Value, json};

use crate::harness::{Options, Server, task};

struct Reports {
    server: Server,
    task: String,
}

impl Reports {
    fn start() -> Self {
        let server = Options::default().with_shipped_handlers().start();
        let more = json!({ "recurring": true });
        let task = server.create(&task("report", "generate-report", "0 0 1 1 *", &more));
        Self { server, task }
    }

    #[track_caller]
    fn of(&self, params: &Value) -> Value {
        self.server.run_with(&self.task, params)
    }

    /// The PDF of July 2023, read by a PDF library.
    #[track_caller]
    fn pdf(&self, kind: &str) -> Document {
        let params = json!({ "reportType": kind, "month": 7, "year": 2023, "format": "pdf" });
        let execution = self.of(&params);
        assert_eq!(execution["status"], "completed", "{execution}");
        let report = execution["result"]["report"].as_str().expect("a text");
        Document::load_mem(&BASE64.decode(report).expect("base64")).expect("a PDF")
    }
}

#[test]
fn the_request_of_the_products_description_makes_a_pdf_of_one_page() {
    let reports = Reports::start();
    let document = reports.pdf("sales");
    assert_eq!(document.get_pages().len(), 1);
    let text = document.extract_text(&[1]).expect("the text of the page");
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        ["sales 2023-07", "Period", "July 2023", "Days", "31", "Weekdays", "21", "Weekend days", "10"]
    );
    let info = document.trailer.get(b"Info").and_then(Object::as_reference).expect("a reference");
    let title = document.get_dictionary(info).and_then(|info| info.get(b"Title")).and_then(Object::as_str);
    assert_eq!(title.expect("a title"), b"sales 2023-07");
}

#[test]
fn any_kind_of_report_makes_a_pdf_that_can_be_read() {
    let reports = Reports::start();
    for (kind, shown) in [
        ("a (b) \\ c".to_owned(), "a (b) \\ c 2023-07".to_owned()),
        ("für Zoë".to_owned(), "für Zoë 2023-07".to_owned()),
        ("日本\n💥".to_owned(), "???? 2023-07".to_owned()),
        ("x".repeat(100), format!("{} 2023-07", "x".repeat(100))),
        (") Tj ET endstream".to_owned(), ") Tj ET endstream 2023-07".to_owned()),
    ] {
        let document = reports.pdf(&kind);
        let text = document.extract_text(&[1]).expect("the text of the page");
        assert_eq!(text.lines().next(), Some(shown.as_str()), "{kind}");
    }
}

#[test]
fn a_report_can_be_a_page_of_html_and_nothing_in_it_is_a_tag() {
    let reports = Reports::start();
    let params = json!({ "reportType": "<b>\"&'", "month": 2, "year": 2024, "format": "html" });
    let execution = reports.of(&params);
    let page = execution["result"]["report"].as_str().expect("a text");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
    assert!(page.contains("<h1>&#60;b&#62;&#34;&#38;&#39; 2024-02</h1>"), "{page}");
    assert!(page.contains("<th scope=\"row\">Days</th><td>29</td>"), "{page}");
}

#[test]
fn parameters_that_no_report_can_be_made_of_are_named() {
    let reports = Reports::start();
    for (params, error) in [
        (json!({ "format": "docx" }), "format must be \"json\", \"text\", \"html\" or \"pdf\", not docx"),
        (
            json!({ "format": "toString" }),
            "format must be \"json\", \"text\", \"html\" or \"pdf\", not toString",
        ),
        (json!({ "reportType": 7 }), "reportType must be a text of 1 to 100 characters"),
        (json!({ "reportType": "x".repeat(101) }), "reportType must be a text of 1 to 100 characters"),
        (
            json!({ "reporttype": "sales" }),
            "reporttype is no parameter; there are reportType, month, year and format",
        ),
        (json!({ "month": 13 }), "month must be a whole number from 1 to 12, not 13"),
    ] {
        let execution = reports.of(&params);
        assert_eq!(execution["reason"], "returned-failure", "{params}");
        assert_eq!(execution["error"], error, "{params}");
    }
}
