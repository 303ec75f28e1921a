//! `URLPattern`: the parser of the crate `urlpattern`.

use deno_error::JsErrorBox;
use serde::Serialize;
use urlpattern::{
    UrlPatternOptions,
    quirks::{self, StringOrInit},
};

use super::{Answer, Arguments, Outcome};

/// One part of a pattern, as `01_urlpattern.js` of `deno_web` takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    pattern_string: String,
    regexp_string: String,
    group_name_list: Vec<String>,
}

impl From<quirks::UrlPatternComponent> for Component {
    fn from(component: quirks::UrlPatternComponent) -> Self {
        Self {
            pattern_string: component.pattern_string,
            regexp_string: component.regexp_string,
            group_name_list: component.group_name_list,
        }
    }
}

/// A parsed pattern.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pattern {
    protocol: Component,
    username: Component,
    password: Component,
    hostname: Component,
    port: Component,
    pathname: Component,
    search: Component,
    hash: Component,
    has_regexp_groups: bool,
}

/// `parse(input, base, ignoreCase)` and `match(input, base)`. The input is JSON: a text or an object
/// of parts; an empty base is none.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    let input: StringOrInit =
        serde_json::from_str(arguments.text(0)).map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    let base = Some(arguments.text(1)).filter(|base| !base.is_empty());
    match function {
        "parse" => parse(input, base, arguments.number(2) == 1),
        _ => find_parts(input, base),
    }
    .map_err(|error| JsErrorBox::type_error(error.to_string()))
}

fn parse(input: StringOrInit, base: Option<&str>, ignore_case: bool) -> Result<Answer, urlpattern::Error> {
    let init = quirks::process_construct_pattern_input(input, base)?;
    let pattern = quirks::parse_pattern(init, UrlPatternOptions { ignore_case })?;
    let pattern = Pattern {
        protocol: pattern.protocol.into(),
        username: pattern.username.into(),
        password: pattern.password.into(),
        hostname: pattern.hostname.into(),
        port: pattern.port.into(),
        pathname: pattern.pathname.into(),
        search: pattern.search.into(),
        hash: pattern.hash.into(),
        has_regexp_groups: pattern.has_regexp_groups,
    };
    Ok(Answer::Json(serde_json::to_string(&pattern).unwrap_or_default()))
}

/// The eight parts of a URL as a JSON array, or nothing if it is no URL.
fn find_parts(input: StringOrInit, base: Option<&str>) -> Result<Answer, urlpattern::Error> {
    let Some((input, _)) = quirks::process_match_input(input, base)? else { return Ok(Answer::Nothing) };
    let Some(parts) = quirks::parse_match_input(input) else { return Ok(Answer::Nothing) };
    let parts = [
        parts.protocol,
        parts.username,
        parts.password,
        parts.hostname,
        parts.port,
        parts.pathname,
        parts.search,
        parts.hash,
    ];
    Ok(Answer::Json(serde_json::to_string(&parts).unwrap_or_default()))
}
