//! Texts of handlers and users that try to be more than texts.

use serde_json::json;

use super::visit;
use crate::harness::{Server, task};

#[test]
fn texts_stay_texts_wherever_they_are_shown() {
    let server = Server::start();
    let source = r#"module.exports = (params) => {
      console.log('<img src=x onerror="document.title = 1">');
      console.error('\u202eevil\u202c \u001b[31mred\u001b[0m \u0000');
      console.warn('x'.repeat(4096));
      if (params.fail) throw new Error('<script>document.title = 2</script>');
      return { '</pre><script>document.title = 3</script>': '<b>' };
    };"#;
    server.home.write("hostile", source);
    let name = "<img src=x onerror=alert(1)>\"'&";
    let more =
        json!({ "recurring": true, "description": "x".repeat(200), "params": { "</script><b>": "&lt;" } });
    let id = server.create(&task(name, "hostile", "0 0 1 1 *", &more));
    server.run(&id);
    let failed = server.run_with(&id, &json!({ "fail": true }));
    let Some(browser) = visit("hostile", &server) else { return };
    browser.until_text(name);
    browser.look("tasks");
    browser.go(&format!("/tasks/{id}"));
    browser.until_text("</script><b>");
    browser.look("task");
    browser.go(&format!("/tasks/{id}/edit"));
    assert_eq!(browser.value("Name"), name);
    browser.go(&format!("/tasks/{id}/delete"));
    browser.until_text(name);
    browser.go(&format!("/executions/{}", failed["id"].as_str().expect("an id")));
    browser.until_text("<img src=x onerror=\"document.title = 1\">");
    browser.until_text("<script>document.title = 2</script>");
    assert!(browser.title().starts_with("Failed"), "{}", browser.title());
    browser.look("execution");
}
