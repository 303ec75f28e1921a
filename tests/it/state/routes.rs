//! Entries over the API.

use serde_json::json;

use crate::harness::Server;

#[test]
fn an_operator_lists_reads_sets_and_deletes_entries() {
    let server = Server::start();
    let source = "module.exports = async (params, { kv }) => {
        for (const key of ['a', 'a/b c', 'b%', 'ü']) await kv.set(key, { key });
        return await kv.get('from outside');
    };";
    let id = server.create_dormant("keeps", source, &json!({}));
    server.run(&id);
    let base = format!("/admin/scheduler/{id}/kv");
    let client = server.client();
    let page = client.get(&format!("{base}?limit=2")).expect(200);
    let keys: Vec<_> =
        page["entries"].as_array().expect("entries").iter().map(|e| e["key"].clone()).collect();
    assert_eq!(
        (keys, &page["cursor"], &page["limit"]),
        (vec![json!("a"), json!("a/b c")], &json!("a/b c"), &json!(2))
    );
    let page = client.get(&format!("{base}?limit=2&cursor=a%2Fb%20c")).expect(200);
    assert_eq!((page["entries"].as_array().map(Vec::len), &page["cursor"]), (Some(2), &json!(null)));
    let page = client.get(&format!("{base}?prefix=a%2F")).expect(200);
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(1));

    for (path, key) in [("a/b%20c", "a/b c"), ("a%2Fb%20c", "a/b c"), ("b%25", "b%"), ("%C3%BC", "ü")] {
        let found = client.get(&format!("{base}/{path}")).expect(200)["entry"].take();
        assert_eq!((&found["key"], &found["value"]), (&json!(key), &json!({ "key": key })));
    }
    let set = client.put(&format!("{base}/from%20outside"), &json!({ "value": [1, 2] })).expect(200);
    assert_eq!(server.run(&id)["result"], json!([1, 2]));
    let version = &set["entry"]["version"];
    let stale = json!({ "value": 1, "version": version.as_u64().expect("a version") + 1 });
    let refused = client.put(&format!("{base}/from%20outside"), &stale).message(409);
    assert_eq!(refused, format!("The entry has version {version}"));
    let exists = client.put(&format!("{base}/from%20outside"), &json!({ "value": 1, "version": null }));
    assert_eq!(exists.status, 409);
    let brief = client.put(&format!("{base}/brief"), &json!({ "value": 1, "ttl": 60_000 })).expect(200);
    assert!(brief["entry"]["expiresAt"].is_number(), "{brief}");
    client.delete(&format!("{base}/brief?version=1")).message(409);
    client.delete(&format!("{base}/brief")).expect(200);
    assert_eq!(client.delete(&format!("{base}/brief")).message(404), "Entry not found");
    assert_eq!(client.get(&format!("{base}/brief")).message(404), "Entry not found");
}

#[test]
fn shared_entries_have_routes_of_their_own_and_wrong_requests_are_named() {
    let server = Server::start();
    let client = server.client();
    client.put("/admin/kv/rates/EUR", &json!({ "value": 1.08 })).expect(200);
    let source = "module.exports = (params, { kv }) => kv.shared.get('rates/EUR')";
    assert_eq!(server.run_source("reads", source, &json!({}))["result"], json!(1.08));
    assert_eq!(client.get("/admin/kv").expect(200)["entries"][0]["key"], "rates/EUR");
    for (body, words) in [
        (json!({}), "value is required"),
        (json!({ "value": 1, "more": 2 }), "more"),
        (json!({ "value": 1, "ttl": 0 }), "ttl must be"),
        (json!({ "value": 1, "version": "x" }), "version must be"),
        (json!({ "value": "x".repeat(65_536) }), "at most 65536 bytes"),
    ] {
        let message = client.put("/admin/kv/k", &body).message(400);
        assert!(message.contains(words), "{message}");
    }
    for path in ["/admin/kv?limit=0", "/admin/kv?skip=1"] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
    assert_eq!(client.get(&format!("/admin/kv/{}", "k".repeat(513))).status, 400);
    for path in ["/admin/scheduler/task-00000000000000000000000000/kv", "/admin/scheduler/nonsense/kv/k"] {
        assert_eq!(client.get(path).message(404), "Task not found");
        let put = client.put(&format!("{}/k", path.trim_end_matches("/k")), &json!({ "value": 1 }));
        assert_eq!(put.message(404), "Task not found");
    }
    assert_eq!(client.send(client.anonymous("GET", "/admin/kv"), "").status, 401);
}
