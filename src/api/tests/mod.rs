mod bounds;

#[test]
fn the_documentation_shows_every_route() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));
    let table = super::reference();
    assert!(page.expect("it reads").contains(&table), "docs/api.md must have this table:\n{table}");
}
