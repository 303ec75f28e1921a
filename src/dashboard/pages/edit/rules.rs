//! The rules of alerts in the form of a task: fields such as `alerts[0].after`, named as the API names
//! their problems.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    dashboard::{ask::Problem, shown, times},
    domain::alerts::{MOST_RULES, Occasion, Rule},
};

/// The field that says whose rules hold.
pub(super) const MODE: &str = "alertsOf";

/// The lengths of time of a rule.
const LENGTHS: [&str; 4] = ["remindEvery", "late", "slow.floor", "silence"];

/// The texts of a form, by the names of its fields.
type Texts = BTreeMap<String, String>;

/// The fields of one rule in the form.
pub(super) struct Fields {
    /// From 0.
    pub(super) index: usize,
    /// Whether the rule is new, and without a channel.
    pub(super) spare: bool,
    /// Whether one of its rarer fields is set or wrong.
    pub(super) open: bool,
}

impl Fields {
    /// The name of a field.
    pub(super) fn name(&self, field: &str) -> String {
        name(self.index, field)
    }

    /// The box of an occasion.
    pub(super) fn on(&self, occasion: Occasion) -> String {
        self.name(&format!("on.{}", occasion.name()))
    }
}

fn name(index: usize, field: &str) -> String {
    format!("alerts[{index}].{field}")
}

fn get<'t>(texts: &'t Texts, index: usize, field: &str) -> &'t str {
    texts.get(&name(index, field)).map_or("", |text| text.trim())
}

/// Puts the rules of a task into the texts of a form; `None` stands for those of the settings.
pub(super) fn write(texts: &mut Texts, rules: Option<&[Rule]>) {
    let mode = match rules {
        None => "settings",
        Some([]) => "none",
        Some(_) => "own",
    };
    texts.insert(MODE.to_owned(), mode.to_owned());
    for (index, rule) in rules.unwrap_or_default().iter().enumerate() {
        let mut put = |field: &str, text: String| texts.insert(name(index, field), text);
        put("channel", rule.channel.clone());
        put("after", rule.after.to_string());
        for occasion in &rule.on {
            put(&format!("on.{}", occasion.name()), "true".to_owned());
        }
        if rule.auto_pause {
            put("autoPause", "true".to_owned());
        }
        let slow = rule.slow.map(|slow| slow.floor);
        let lengths = [rule.remind_every, rule.late, slow, rule.silence];
        for (field, length) in LENGTHS.into_iter().zip(lengths) {
            if let Some(length) = length {
                put(field, times::exact(length));
            }
        }
        if let Some(slow) = rule.slow {
            put("slow.factor", slow.factor.to_string());
        }
    }
}

/// Takes rules without a channel out, so that the others have the numbers that the API gives them.
pub(super) fn close_ranks(texts: &mut Texts) {
    let kept: Vec<usize> =
        (0..=MOST_RULES).filter(|index| !get(texts, *index, "channel").is_empty()).collect();
    let all: Vec<_> = texts.keys().filter(|name| name.starts_with("alerts[")).cloned().collect();
    let mut old: Texts = all.into_iter().filter_map(|name| texts.remove_entry(&name)).collect();
    for (index, from) in kept.into_iter().enumerate() {
        let prefix = name(from, "");
        let fields: Vec<_> = old.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        for field in fields {
            let text = old.remove(&field).unwrap_or_default();
            texts.insert(name(index, field.strip_prefix(&prefix).unwrap_or_default()), text);
        }
    }
}

/// Reads the rules of a form as the value of `alerts`.
///
/// # Errors
/// The problems of texts that have no JSON form.
pub(super) fn read(texts: &Texts) -> Result<Value, Vec<Problem>> {
    match texts.get(MODE).map(String::as_str) {
        Some("own") => {}
        Some("none") => return Ok(json!([])),
        _ => return Ok(Value::Null),
    }
    let mut problems = Vec::new();
    let given = (0..).take_while(|index| !get(texts, *index, "channel").is_empty());
    let rules: Vec<_> = given.map(|index| read_rule(texts, index, &mut problems)).collect();
    if rules.is_empty() {
        let problem = "needs a rule with a channel".to_owned();
        problems.push(Problem { field: "alerts".to_owned(), problem });
    }
    if problems.is_empty() { Ok(rules.into()) } else { Err(problems) }
}

