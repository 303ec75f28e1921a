//! Ways to a value that is not granted, and to one of an earlier run.

use serde_json::json;

use super::{run, set};
use crate::harness::{Options, Server, task};

#[test]
fn a_check_of_a_handler_is_given_no_secret() {
    let server = Server::start();
    set(&server, "secrets", "TOKEN", &json!({ "value": "the value", "handlers": ["*"], "env": true }));
    set(&server, "variables", "REGION", &json!({ "value": "eu", "handlers": ["*"] }));
    // The only way out of a check is the reason for which the file does not load.
    server.home.write(
        "checked",
        "throw new Error(JSON.stringify([process.env.TOKEN ?? null, process.env.REGION]));",
    );
    let answer = server.client().post("/admin/scheduler", &task("checked", "checked", "@daily", &json!({})));
    let message = answer.message(400);
    assert!(message.contains("[null,\"eu\"]"), "{message}");
}

#[test]
fn a_later_run_of_the_same_runner_cannot_read_what_an_earlier_one_was_given() {
    let server = Options::default().set("RUNNERS__MAX", "1").start();
    set(
        &server,
        "secrets",
        "TOKEN",
        &json!({ "value": "the value of one", "handlers": ["first"], "env": true }),
    );
    let keeps = "globalThis.kept = await ctx.secrets.get('TOKEN'); Object.prototype.kept = kept; process.env.KEPT = kept;
        Array.prototype.kept = kept; require.cache ??= {}; console.kept = kept; return kept.length;";
    for round in 0..3 {
        let name = if round == 0 { "first".to_owned() } else { format!("first{round}") };
        let first = run(&server, &name, keeps);
        if round > 0 {
            assert!(first["error"].to_string().contains("not granted"), "{first}");
        }
        let second = run(
            &server,
            &format!("second{round}"),
            "const asked = await ctx.secrets.get('TOKEN').catch((error) => error.message);
             return [typeof kept, typeof [].kept, typeof console.kept, process.env.KEPT, process.env.TOKEN, asked];",
        );
        let expected = json!([
            "undefined",
            "undefined",
            "undefined",
            null,
            null,
            format!(
                "the secret TOKEN is not granted to the handler second{round}: add the handler to the secret's handlers"
            )
        ]);
        assert_eq!(second["result"], expected, "{second}");
    }
}

#[test]
fn the_keys_of_the_server_are_in_no_environment_log_or_answer() {
    let key = "c2VjcmV0LWtleS1vZi10aGUtc2VydmVyLTEyMzQ1Njc=";
    let server = Options::default().set("SECRET_KEY", key).start();
    set(&server, "secrets", "TOKEN", &json!({ "value": "the value", "handlers": ["*"] }));
    let shown = run(&server, "shows", "return [process.env, Object.keys(process.env)]");
    for runner in server.runners() {
        let environment = std::fs::read(format!("/proc/{runner}/environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains("SECRET_KEY"));
    }
    let ready = server.client().get("/ready").expect(200);
    for text in [shown.to_string(), server.log(), ready.to_string()] {
        assert!(!text.contains(&key[..12]), "{text}");
    }
    assert!(!server.home.data().join("secret-key").exists(), "no file is made beside the variable");
}
