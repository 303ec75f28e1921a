//! `alerts.<channel>`, `alerts.default` and `alerts.server`: where alerts go, in the file only.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError, Setting};
use crate::domain::{
    alerts::{
        AlertConfig, BATCH, Channel, DAYS, Given, Kind, LONGEST_CHANNEL, MOST_PER_HOUR, Quiet, Target,
        is_channel_name,
    },
    draft::read_rules,
    zone::parse_zone,
};

/// The most channels.
const MOST_CHANNELS: usize = 50;
/// The keys that every channel may have.
const COMMON: [&str; 4] = ["kind", "batch", "maxPerHour", "quiet"];
/// The keys of each kind of channel, the needed ones first.
const KINDS: [(&str, &[&str], &[&str]); 7] = [
    ("webhook", &["url"], &["secret", "headers", "body"]),
    ("slack", &["url"], &[]),
    ("discord", &["url"], &[]),
    ("ntfy", &["url"], &["token", "priority"]),
    ("email", &["smtp", "from", "to"], &["password"]),
    ("task", &["task"], &[]),
    ("heartbeat", &["url"], &["start", "fail"]),
];

/// Applies the table `alerts`.
pub(super) fn apply(config: &mut Config, value: &DeValue<'_>, setting: &Setting) -> Result<(), ConfigError> {
    let place = Place { setting: setting.clone() };
    let DeValue::Table(table) = value else {
        return Err(place.refuse("a table with a table for each channel, default and server"));
    };
    let mut alerts = AlertConfig::default();
    for (name, value) in
        table.iter().filter(|(name, _)| !["default", "server"].contains(&name.get_ref().as_ref()))
    {
        let name = name.get_ref();
        let place = place.at(name);
        if !is_channel_name(name) {
            let allowed = format!("a channel's name of 1 to {LONGEST_CHANNEL} letters, digits, - and _");
            return Err(place.refuse(&allowed));
        }
        let DeValue::Table(table) = value.get_ref() else { return Err(place.refuse("a table with kind")) };
        alerts.channels.insert(name.to_string(), Reader { place, table }.channel()?);
    }
    if alerts.channels.len() > MOST_CHANNELS {
        return Err(place.refuse(&format!("at most {MOST_CHANNELS} channels")));
    }
    if let Some(value) = table.get("default") {
        let rules = read_rules("alerts.default", &json(value.get_ref()));
        alerts.default = rules.map_err(|problems| place.at("default").problems(&problems))?;
        for rule in &alerts.default {
            place.at("default").ensure_known(&alerts, &rule.channel)?;
        }
    }
    if let Some(value) = table.get("server") {
        alerts.server = read_server(&place.at("server"), &alerts, &json(value.get_ref()))?;
    }
    config.alerts = alerts;
    Ok(())
}

/// Reads `alerts.server`: a list of channels, each with the kinds that it hears of.
fn read_server(
    place: &Place,
    alerts: &AlertConfig,
    value: &Value,
) -> Result<Vec<(String, Vec<Kind>)>, ConfigError> {
    let names = || Kind::OF_SERVER.map(Kind::name).join(", ");
    let allowed = || format!("a list of tables with channel and on, a list of {}", names());
    let Value::Array(items) = value else { return Err(place.refuse(&allowed())) };
    let mut all = Vec::new();
    for item in items {
        let Some(table) = item.as_object() else { return Err(place.refuse(&allowed())) };
        if let Some(key) = table.keys().find(|key| !["channel", "on"].contains(&key.as_str())) {
            return Err(place.at(key).unknown("channel, on"));
        }
        let channel = table.get("channel").and_then(Value::as_str).ok_or_else(|| place.refuse(&allowed()))?;
        place.ensure_known(alerts, channel)?;
        let on = match table.get("on") {
            None => Kind::OF_SERVER.to_vec(),
            Some(Value::Array(items)) => {
                let kind = |item: &Value| {
                    Kind::OF_SERVER.into_iter().find(|kind| Some(kind.name()) == item.as_str())
                };
                let kinds: Option<Vec<_>> = items.iter().map(kind).collect();
                kinds.ok_or_else(|| place.refuse(&allowed()))?
            }
            Some(_) => return Err(place.refuse(&allowed())),
        };
        all.push((channel.to_owned(), on));
    }
    Ok(all)
}

