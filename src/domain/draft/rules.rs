//! Rules of alerts: the JSON of the field `alerts`, read strictly.

use serde_json::{Map, Value};

use super::{
    problem::{MOST_PROBLEMS, Problem},
    values::whole_number,
};
use crate::domain::{
    Millis,
    alerts::{
        LONGEST_CHANNEL, MOST_RULES, Occasion, Rule, SHORTEST_REMINDER, SLOW, Slow, YEAR, is_channel_name,
    },
};

const KEYS: [&str; 8] = ["channel", "on", "after", "autoPause", "remindEvery", "late", "slow", "silence"];

/// Reads the value of the field `alerts`: a list of rules.
///
/// # Errors
/// The problems with it, each with the path of its place below `field`.
pub fn read_rules(field: &str, value: &Value) -> Result<Vec<Rule>, Vec<Problem>> {
    let Value::Array(items) = value else {
        return Err(vec![Problem::new(field, "must be a list of rules, each an object with a channel")]);
    };
    let mut reader = Reader { problems: Vec::new() };
    if items.len() > MOST_RULES {
        reader.report(field, format!("has {} rules: at most {MOST_RULES} are allowed", items.len()));
    }
    let mut rules = Vec::new();
    for (index, item) in items.iter().enumerate().take(MOST_RULES) {
        let path = format!("{field}[{index}]");
        match item {
            Value::Object(rule) => rules.push(reader.rule(&path, rule)),
            _ => reader.report(&path, "must be an object with a channel"),
        }
    }
    if reader.problems.is_empty() {
        reader.refuse_doubles(field, &rules);
    }
    if reader.problems.is_empty() { Ok(rules) } else { Err(reader.problems) }
}

struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn report(&mut self, path: &str, problem: impl Into<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem::new(path, problem));
        }
    }

    fn rule(&mut self, path: &str, given: &Map<String, Value>) -> Rule {
        for key in given.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.report(
                &format!("{path}.{key}"),
                format!("is not known here; known are {}", KEYS.join(", ")),
            );
        }
        let at = |key: &str| format!("{path}.{key}");
        let value = |key: &str| given.get(key).filter(|value| !value.is_null());
        let channel = match value("channel") {
            Some(Value::String(name)) if is_channel_name(name) => name.clone(),
            Some(_) => {
                let allowed = format!("1 to {LONGEST_CHANNEL} letters, digits, - and _");
                self.report(&at("channel"), format!("must be the name of a channel: {allowed}"));
                String::new()
            }
            None => {
                self.report(&at("channel"), "is required");
                String::new()
            }
        };
        let rule = Rule {
            channel,
            on: match value("on") {
                Some(value) => self.occasions(&at("on"), value),
                None => vec![Occasion::Failure, Occasion::Recovery],
            },
            after: self
                .whole(&at("after"), value("after"), (1, 100))
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(1),
            auto_pause: match value("autoPause") {
                None => false,
                Some(Value::Bool(on)) => *on,
                Some(_) => {
                    self.report(&at("autoPause"), "must be true or false");
                    false
                }
            },
            remind_every: self.whole(&at("remindEvery"), value("remindEvery"), (SHORTEST_REMINDER, YEAR)),
            late: self.whole(&at("late"), value("late"), (1000, YEAR)),
            slow: value("slow").and_then(|value| self.slow(&at("slow"), value)),
            silence: self.whole(&at("silence"), value("silence"), (1000, YEAR)),
        };
        self.compare(path, &rule);
        rule
    }

    fn occasions(&mut self, path: &str, value: &Value) -> Vec<Occasion> {
        let names = || Occasion::ALL.map(Occasion::name).join(", ");
        let Value::Array(items) = value else {
            self.report(path, format!("must be a list of {}", names()));
            return Vec::new();
        };
        if items.is_empty() {
            self.report(path, format!("is empty: name one of {} at least, or take the rule out", names()));
        }
        let mut on: Vec<Occasion> = Vec::new();
        for item in items {
            let found = Occasion::ALL.into_iter().find(|occasion| Some(occasion.name()) == item.as_str());
            match found {
                Some(occasion) if on.contains(&occasion) => {
                    self.report(path, format!("has \"{}\" twice", occasion.name()));
                }
                Some(occasion) => on.push(occasion),
                None => self.report(path, format!("must be a list of {}: {item} is none of them", names())),
            }
        }
        on
    }

    fn whole(&mut self, path: &str, value: Option<&Value>, (from, to): (Millis, Millis)) -> Option<Millis> {
        let value = value?;
        let number = whole_number(value).and_then(|number| Millis::try_from(number).ok());
        let number = number.filter(|number| (from..=to).contains(number));
        if number.is_none() {
            self.report(path, format!("must be a whole number from {from} to {to}, not {value}"));
        }
        number
    }

    fn slow(&mut self, path: &str, value: &Value) -> Option<Slow> {
        let Value::Object(given) = value else {
            self.report(path, "must be an object with factor and floor");
            return None;
        };
        for key in given.keys().filter(|key| !["factor", "floor"].contains(&key.as_str())) {
            self.report(&format!("{path}.{key}"), "is not known here; known are factor, floor");
        }
        let factor = given.get("factor").map_or(Some(SLOW.factor), Value::as_f64);
        let factor = factor.filter(|factor| (1.0..=100.0).contains(factor));
        if factor.is_none() {
            self.report(&format!("{path}.factor"), "must be a number from 1 to 100");
        }
        let floor = self.whole(&format!("{path}.floor"), given.get("floor"), (1, YEAR));
        Some(Slow { factor: factor.unwrap_or(SLOW.factor), floor: floor.unwrap_or(SLOW.floor) })
    }

    /// Keys that do not go together.
    fn compare(&mut self, path: &str, rule: &Rule) {
        let needs = [
            ("late", rule.late.is_some(), Occasion::Late),
            ("slow", rule.slow.is_some(), Occasion::Slow),
            ("silence", rule.silence.is_some(), Occasion::Missed),
            ("autoPause", rule.auto_pause, Occasion::Failure),
        ];
        for (key, given, occasion) in needs {
            if given && !rule.tells(occasion) {
                self.report(&format!("{path}.{key}"), format!("needs \"{}\" in on", occasion.name()));
            }
        }
        if rule.tells(Occasion::Missed) && rule.silence.is_none() {
            self.report(
                &format!("{path}.silence"),
                "is required by \"missed\": milliseconds without a success",
            );
        }
        let has_trouble = rule.tells(Occasion::Failure) || rule.tells(Occasion::Missed);
        if rule.tells(Occasion::Recovery) && !has_trouble {
            self.report(&format!("{path}.on"), "has \"recovery\" without \"failure\" or \"missed\"");
        }
        if rule.remind_every.is_some() && !has_trouble {
            self.report(&format!("{path}.remindEvery"), "needs \"failure\" or \"missed\" in on");
        }
    }

    /// One channel hears of an occasion by one rule.
    fn refuse_doubles(&mut self, field: &str, rules: &[Rule]) {
        for (index, rule) in rules.iter().enumerate() {
            let earlier = rules[..index].iter().filter(|other| other.channel == rule.channel);
            let told = earlier.flat_map(|other| &other.on).find(|occasion| rule.tells(**occasion));
            if let Some(occasion) = told {
                let name = occasion.name();
                let text = format!("has \"{name}\", which an earlier rule for {} has too", rule.channel);
                self.report(&format!("{field}[{index}].on"), text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_with_a_channel_alone_tells_of_failures_and_recoveries() {
        let rules = read_rules("alerts", &json!([{ "channel": "ops" }])).expect("valid");
        let rule = Rule {
            channel: "ops".to_owned(),
            on: vec![Occasion::Failure, Occasion::Recovery],
            after: 1,
            auto_pause: false,
            remind_every: None,
            late: None,
            slow: None,
            silence: None,
        };
        assert_eq!(rules, [rule]);
        assert_eq!(read_rules("alerts", &json!([])), Ok(Vec::new()));
    }

    #[test]
    fn a_rule_with_every_key_is_read_as_it_is_written() {
        let all = json!([{
            "channel": "ops", "on": ["failure", "missed", "late", "slow"], "after": 3, "autoPause": true,
            "remindEvery": 3_600_000, "late": 5000, "slow": { "factor": 2.5, "floor": 1000 }, "silence": 90_000,
        }]);
        let rules = read_rules("alerts", &all).expect("valid");
        assert_eq!(serde_json::to_value(rules).expect("it is JSON"), all);
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        for (value, field, problem) in [
            (json!({}), "alerts", "must be a list of rules"),
            (json!(["ops"]), "alerts[0]", "must be an object"),
            (json!([{}]), "alerts[0].channel", "is required"),
            (json!([{ "channel": "a b" }]), "alerts[0].channel", "name of a channel"),
            (json!([{ "channel": "a", "to": 1 }]), "alerts[0].to", "is not known here"),
            (json!([{ "channel": "a", "on": [] }]), "alerts[0].on", "is empty: name one of failure, "),
            (json!([{ "channel": "a", "on": "failure" }]), "alerts[0].on", "must be a list of failure, "),
            (json!([{ "channel": "a", "on": ["sad"] }]), "alerts[0].on", "\"sad\" is none of them"),
            (json!([{ "channel": "a", "on": ["late", "late"] }]), "alerts[0].on", "\"late\" twice"),
            (json!([{ "channel": "a", "on": ["recovery"] }]), "alerts[0].on", "without \"failure\""),
            (json!([{ "channel": "a", "after": 0 }]), "alerts[0].after", "from 1 to 100, not 0"),
            (json!([{ "channel": "a", "after": 1.5 }]), "alerts[0].after", "whole number"),
            (json!([{ "channel": "a", "autoPause": "yes" }]), "alerts[0].autoPause", "true or false"),
            (json!([{ "channel": "a", "remindEvery": 1000 }]), "alerts[0].remindEvery", "from 3600000"),
            (json!([{ "channel": "a", "on": ["missed"] }]), "alerts[0].silence", "is required"),
            (json!([{ "channel": "a", "silence": 5000 }]), "alerts[0].silence", "needs \"missed\""),
            (
                json!([{ "channel": "a", "on": ["slow"], "slow": { "factor": 0 } }]),
                "alerts[0].slow.factor",
                "from 1 to 100",
            ),
            (
                json!([{ "channel": "a" }, { "channel": "a", "on": ["failure"] }]),
                "alerts[1].on",
                "an earlier rule for a has too",
            ),
        ] {
            let problems = read_rules("alerts", &value).expect_err(&value.to_string());
            let named = problems.iter().any(|p| p.field == field && p.problem.contains(problem));
            assert!(named, "{value}: {problems:?}");
        }
        let eleven = Value::Array(vec![json!({ "channel": "a" }); 11]);
        let problems = read_rules("alerts", &eleven).expect_err("too many");
        assert!(problems[0].problem.contains("at most 10"), "{problems:?}");
    }
}
