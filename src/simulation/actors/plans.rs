//! Plans: random fields of tasks, with schedules of every form at every pace.

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::domain::chance::Chance;
use crate::{
    domain::Millis,
    simulation::oracle::almanac::{Cron, Field, Rule, Special},
};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// The pace of a seed's tasks, which sets the seed's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Seconds,
    Minutes,
    Hours,
    Days,
    Months,
}

impl Pace {
    pub(crate) const ALL: [Self; 5] = [Self::Seconds, Self::Minutes, Self::Hours, Self::Days, Self::Months];

    /// The typical time between two runs.
    pub(crate) fn unit(self) -> Millis {
        match self {
            Self::Seconds => 5 * SECOND,
            Self::Minutes => 5 * MINUTE,
            Self::Hours => 3 * HOUR,
            Self::Days => DAY,
            Self::Months => 14 * DAY,
        }
    }
}

/// Zones that set their clocks at different times and by different amounts, and UTC.
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "America/St_Johns",
    "UTC",
];

/// Moments at which a zone's clocks are set.
const JUMPS: [&str; 14] = [
    "2025-03-30T01:00:00Z",
    "2025-10-26T01:00:00Z",
    "2027-03-28T01:00:00Z",
    "2024-03-10T07:00:00Z",
    "2026-11-01T06:00:00Z",
    "2025-10-04T15:30:00Z",
    "2026-04-04T15:00:00Z",
    "2026-02-15T02:00:00Z",
    "2026-03-22T02:00:00Z",
    "2011-12-30T10:00:00Z",
    "2018-11-04T03:00:00Z",
    "2018-02-18T02:00:00Z",
    "2025-04-24T22:00:00Z",
    "2011-03-13T03:31:00Z",
];

/// Chooses the time at which a seed begins.
pub(crate) fn beginning(chance: &Chance, length: Millis) -> Millis {
    let moment = |text: &str| DateTime::parse_from_rfc3339(text).expect("a moment").timestamp_millis();
    if chance.one_in(3) {
        chance.between(moment("2012-01-01T00:00:00Z"), moment("2036-01-01T00:00:00Z"))
    } else {
        moment(chance.among(&JUMPS)) - chance.between(0, length)
    }
}

pub(crate) fn zone(chance: &Chance) -> &'static str {
    chance.among(&ZONES)
}

/// Makes the text of a schedule and its rule.
pub(crate) fn schedule(chance: &Chance, pace: Pace, now: Millis) -> (String, Rule) {
    match chance.between(0, 9) {
        0 => ("now".to_owned(), Rule::Now),
        1 => {
            let moment = now + chance.between(-pace.unit(), 6 * pace.unit());
            let iso = DateTime::from_timestamp_millis(moment).expect("in the calendar").to_rfc3339();
            (if chance.one_in(2) { moment.to_string() } else { iso }, Rule::At(moment))
        }
        2..=3 => {
            let (number, unit, millis) = match pace {
                Pace::Seconds => (chance.among(&[500, 1000, 7000, 30_000]), "ms", 1),
                Pace::Minutes => (chance.between(40, 900), "s", SECOND),
                Pace::Hours => (chance.between(40, 400), "m", MINUTE),
                Pace::Days => (chance.between(7, 60), "h", HOUR),
                Pace::Months => (chance.between(5, 40), "d", DAY),
            };
            (format!("every {number}{unit}"), Rule::Every(number * millis))
        }
        4 if pace == Pace::Months => shorthand(chance),
        _ => {
            let (cron, with_seconds) = cron(chance, pace);
            let fields = cron.fields.iter().skip(usize::from(!with_seconds));
            let text = fields.map(|field| field.text.as_str()).collect::<Vec<_>>().join(" ");
            (text, Rule::Cron(Box::new(cron)))
        }
    }
}

fn shorthand(chance: &Chance) -> (String, Rule) {
    let name = chance.among(&["@monthly", "@WEEKLY", "@yearly"]);
    let day = if name == "@WEEKLY" { star(1, 31) } else { list(&[1]) };
    let month = if name == "@yearly" { list(&[1]) } else { star(1, 12) };
    let weekday = if name == "@WEEKLY" { list(&[0]) } else { star(0, 6) };
    let fields = [list(&[0]), list(&[0]), list(&[0]), day, month, weekday];
    (name.to_owned(), Rule::Cron(Box::new(Cron { fields })))
}

