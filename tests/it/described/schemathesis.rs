//! schemathesis asks for everything that the description promises, and for much that it rules out.
//!
//! Without the program this test says so and passes, unless `ISOCHRON_SCHEMATHESIS` is `require`; with `skip` it
//! always passes. `.ci/run` installs the program into `target/schemathesis`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::harness::{Home, Options};

const QUICK: &str = "module.exports = async (ctx) => { console.log('a line'); return { done: true }; };";

/// The program, where there is one and it is wanted.
fn program() -> Option<PathBuf> {
    let wanted = env::var("ISOCHRON_SCHEMATHESIS").unwrap_or_default();
    if wanted == "skip" {
        eprintln!("schemathesis is left out: ISOCHRON_SCHEMATHESIS=skip");
        return None;
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/st");
    let found = [own, PathBuf::from("st")].into_iter().find(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|output| {
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("version 4.")
        })
    });
    assert!(
        found.is_some() || wanted != "require",
        "schemathesis 4 is required: python3 -m venv target/schemathesis && target/schemathesis/bin/pip install schemathesis"
    );
    if found.is_none() {
        eprintln!("schemathesis is left out: it is not installed");
    }
    found
}

#[test]
fn the_server_does_what_its_description_says() {
    let Some(program) = program() else { return };
    let home = Home::new();
    home.write("quick", QUICK);
    home.write("folder/quick", QUICK);
    let settings = "trustedProxies = [\"127.0.0.1\"]\n[alerts.nobody]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n";
    fs::write(home.path().join("isochron.toml"), settings).expect("settings");
    let server = Options::default().start_in(home).expect("it starts");
    let task = server.create_dormant("described", QUICK, &json!({}));
    let run = server.run(&task);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/described");
    let output = Command::new(program)
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://{}/openapi.json", server.client().address()))
        .args([
            "--checks",
            "all",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "12",
            "--no-color",
        ])
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--exclude-path-regex", "/(stream|events)$"])
        .current_dir(folder)
        .env("PYTHONPATH", ".")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("ISOCHRON_TOKEN", server.client().token())
        .env("ISOCHRON_TASK", &task)
        .env("ISOCHRON_RUN", run["id"].as_str().expect("an id"))
        .env("ISOCHRON_SOURCE", run["handlerHash"].as_str().expect("a hash"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("generated"), "{text}");
}
