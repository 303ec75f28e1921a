//! A real Prometheus: it scrapes the server, and knows the rules and the dashboard that are shipped.
//!
//! Without the programs `prometheus` and `promtool` these tests say so and pass, unless the variable
//! `ISOCHRON_PROMETHEUS` is `require`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Options, Server, task, until};

fn packaging(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(path)
}

/// Whether the programs are there; fails the test if they are required.
fn are_there() -> bool {
    let found = ["prometheus", "promtool"]
        .iter()
        .all(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()));
    let required = std::env::var("ISOCHRON_PROMETHEUS").is_ok_and(|value| value == "require");
    assert!(found || !required, "prometheus and promtool are required and not there");
    if !found {
        println!("skipped: there is no prometheus and promtool");
    }
    found
}

/// A Prometheus that scrapes a server every half second.
struct Prometheus {
    process: Child,
    url: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Prometheus {
    /// Starts it with a folder for its files.
    fn start(server: &Server, folder: &tempfile::TempDir) -> Self {
        let config = json!({
            "global": { "scrape_interval": "500ms", "evaluation_interval": "500ms" },
            "rule_files": [packaging("prometheus/alerts.yml")],
            "scrape_configs": [{
                "job_name": "isochron",
                "authorization": { "credentials": server.client().token() },
                "static_configs": [{ "targets": [server.client().address()] }],
            }],
        });
        let file = folder.path().join("prometheus.yml");
        // JSON is YAML.
        fs::write(&file, config.to_string()).expect("it is written");
        // It cannot be told to choose a port, and ends when another program has taken the one that was free.
        until("it listens", || {
            let url = format!("127.0.0.1:{}", free_port());
            let process = Command::new("prometheus")
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
                .arg(format!("--web.listen-address={url}"))
                .arg("--enable-feature=native-histograms")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            let mut started = Self { process, url: format!("http://{url}") };
            let answers = until("it answers or ends", || {
                let is_over = started.process.try_wait().expect("its state").is_some();
                (is_over || started.ask("/api/v1/status/runtimeinfo", &[]).is_some()).then_some(!is_over)
            });
            answers.then_some(started)
        })
    }

    /// Asks a question of its API; `None` while it starts.
    fn ask(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let mut request = ureq::get(format!("{}{path}", self.url));
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        let answer: Value = request.call().ok()?.body_mut().read_json().ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }

    /// The series that an expression returns by now.
    fn series(&self, expression: &str) -> usize {
        let data = self.ask("/api/v1/query", &[("query", expression)]);
        data.and_then(|data| data["result"].as_array().map(Vec::len)).unwrap_or_default()
    }
}

/// The expressions of the dashboard, with its variables filled in.
fn expressions() -> Vec<String> {
    let text = fs::read_to_string(packaging("grafana/isochron.json")).expect("it reads");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let filled = targets.map(|target| {
        let expression = target["expr"].as_str().expect("an expression");
        expression.replace("$instance", ".*").replace("$handler", ".*").replace("$__rate_interval", "30s")
    });
    filled.collect()
}

#[test]
fn the_rules_are_right_and_use_only_metrics_that_there_are() {
    if !are_there() {
        return;
    }
    let checked =
        Command::new("promtool").args(["check", "rules"]).arg(packaging("prometheus/alerts.yml")).output();
    let checked = checked.expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let server = Options::default().set("METRICS__TASKS", "all").start();
    server.run_source("works", "module.exports = () => 1", &json!({}));
    let client = server.client();
    let mut linted = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let text = client.text(client.request("GET", "/metrics"));
    std::io::Write::write_all(&mut linted.stdin.take().expect("a pipe"), text.as_bytes()).expect("it reads");
    let linted = linted.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&linted.stderr).into_owned();
    assert!(linted.status.success(), "{said}");
}

#[test]
fn a_prometheus_scrapes_the_server_and_every_expression_of_the_dashboard_has_series() {
    if !are_there() {
        return;
    }
    let server = Options::default().set("METRICS__TASKS", "all").start();
    server.home.write("works", "module.exports = () => 1");
    server.home.write("fails", "module.exports = () => { throw new Error('no') }");
    for handler in ["works", "fails"] {
        server.create(&task(
            &format!("{handler} often"),
            handler,
            "every 300ms",
            &json!({ "recurring": true }),
        ));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let prometheus = Prometheus::start(&server, &folder);
    until("the server is scraped", || (prometheus.series("up{job=\"isochron\"} == 1") == 1).then_some(()));
    for expression in expressions() {
        until(&format!("{expression} has series"), || (prometheus.series(&expression) > 0).then_some(()));
    }
    let rules = prometheus.ask("/api/v1/rules", &[]).expect("it answers");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
    assert_eq!(rules.len(), 10);
    let wrong: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    until("a streak of failures is told", || {
        (prometheus.series("ALERTS{alertname=\"FailureStreak\"}") > 0).then_some(())
    });
}
