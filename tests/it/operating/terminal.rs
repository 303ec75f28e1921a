//! Texts of users and handlers on a terminal are shown, and their escapes have no effect.

use crate::harness::{Home, Options, until};

#[test]
fn run_shows_the_control_characters_of_a_handler() {
    let home = Home::new();
    home.write(
        "colourful",
        r"module.exports = (params) => {
           console.log('first\nsecond\t\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J');
           console.error('back\rspace \u202etxt.exe');
           if (params.fail) throw new Error('bad \x1b[2K');
           return { name: '\x1b[1m', c1: '\x9b1m', del: '\x7f' };
         };",
    );
    let ran = home.run(&["run", "colourful"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let expected = "first\nsecond\t\\u001b[31mred\\u001b[0m \\u001b]0;title\\u0007 \\u009b2J\n{\n  \
                    \"name\": \"\\u001b[1m\",\n  \"c1\": \"\\u009b1m\",\n  \"del\": \"\\u007f\"\n}\n";
    assert_eq!(ran.out(), expected);
    assert!(ran.err().contains("back\\rspace \\u202etxt.exe\n"), "{ran:?}");
    let failed = home.run(&["run", "colourful", "--params", r#"{"fail": true}"#]);
    assert!(failed.err().contains("bad \\u001b[2K\n"), "{failed:?}");
    let unknown = home.run(&["run", "no\u{1b}[31m\u{7}"]);
    assert_eq!(unknown.code(), Some(1));
    assert!(unknown.err().contains("no\\u001b[31m\\u0007"), "{unknown:?}");
    for said in [ran, failed, unknown] {
        let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!said.out().contains(acts) && !said.err().contains(acts), "{said:?}");
    }
}

#[test]
fn a_record_of_the_log_is_one_line_whatever_it_tells() {
    for format in ["pretty", "json"] {
        // The log line of a backup contains the folder's name.
        let options = Options::default().with_token("0123456789abcdef");
        let server = options.set("DATA", "da\nta\u{1b}[31m\u{9b}2J").set("LOG_FORMAT", format).start();
        let log = until("a backup is made", || Some(server.log()).filter(|log| log.contains("isochron-2")));
        assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
        let backup = log.lines().find(|line| line.contains("a backup has been made")).expect("a record");
        assert!(backup.contains("da\\nta\\u001b[31m\\u009b2J/backups/isochron-2"), "{backup}");
        let is_record = |line: &str| line.starts_with("{\"timestamp\"") || line.starts_with("20");
        assert!(log.lines().all(is_record), "{log}");
    }
}

#[test]
fn what_a_user_typed_is_quoted_in_one_line_with_its_escapes_shown() {
    let home = Home::new();
    let odd = "no\u{1b}[31mx\ny\u{202e}";
    let shown = "no\\u001b[31mx\\ny\\u202e";
    let cases: &[&[&str]] = &[
        &["run", odd],
        &["run", "t", odd],
        &["run", "t", "--timeout", odd],
        &["run", "t", "--config", odd],
        &["store", "import", odd, "--log", "error"],
        &["store", "verify", "--data", odd],
        &["store", odd],
        &["next", "--count", odd, "now"],
        &["next", "--timezone", odd, "now"],
        &[odd],
    ];
    for arguments in cases {
        let ran = home.run(arguments);
        assert!(matches!(ran.code(), Some(1 | 2)), "{arguments:?}: {ran:?}");
        check_quoted(&ran.err(), shown);
    }
    let imported = home.run(&["store", "export", odd, "--data", odd]);
    check_quoted(&imported.err(), shown);
    for name in ["ISOCHRON_X\u{1b}[31mx\ny\u{202e}", "ISOCHRON_LIMITS__X\u{9b}1m"] {
        let ran = home.command(&["serve"]).env(name, "1").output().expect("the binary runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        check_quoted(&said, &isochron_name(name));
    }
}

/// A name of a variable as it is shown.
fn isochron_name(name: &str) -> String {
    name.replace('\u{1b}', "\\u001b")
        .replace('\n', "\\n")
        .replace('\u{202e}', "\\u202e")
        .replace('\u{9b}', "\\u009b")
}

/// Checks that one line of `said` has the quoted text and that no character acts on a terminal.
#[track_caller]
fn check_quoted(said: &str, quoted: &str) {
    // An error about the value of a Rust type shows an escape in Rust's form.
    let in_rust = quoted.replace("\\u001b", "\\u{1b}").replace("\\u202e", "\\u{202e}");
    assert!(said.lines().any(|line| line.contains(quoted) || line.contains(&in_rust)), "{said}");
    assert!(!said.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{said:?}");
}