/// A place in the file, for errors. Values are not shown: addresses of channels are often secrets.
struct Place {
    setting: Setting,
}

impl Place {
    fn at(&self, key: &str) -> Self {
        Self { setting: Setting { key: format!("{}.{key}", self.setting.key), ..self.setting.clone() } }
    }

    fn refuse(&self, allowed: &str) -> ConfigError {
        let setting = Box::new(Setting { value: None, ..self.setting.clone() });
        ConfigError::Value { setting, allowed: allowed.to_owned() }
    }

    fn unknown(&self, known: &str) -> ConfigError {
        let setting = Box::new(Setting { value: None, ..self.setting.clone() });
        ConfigError::Unknown { setting, hint: format!("known are {known}") }
    }

    fn problems(&self, problems: &[crate::domain::draft::Problem]) -> ConfigError {
        let all: Vec<_> =
            problems.iter().map(|p| crate::domain::draft::sentence(&p.field, &p.problem)).collect();
        self.refuse(&format!("a list of rules as the field `alerts` of a task has them: {}", all.join("; ")))
    }

    fn ensure_known(&self, alerts: &AlertConfig, channel: &str) -> Result<(), ConfigError> {
        if alerts.channels.contains_key(channel) {
            return Ok(());
        }
        let known: Vec<_> = alerts.channels.keys().map(String::as_str).collect();
        Err(self.refuse(&format!(
            "rules for channels that are there; {channel:?} is none of [{}]",
            known.join(", ")
        )))
    }
}

/// Reads the table of one channel.
struct Reader<'a> {
    place: Place,
    table: &'a DeTable<'a>,
}