fn cron(chance: &Chance, pace: Pace) -> (Cron, bool) {
    let (minute, hour) = (star(0, 59), star(0, 23));
    let with_seconds = pace == Pace::Seconds || chance.one_in(5);
    let second = match pace {
        Pace::Seconds => chance.among(&[step(0, 59, 10), step(0, 59, 25), list(&[5, 35]), list(&[0])]),
        _ if with_seconds => among(chance, 0, 59, 1),
        _ => list(&[0]),
    };
    let minute = match pace {
        Pace::Seconds => chance.among(&[minute.clone(), minute, range(0, 59)]),
        Pace::Minutes => {
            let some = among(chance, 0, 59, 6);
            chance.among(&[minute, step(0, 59, 7), step(0, 59, 10), some])
        }
        _ => among(chance, 0, 59, 1),
    };
    let hour = match pace {
        Pace::Seconds | Pace::Minutes => {
            let some = among(chance, 0, 23, 8);
            chance.among(&[hour.clone(), hour, range(0, 23), some])
        }
        Pace::Hours => {
            let some = among(chance, 0, 23, 6);
            chance.among(&[hour, step(0, 23, 3), range(0, 3), some])
        }
        // The hours in which clocks are set.
        Pace::Days | Pace::Months => {
            let small = among(chance, 0, 3, 1);
            let some = among(chance, 0, 23, 1);
            chance.among(&[small.clone(), small, some])
        }
    };
    let (day, month, weekday) = match pace {
        Pace::Seconds | Pace::Minutes | Pace::Hours => (star(1, 31), star(1, 12), star(0, 6)),
        Pace::Days => {
            // Weekday 7 is Sunday, as 0 is.
            let sundays = Field { text: "3,7".to_owned(), ..list(&[3, 0]) };
            let weekdays = chance.among(&[star(0, 6), range(1, 5), list(&[0]), sundays]);

            let day = chance.among(&[star(1, 31), star(1, 31), step(1, 31, 3), list(&[1, 13, 28])]);
            (day, star(1, 12), weekdays)
        }
        Pace::Months => {
            let (weekday, nth) = (chance.between(0, 6), chance.between(1, 5));
            let specials = [
                special("L", Special::LastDay),
                special("LW", Special::LastWorkday),
                among(chance, 1, 31, 2),
            ];
            let of_week = [
                special(&format!("{weekday}L"), Special::LastWeekday(low(weekday))),
                special(&format!("{weekday}#{nth}"), Special::NthWeekday(low(weekday), low(nth))),
                list(&[low(weekday)]),
            ];
            let month = among(chance, 1, 12, 3);
            let month = chance.among(&[star(1, 12), star(1, 12), step(1, 12, 2), month]);
            match chance.between(0, 4) {
                0..=1 => (chance.among(&specials), month, star(0, 6)),
                2..=3 => (star(1, 31), month, chance.among(&of_week)),
                _ => (chance.among(&specials), month, chance.among(&of_week)),
            }
        }
    };
    (Cron { fields: [second, minute, hour, day, month, weekday] }, with_seconds)
}

fn low(number: i64) -> u32 {
    u32::try_from(number).expect("it is small")
}

fn star(from: u32, to: u32) -> Field {
    Field { text: "*".to_owned(), values: (from..=to).collect(), star: true, special: None }
}

fn step(from: u32, to: u32, by: usize) -> Field {
    let values = (from..=to).step_by(by).collect();
    Field { text: format!("*/{by}"), values, star: true, special: None }
}

fn range(from: u32, to: u32) -> Field {
    Field { text: format!("{from}-{to}"), values: (from..=to).collect(), star: false, special: None }
}

fn list(values: &[u32]) -> Field {
    let text = values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    Field { text, values: values.to_vec(), star: false, special: None }
}

fn special(text: &str, special: Special) -> Field {
    Field { text: text.to_owned(), values: Vec::new(), star: false, special: Some(special) }
}

/// A list of up to `most` values.
fn among(chance: &Chance, from: u32, to: u32, most: i64) -> Field {
    let count = chance.between(1, most);
    let mut values: Vec<_> = (0..count).map(|_| low(chance.between(from.into(), to.into()))).collect();
    values.sort_unstable();
    values.dedup();
    list(&values)
}

/// Executions at once of the tasks with a concurrency key.
pub(crate) const KEYS: [(&str, u32); 2] = [("one", 1), ("two", 2)];

/// Makes a body with some of a task's fields besides its schedule.
pub(crate) fn fields(chance: &Chance, pace: Pace) -> Map<String, Value> {
    let mut body = Map::new();
    let mut maybe = |name: &str, value: Value| {
        if !chance.one_in(3) {
            body.insert(name.to_owned(), value);
        }
    };
    maybe("timezone", json!(zone(chance)));
    maybe("maxRetries", json!(chance.among(&[0, 0, 1, 2, 3, 5])));
    maybe("retryDelay", json!(chance.spread(1000, (pace.unit() / 2).clamp(1000, 3_600_000))));
    maybe("retryBackoff", json!(chance.among(&["fixed", "exponential"])));
    maybe("timeout", json!(chance.spread(100, (3 * pace.unit()).min(86_400_000))));
    maybe("overlap", json!(chance.among(&["skip", "queue", "allow", "replace"])));
    maybe("misfire", json!(chance.among(&["once", "skip", "all"])));
    maybe("onExhausted", json!(chance.among(&["continue", "stop"])));
    maybe("concurrencyKey", json!(chance.among(&[None, None, None, Some("one"), Some("two")])));
    maybe("params", json!({ "number": chance.between(0, 1 << 40) }));
    body
}
