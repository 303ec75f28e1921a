//! Tables on a terminal: coloured, and no wider than it is.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Server;

/// The lines that a command shows on a terminal of this width.
fn show(server: &Server, width: usize, arguments: &str) -> Vec<String> {
    let binary = env!("CARGO_BIN_EXE_isochron");
    let shell = format!("stty cols {width} rows 40; exec {binary} {arguments}");
    let ran = Command::new("script")
        .args(["-qec", &shell, "/dev/null"])
        .current_dir(server.home.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("TZ", "UTC")
        .env("ISOCHRON_SERVER", server.client().address())
        .output()
        .expect("script(1) runs");
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    first + parts.filter_map(|part| part.split_once('m').map(|(_, text)| text)).collect::<String>().as_str()
}

#[test]
fn tables_fit_the_terminal_and_have_colours() {
    let server = Server::start();
    let long = "a-report-with-a-name-of-fifty-characters-as-allowed";
    let id = server.create_dormant(
        &long[..50],
        "module.exports = () => { throw new Error('no\\nluck \\x1b[2J'); };",
        &json!({ "schedule": "15,45 8-18 * * MON-FRI" }),
    );
    server.run(&id);
    server.create_dormant("quick", "module.exports = () => 1;", &Value::Null);
    for arguments in ["task list", "task history a-rep", "upcoming --to 30d", "task list --status failed"] {
        for width in [60, 80, 120, 200] {
            let lines = show(&server, width, arguments);
            let shown: Vec<_> = lines.iter().map(|line| plain(line)).collect();
            assert!(lines.len() > 1, "{arguments}: {lines:?}");
            assert!(
                shown.iter().all(|line| line.chars().count() <= width),
                "{arguments} at {width}:\n{}",
                shown.join("\n")
            );
            assert!(shown.iter().all(|line| !line.contains('\u{1b}')), "{arguments}: {shown:?}");
        }
    }
    let narrow = show(&server, 60, "task list");
    assert!(narrow[1..].iter().any(|line| line.starts_with("\u{1b}[31mfailed\u{1b}[0m")), "{narrow:?}");
    assert!(narrow.iter().any(|line| plain(line).contains('…')), "{narrow:?}");
    let wide = show(&server, 200, "task list");
    assert!(
        plain(&wide[0]).ends_with("RECENT") && wide.iter().any(|line| plain(line).contains(&long[..50])),
        "{wide:?}"
    );
}
