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
    let Some(browser) = visit("hostile", &server, "/tasks") else { return };
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
    browser.until_text("\\u202eevil");
    assert!(browser.title().starts_with("Failed"), "{}", browser.title());
    browser.look("execution");
    // Everywhere else that a name, an error or a description is shown.
    let tag = "<b onclick=x>";
    let again = json!({ "recurring": true, "description": name, "tags": [tag, "<i>"] });
    server.create(&task("</title><b> & <i>", "hostile", "0 * * * *", &again));
    let client = server.client();
    client.put("/admin/variables/HOSTILE", &json!({ "value": name, "handlers": ["*"] })).expect(201);
    client.post("/admin/tokens", &json!({ "name": "<i>a token</i>", "role": "viewer" })).expect(201);
    server.home.write("broken", "module.exports = <script>document.title = 4</script>;");
    let query = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    for page in [
        "/".to_owned(),
        "/tasks".to_owned(),
        format!("/tasks?tag={query}&name={query}&handler={query}&status={query}"),
        "/executions".to_owned(),
        format!("/executions?from={query}&handler={query}"),
        "/timeline".to_owned(),
        format!("/timeline?name={query}&from={query}"),
        "/calendar".to_owned(),
        format!("/calendar?day={query}&month={query}&hour={query}"),
        "/handlers".to_owned(),
        "/handlers/broken".to_owned(),
        "/handlers/hostile".to_owned(),
        "/alerts".to_owned(),
        format!("/alerts?channel={query}"),
        "/secrets".to_owned(),
        "/tokens".to_owned(),
        "/search?q=img".to_owned(),
        format!("/search?q={query}"),
        format!("/{query}"),
        format!("/login?next={query}"),
    ] {
        browser.go(&page);
        let made = browser.evaluate(
            "document.querySelectorAll('img, main script:not([src]), [onerror], [onclick], b').length",
        );
        assert_eq!(made, 0, "{page} has made an element of a text");
        let title = browser.title();
        assert!(title.ends_with("isochron"), "{page}: {title}");
        browser.glance(&page.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    }
}