impl Reader<'_> {
    fn channel(&self) -> Result<Channel, ConfigError> {
        let kinds = || KINDS.map(|(kind, ..)| kind).join(", ");
        let kind = self.value("kind").and_then(DeValue::as_str);
        let known = KINDS.iter().find(|(name, ..)| Some(*name) == kind);
        let Some((kind, needed, optional)) = known else {
            return Err(self.place.at("kind").refuse(&format!("one of {}", kinds())));
        };
        let keys: Vec<_> = COMMON.iter().chain(*needed).chain(*optional).copied().collect();
        if let Some((key, _)) = self.table.iter().find(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            return Err(self.place.at(key.get_ref()).unknown(&keys.join(", ")));
        }
        if let Some(missing) = needed.iter().find(|key| self.value(key).is_none()) {
            return Err(self
                .place
                .at(missing)
                .refuse(&format!("a value: a channel of kind {kind} needs it")));
        }
        Ok(Channel {
            batch: self.whole("batch", (0, 600_000))?.unwrap_or(BATCH),
            max_per_hour: self
                .whole("maxPerHour", (1, 10_000))?
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(MOST_PER_HOUR),
            quiet: self.value("quiet").map(|value| self.quiet(value)).transpose()?,
            target: self.target(kind)?,
        })
    }

    fn target(&self, kind: &str) -> Result<Target, ConfigError> {
        let given = |key: &str| self.text(key).map(|text| text.map(|text| Given::read(&text)));
        let url = || self.url("url");
        Ok(match kind {
            "webhook" => Target::Webhook {
                url: url()?,
                secret: given("secret")?,
                headers: self.texts("headers")?.into_iter().map(|(k, v)| (k, Given::read(&v))).collect(),
                body: self.text("body")?,
            },
            "slack" => Target::Slack { url: url()? },
            "discord" => Target::Discord { url: url()? },
            "ntfy" => {
                Target::Ntfy { url: url()?, token: given("token")?, priority: self.priorities("priority")? }
            }
            "email" => Target::Email {
                smtp: given("smtp")?.unwrap_or_else(|| Given::Text(String::new())),
                password: given("password")?,
                from: self.text("from")?.unwrap_or_default(),
                to: self.list("to")?,
            },
            "task" => Target::Task { task: self.text("task")?.unwrap_or_default() },
            _ => Target::Heartbeat { url: url()?, start: self.switch("start")?, fail: self.switch("fail")? },
        })
    }

    fn value(&self, key: &str) -> Option<&DeValue<'_>> {
        self.table.get(key).map(toml::Spanned::get_ref)
    }

    fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::String(text)) if !text.is_empty() => Ok(Some(text.to_string())),
            Some(_) => {
                Err(self.place.at(key).refuse("a text; env:NAME and file:PATH name the place of a secret"))
            }
        }
    }

    /// An address; one that is written out must be right.
    fn url(&self, key: &str) -> Result<Given, ConfigError> {
        let given = Given::read(&self.text(key)?.unwrap_or_default());
        if let Given::Text(text) = &given {
            let is_right = url::Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
            if !is_right {
                let allowed = "an http: or https: URL, or env:NAME or file:PATH where it is";
                return Err(self.place.at(key).refuse(allowed));
            }
        }
        Ok(given)
    }

    fn list(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let wrong = || self.place.at(key).refuse("a list of 1 to 50 texts");
        let Some(DeValue::Array(items)) = self.value(key) else { return Err(wrong()) };
        let texts: Option<Vec<_>> =
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
        texts.filter(|texts| (1..=50).contains(&texts.len())).ok_or_else(wrong)
    }

    fn texts(&self, key: &str) -> Result<Vec<(String, String)>, ConfigError> {
        let wrong = || self.place.at(key).refuse("a table of texts");
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(DeValue::Table(table)) => {
                let pair = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    Some((name.to_string(), value.get_ref().as_str()?.to_owned()))
                };
                table.iter().map(pair).collect::<Option<Vec<_>>>().ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }

    fn priorities(&self, key: &str) -> Result<BTreeMap<Kind, u8>, ConfigError> {
        let wrong = || self.place.at(key).refuse("a table with a number from 1 to 5 for kinds of alerts");
        match self.value(key).map(json) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(table)) => {
                let pair = |(name, value): (String, Value)| {
                    let kind = serde_json::from_value(Value::String(name)).ok()?;
                    let number = value.as_u64().and_then(|n| u8::try_from(n).ok());
                    Some((kind, number.filter(|number| (1..=5).contains(number))?))
                };
                table.into_iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }

    fn whole(&self, key: &str, (from, to): (i64, i64)) -> Result<Option<i64>, ConfigError> {
        match self.value(key).map(json) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_i64().filter(|number| (from..=to).contains(number));
                let wrong = || self.place.at(key).refuse(&format!("a whole number from {from} to {to}"));
                number.map(Some).ok_or_else(wrong)
            }
        }
    }

    fn switch(&self, key: &str) -> Result<bool, ConfigError> {
        match self.value(key) {
            None => Ok(false),
            Some(DeValue::Boolean(on)) => Ok(*on),
            Some(_) => Err(self.place.at(key).refuse("true or false")),
        }
    }

    fn quiet(&self, value: &DeValue<'_>) -> Result<Quiet, ConfigError> {
        let place = self.place.at("quiet");
        let table = json(value);
        let Some(table) = table.as_object() else {
            return Err(place.refuse("a table with hours, zone, and perhaps days and do"));
        };
        if let Some(key) = table.keys().find(|key| !["hours", "zone", "days", "do"].contains(&key.as_str())) {
            return Err(place.at(key).unknown("hours, zone, days, do"));
        }
        let text = |key: &str| table.get(key).and_then(Value::as_str);
        let hours = text("hours").and_then(Quiet::read_hours);
        let (from, to) = hours.ok_or_else(|| place.at("hours").refuse("two times such as 22:00-07:00"))?;
        let zone = text("zone").and_then(|name| parse_zone(name).ok());
        let zone = zone.ok_or_else(|| place.at("zone").refuse("an IANA time zone, such as Europe/Berlin"))?;
        let days = match table.get("days") {
            None => [true; 7],
            Some(days) => {
                let named: Option<Vec<_>> = days.as_array().and_then(|days| {
                    days.iter().map(|day| DAYS.iter().position(|name| Some(*name) == day.as_str())).collect()
                });
                let named = named.ok_or_else(|| {
                    place
                        .at("days")
                        .refuse(&format!("a list of {}: the days on which they begin", DAYS.join(", ")))
                })?;
                std::array::from_fn(|day| named.contains(&day))
            }
        };
        let drop = match table.get("do").map(Value::as_str) {
            None | Some(Some("hold")) => false,
            Some(Some("drop")) => true,
            Some(_) => return Err(place.at("do").refuse("hold or drop")),
        };
        Ok(Quiet { from, to, zone, days, drop })
    }
}

/// A value of the file as JSON.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(on) => Value::from(*on),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect(),
        ),
    }
}
