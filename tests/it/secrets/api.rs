//! The routes, and the values that handlers are given.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{run, set};
use crate::harness::{Server, field};

#[test]
fn a_secret_is_set_listed_changed_and_deleted_and_its_value_is_in_no_answer() {
    let server = Server::start();
    let client = server.client();
    let body = json!({ "value": "a very secret value", "handlers": ["reports/*"] });
    let made = client.put("/admin/secrets/API_TOKEN", &body).expect(201);
    assert_json_snapshot!(made, { ".secret.createdAt" => "[time]", ".secret.updatedAt" => "[time]", ".meta.execTime" => "[time]" }, @r#"
    {
      "secret": {
        "name": "API_TOKEN",
        "handlers": [
          "reports/*"
        ],
        "env": false,
        "createdAt": "[time]",
        "updatedAt": "[time]"
      },
      "meta": {
        "message": "Secret \"API_TOKEN\" created successfully",
        "execTime": "[time]"
      }
    }
    "#);
    let changed =
        client.put("/admin/secrets/API_TOKEN", &json!({ "handlers": ["*"], "env": true })).expect(200);
    assert_eq!(field(&changed["secret"], ["handlers", "env"]), [json!(["*"]), json!(true)]);
    assert_eq!(changed["secret"]["createdAt"], made["secret"]["createdAt"]);
    let variable = set(&server, "variables", "REGION", &json!({ "value": "eu", "handlers": ["*"] }));
    assert_eq!(field(&variable["variable"], ["value", "env"]), [json!("eu"), json!(true)]);
    let list = client.get("/admin/secrets").expect(200);
    assert_eq!((&list["total"], &list["secrets"][0]), (&json!(1), &changed["secret"]));
    assert_eq!(client.get("/admin/variables").expect(200)["variables"][0]["value"], "eu");
    let one = client.get("/admin/secrets/API_TOKEN").expect(200);
    for answer in [made, changed, list, one] {
        assert!(!answer.to_string().contains("a very secret value"), "{answer}");
    }
    assert_eq!(run(&server, "reads", "return (await ctx.secrets.get('API_TOKEN')).length")["result"], 19);
    let deleted = client.delete("/admin/secrets/API_TOKEN").expect(200);
    assert_eq!(deleted["meta"]["message"], "Secret \"API_TOKEN\" deleted successfully");
    assert_eq!(client.delete("/admin/secrets/API_TOKEN").message(404), "Secret not found");
    assert_eq!(client.get("/admin/secrets/API_TOKEN").message(404), "Secret not found");
    assert_eq!(client.get("/admin/secrets/REGION").message(404), "Secret not found");
    assert_eq!(client.get("/admin/variables/NONE").message(404), "Variable not found");
}

#[test]
fn a_wrong_body_is_refused_by_its_field_and_no_answer_repeats_the_value() {
    let server = Server::start();
    let value = "hunter2-hunter2";
    let cases: &[(&str, Value, u16, &str)] = &[
        ("API-TOKEN", json!({ "value": value }), 400, "name is no name"),
        ("1ST", json!({ "value": value }), 400, "name is no name"),
        (&"x".repeat(65), json!({ "value": value }), 400, "name is no name"),
        ("A", json!({ "handlers": [] }), 400, "value is required for a new name"),
        ("A", json!({ "value": "" }), 400, "value must not be empty"),
        ("A", json!({ "value": [value] }), 400, "value must be a string"),
        ("A", json!({ "value": value.repeat(5000) }), 400, "at most 65536"),
        ("A", json!({ "value": value, "handlers": "*" }), 400, "handlers must be a list"),
        (
            "A",
            json!({ "value": value, "handlers": ["rep*", "ok", "a b"] }),
            400,
            "handlers: \"rep*\" is no pattern: a pattern is a handler's name",
        ),
        ("A", json!({ "value": value, "handlers": ["rep*", "ok", "a b"] }), 400, "; \"a b\" is no pattern"),
        ("A", json!({ "value": value, "handlers": [7] }), 400, "handlers must hold texts only"),
        ("A", json!({ "value": value, "env": "yes" }), 400, "env must be true or false"),
        ("A", json!({ "value": value, "handler": "x" }), 400, "handler is not known here"),
        ("PLAIN", json!({ "value": value }), 409, "\"PLAIN\" is a variable already"),
    ];
    set(&server, "variables", "PLAIN", &json!({ "value": "v" }));
    for (name, body, status, words) in cases {
        let answer = server.client().put(&format!("/admin/secrets/{name}"), body);
        assert!(!answer.body.to_string().contains(value), "{}", answer.body);
        let message = answer.message(*status);
        assert!(message.contains(words), "{body}: {message}");
    }
    assert_eq!(server.client().get("/admin/secrets").expect(200)["total"], 0);
    let anonymous = server.client().anonymous("GET", "/admin/secrets");
    server.client().send(anonymous, "").expect(401);
    assert!(!server.log().contains(value), "{}", server.log());
}

#[test]
fn a_handler_learns_whether_a_secret_is_missing_or_not_granted() {
    let server = Server::start();
    set(&server, "secrets", "OTHERS", &json!({ "value": "for others", "handlers": ["reports/*", "asks2"] }));
    set(&server, "secrets", "NOBODYS", &json!({ "value": "for nobody" }));
    set(&server, "variables", "PLAIN", &json!({ "value": "plain", "handlers": ["*"] }));
    let body = "const errors = {};
        for (const name of ['NONE', 'OTHERS', 'NOBODYS', 'PLAIN', 'no-name', 5, undefined]) {
          try { errors[name] = await ctx.secrets.get(name); } catch (error) { errors[name] = error.message; }
        }
        return errors;";
    let errors = run(&server, "asks", body)["result"].take();
    for (name, words) in [
        ("NONE", "the secret NONE is missing: set it with `isochron secret set NONE --handlers asks`"),
        ("OTHERS", "the secret OTHERS is not granted to the handler asks"),
        ("NOBODYS", "the secret NOBODYS is not granted to the handler asks"),
        ("PLAIN", "PLAIN is a variable, not a secret: read it as process.env.PLAIN"),
        ("no-name", "is no name"),
        ("5", "the name of a secret is a string, not 5"),
        ("undefined", "the name of a secret is a string, not undefined"),
    ] {
        let error = errors[name].as_str().unwrap_or_default();
        assert!(error.contains(words), "{name}: {errors}");
    }
    assert_eq!(
        run(&server, "reports/sales", "return (await ctx.secrets.get('OTHERS')).length")["result"],
        10
    );
}

#[test]
fn the_environment_has_granted_variables_and_the_secrets_that_are_meant_for_it() {
    let server = Server::start();
    for (kind, name, body) in [
        ("variables", "REGION", json!({ "value": "eu-1", "handlers": ["*"] })),
        ("variables", "HIDDEN", json!({ "value": "no", "handlers": ["*"], "env": false })),
        ("variables", "OTHERS", json!({ "value": "no", "handlers": ["reports/*"] })),
        ("secrets", "IN_ENV", json!({ "value": "in the environment", "handlers": ["shows"], "env": true })),
        ("secrets", "ASKED", json!({ "value": "only when asked", "handlers": ["*"] })),
    ] {
        set(&server, kind, name, &body);
    }
    let body = "const { REGION, HIDDEN, OTHERS, IN_ENV, ASKED, NODE_ENV } = process.env;
        console.log(IN_ENV);
        return { REGION, HIDDEN, OTHERS, IN_ENV: IN_ENV?.length, ASKED, NODE_ENV, admin: Object.keys(process.env).some((name) => /ISOCHRON|PATH|HOME/.test(name)) };";
    let shown = run(&server, "shows", body);
    let expected = json!({ "REGION": "eu-1", "IN_ENV": 18, "NODE_ENV": "production", "admin": false });
    assert_eq!(shown["result"], expected);
    assert_eq!(
        shown["output"][0]["message"], "[secret IN_ENV]",
        "a secret is hidden although no one asked for it"
    );
    let others = run(&server, "others", body);
    assert_eq!(others["result"], json!({ "REGION": "eu-1", "NODE_ENV": "production", "admin": false }));
    // A change counts from the next run on.
    set(&server, "variables", "REGION", &json!({ "value": "eu-2" }));
    let again = run(&server, "again", "return process.env.REGION");
    assert_eq!(again["result"], "eu-2");
}