fn read_rule(texts: &Texts, index: usize, problems: &mut Vec<Problem>) -> Value {
    let text = |field: &str| get(texts, index, field);
    let is_ticked = |field: &str| text(field) == "true";
    let on = Occasion::ALL.iter().map(|one| one.name()).filter(|name| is_ticked(&format!("on.{name}")));
    let mut rule = Map::from_iter([
        ("channel".to_owned(), json!(text("channel"))),
        ("on".to_owned(), on.collect()),
        ("autoPause".to_owned(), json!(is_ticked("autoPause"))),
    ]);
    let mut slow = Map::new();
    let mut wrong = |field: &str, problem: &str| {
        problems.push(Problem { field: name(index, field), problem: problem.to_owned() });
    };
    if !text("after").is_empty() {
        match text("after").parse::<i64>() {
            Ok(after) => drop(rule.insert("after".to_owned(), after.into())),
            Err(_) => wrong("after", "must be a whole number, such as 3"),
        }
    }
    if !text("slow.factor").is_empty() {
        match text("slow.factor").parse::<f64>() {
            Ok(factor) => drop(slow.insert("factor".to_owned(), factor.into())),
            Err(_) => wrong("slow.factor", "must be a number, such as 3"),
        }
    }
    for field in LENGTHS.into_iter().filter(|field| !text(field).is_empty()) {
        let Some(length) = times::parse_length(text(field)) else {
            wrong(field, "must be a time with its unit, such as 5 min or 1 h 30 min");
            continue;
        };
        match field.strip_prefix("slow.") {
            Some(part) => slow.insert(part.to_owned(), length.into()),
            None => rule.insert(field.to_owned(), length.into()),
        };
    }
    if !slow.is_empty() {
        rule.insert("slow".to_owned(), slow.into());
    }
    rule.into()
}

/// The rules that the form shows: those that are there, and an empty one to fill in.
pub(super) fn shown(texts: &Texts, problems: &[Problem]) -> Vec<Fields> {
    let count = (0..MOST_RULES).take_while(|index| !get(texts, *index, "channel").is_empty()).count();
    let rare = ["remindEvery", "late", "slow", "silence", "autoPause"];
    let fields = |index: usize| Fields {
        index,
        spare: index == count,
        open: rare.iter().any(|field| {
            let prefix = name(index, field);
            texts.iter().any(|(name, text)| name.starts_with(&prefix) && !text.is_empty())
                || problems.iter().any(|problem| problem.field.starts_with(&prefix))
        }),
    };
    (0..(count + 1).min(MOST_RULES)).map(fields).collect()
}

/// The occasions to choose from, with the sentence about each.
pub(super) fn occasions() -> [(Occasion, &'static str); 7] {
    Occasion::ALL.map(|occasion| (occasion, shown::occasion(&occasion)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(given: &[(&str, &str)]) -> Texts {
        given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn rules_survive_the_form() {
        let all = json!([{
            "channel": "ops", "on": ["failure", "late", "slow", "missed"], "after": 3, "autoPause": true,
            "remindEvery": 3_600_000, "late": 5000, "slow": { "factor": 2.5, "floor": 1000 }, "silence": 90_000,
        }, { "channel": "mail", "on": ["skipped"], "after": 1, "autoPause": false }]);
        let rules: Vec<Rule> = serde_json::from_value(all.clone()).expect("rules");
        let mut texts = Texts::new();
        write(&mut texts, Some(&rules));
        assert_eq!(texts["alerts[0].late"], "5 s");
        assert_eq!(read(&texts).map_err(drop), Ok(all));
        for (rules, value) in [(None, Value::Null), (Some(&[][..]), json!([]))] {
            let mut texts = Texts::new();
            write(&mut texts, rules);
            assert_eq!(read(&texts).map_err(drop), Ok(value));
        }
    }

    #[test]
    fn a_rule_without_a_channel_is_left_out_and_the_next_takes_its_number() {
        let mut form = texts(&[
            (MODE, "own"),
            ("alerts[0].channel", ""),
            ("alerts[0].after", "9"),
            ("alerts[1].channel", "ops"),
            ("alerts[1].after", "2"),
            ("alerts[1].on.failure", "true"),
        ]);
        close_ranks(&mut form);
        let rule = json!([{ "channel": "ops", "on": ["failure"], "after": 2, "autoPause": false }]);
        assert_eq!(read(&form).map_err(drop), Ok(rule));
        assert_eq!(shown(&form, &[]).len(), 2);
    }

    #[test]
    fn wrong_texts_are_told_at_their_fields() {
        let form = texts(&[
            (MODE, "own"),
            ("alerts[0].channel", "ops"),
            ("alerts[0].after", "often"),
            ("alerts[0].slow.factor", "x"),
            ("alerts[0].silence", "5"),
        ]);
        let problems = read(&form).expect_err("three problems");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["alerts[0].after", "alerts[0].slow.factor", "alerts[0].silence"]);
        assert_eq!(read(&texts(&[(MODE, "own")])).expect_err("no rule")[0].field, "alerts");
        assert!(shown(&form, &problems)[0].open && shown(&form, &problems)[1].spare);
    }
}
