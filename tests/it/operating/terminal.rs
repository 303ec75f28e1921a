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
