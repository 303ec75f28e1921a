//! Links: every address of a page, once. A template never writes a path.

use std::fmt::Display;

use url::form_urlencoded::Serializer;

/// Makes addresses below the base path.
#[derive(Debug, Clone)]
pub(super) struct Links {
    base: String,
    version: String,
}

impl Links {
    /// Addresses below `base`, such as `/ops/isochron`; assets have `version` in theirs.
    pub(super) fn new(base: &str, version: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), version: version.to_owned() }
    }

    /// The address of a path that begins with a slash.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The path of cookies.
    pub(super) fn root(&self) -> String {
        self.to("/")
    }

    /// A file of [`super::assets`].
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}/{name}", self.base, self.version)
    }

    /// A path below the base, without it; `None` for a path outside.
    pub(super) fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&self.base)?;
        (rest.starts_with('/') && !rest.starts_with("//") && !rest.contains('\\')).then_some(rest)
    }

    pub(super) fn tasks(&self) -> String {
        self.to("/tasks")
    }

    pub(super) fn task(&self, task: &str) -> String {
        self.to(&format!("/tasks/{task}"))
    }

    /// The form of an action on a task, such as `run`.
    pub(super) fn act(&self, task: &str, action: &str) -> String {
        self.to(&format!("/tasks/{task}/{action}"))
    }

    pub(super) fn executions(&self) -> String {
        self.to("/executions")
    }

    pub(super) fn execution(&self, execution: &str) -> String {
        self.to(&format!("/executions/{execution}"))
    }

    /// The form of an action on an execution, such as `rerun`.
    pub(super) fn act_on_execution(&self, execution: &str, action: &str) -> String {
        self.to(&format!("/executions/{execution}/{action}"))
    }

    /// The stream of an execution's output.
    pub(super) fn stream(&self, execution: &str) -> String {
        self.to(&format!("/admin/executions/{execution}/stream"))
    }

    /// The output of an execution as a file.
    pub(super) fn output(&self, execution: &str) -> String {
        self.to(&format!("/admin/executions/{execution}/output?format=text"))
    }

    pub(super) fn handler(&self, handler: &str) -> String {
        self.to(&format!("/handlers/{handler}"))
    }

    /// The changes between two sources, by their hashes.
    pub(super) fn difference(&self, old: &str, new: &str) -> String {
        self.to(&format!("/sources/{old}/{new}"))
    }

    pub(super) fn login(&self) -> String {
        self.to("/login")
    }

    pub(super) fn logout(&self) -> String {
        self.to("/logout")
    }

    pub(super) fn settings(&self) -> String {
        self.to("/settings")
    }
}

/// A query: names and values in their order; empty values are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The query that a request had.
    pub(super) fn read(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Every name and value.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// A value; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A number; `default` if it is missing or none.
    pub(super) fn number(&self, name: &str, default: usize) -> usize {
        self.get(name).parse().unwrap_or(default)
    }

    /// The query with one value changed; an empty value takes the name out.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: impl Display) -> Self {
        let value = value.to_string();
        let mut pairs: Vec<_> = self.0.iter().filter(|(known, _)| known != name).cloned().collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
        Self(pairs)
    }

    /// The query with these names only.
    #[must_use]
    pub(super) fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// Whether it has no value.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address of `path` with this query.
    pub(super) fn after(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let query = Serializer::new(String::new()).extend_pairs(&self.0).finish();
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_below_the_base() {
        let links = Links::new("/ops/isochron/", "v1");
        assert_eq!(links.task("task-1"), "/ops/isochron/tasks/task-1");
        assert_eq!(links.asset("app.css"), "/ops/isochron/assets/v1/app.css");
        assert_eq!(Links::new("", "v1").tasks(), "/tasks");
    }

    #[test]
    fn a_way_back_stays_on_this_server() {
        let links = Links::new("/ops", "v1");
        assert_eq!(links.within("/ops/tasks?x=1"), Some("/tasks?x=1"));
        for outside in
            ["/other", "/ops//evil.example", "/ops/\\evil.example", "https://evil.example", "/opsx"]
        {
            assert_eq!(links.within(outside), None, "{outside}");
        }
    }

    #[test]
    fn a_changed_query_keeps_the_other_values_and_drops_empty_ones() {
        let query = Query::read("status=failed&name=a%26b&limit=");
        assert_eq!(query.with("skip", 20).after("/tasks"), "/tasks?status=failed&name=a%26b&skip=20");
        assert_eq!(query.with("status", "").after("/tasks"), "/tasks?name=a%26b");
        assert_eq!(query.get("name"), "a&b");
        assert_eq!(query.only(&["x"]).after("/tasks"), "/tasks");
    }
}
