//! A walker that knows no shortcut: it goes through real time second by second or minute by minute, looks
//! at the wall clock, and decides as cron(8) describes it.

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Values of a field written in the simplest way, and whether it is a star to cron.
#[derive(Debug, Clone)]
struct Plain {
    text: String,
    values: Vec<u32>,
    star: bool,
}

fn field(low: u32, high: u32) -> impl Strategy<Value = Plain> {
    let all = (low..=high).collect::<Vec<_>>();
    let star = Just(Plain { text: "*".into(), values: all, star: true });
    let step = (1..=high).prop_map(move |step| Plain {
        text: format!("*/{step}"),
        values: (low..=high).filter(|value| (value - low).is_multiple_of(step)).collect(),
        star: true,
    });
    let range = (low..=high, low..=high, 1..=high).prop_map(|(a, b, step)| {
        let (a, b) = (a.min(b), a.max(b));
        let text = if step == 1 { format!("{a}-{b}") } else { format!("{a}-{b}/{step}") };
        Plain {
            text,
            values: (a..=b).filter(|value| (value - a).is_multiple_of(step)).collect(),
            star: false,
        }
    });
    let list = prop::collection::vec(low..=high, 1..4).prop_map(|values| Plain {
        text: values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        values,
        star: false,
    });
    prop_oneof![4 => star, 2 => step, 2 => range, 4 => list]
}

#[derive(Debug, Clone)]
struct Expression {
    fields: Vec<Plain>,
    seconds: bool,
}

impl Expression {
    fn text(&self) -> String {
        let skip = usize::from(!self.seconds);
        self.fields.iter().skip(skip).map(|field| field.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn matches(&self, wall: NaiveDateTime) -> bool {
        let has = |index: usize, value: u32| self.fields[index].values.contains(&value);
        let second = if self.seconds { has(0, wall.second()) } else { wall.second() == 0 };
        let weekday = wall.weekday().num_days_from_sunday();
        let of_month = has(3, wall.day());
        let of_week = has(5, weekday) || (weekday == 0 && has(5, 7));
        let either = !self.fields[3].star && !self.fields[5].star;
        let day = if either { of_month || of_week } else { of_month && of_week };
        second && has(1, wall.minute()) && has(2, wall.hour()) && has(4, wall.month()) && day
    }

    fn fixed(&self) -> bool {
        !self.fields[1].star && !self.fields[2].star
    }

    /// Every run in `(after, until]`, in steps of `step` seconds from `after`.
    fn walk(&self, zone: Tz, after: i64, until: i64, step: i64) -> Vec<Millis> {
        let wall =
            |instant: i64| DateTime::from_timestamp(instant, 0).unwrap().with_timezone(&zone).naive_local();
        let step_of = TimeDelta::seconds(step);
        // Far enough back to know which wall times were there before.
        let start = after - 30 * 3_600 / step * step;
        let mut latest = wall(start);
        let mut runs = Vec::new();
        for instant in (1..).map(|n| start + n * step).take_while(|instant| *instant <= until) {
            let now = wall(instant);
            let run = if self.fixed() {
                // The wall times that are new at this instant, more than one after a gap.
                let new = std::iter::successors(Some(latest + step_of), |time| Some(*time + step_of));
                new.take_while(|time| *time <= now).any(|time| self.matches(time))
            } else {
                self.matches(now)
            };
            if run && instant > after {
                runs.push(instant * 1_000);
            }
            latest = latest.max(now);
        }
        runs
    }
}

fn expression(seconds: bool) -> impl Strategy<Value = Expression> {
    (field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).prop_map(
        move |(second, minute, hour, day, month, weekday)| Expression {
            fields: vec![second, minute, hour, day, month, weekday],
            seconds,
        },
    )
}

/// A zone and a time shortly before one of its jumps, in seconds.
fn before_a_jump() -> impl Strategy<Value = (Tz, i64)> {
    let jumps = [
        (Tz::Europe__Berlin, "2025-03-30T01:00:00Z"),
        (Tz::Europe__Berlin, "2025-10-26T01:00:00Z"),
        (Tz::America__New_York, "2024-03-10T07:00:00Z"),
        (Tz::America__New_York, "2024-11-03T06:00:00Z"),
        (Tz::America__St_Johns, "2011-03-13T03:31:00Z"),
        (Tz::America__St_Johns, "2010-11-07T02:31:00Z"),
        (Tz::Australia__Lord_Howe, "2025-10-04T15:30:00Z"),
        (Tz::Australia__Lord_Howe, "2025-04-05T15:00:00Z"),
        (Tz::Africa__Cairo, "2025-04-24T22:00:00Z"),
        (Tz::Africa__Cairo, "2024-10-31T21:00:00Z"),
        (Tz::America__Sao_Paulo, "2018-11-04T03:00:00Z"),
        (Tz::America__Sao_Paulo, "2018-02-18T02:00:00Z"),
        (Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
        (Tz::Antarctica__Troll, "2025-03-30T01:00:00Z"),
        (Tz::Antarctica__Casey, "2018-03-10T17:00:00Z"),
        (Tz::Africa__Casablanca, "2025-02-23T02:00:00Z"),
        (Tz::Asia__Kathmandu, "1985-12-31T18:30:00Z"),
        (Tz::Europe__Dublin, "2025-10-26T01:00:00Z"),
        (Tz::Asia__Gaza, "2025-03-29T00:00:00Z"),
        (Tz::UTC, "2026-01-01T00:00:00Z"),
    ];
    select(jumps.to_vec()).prop_map(|(zone, jump)| (zone, at(jump) / 1_000))
}

fn agrees(expression: &Expression, zone: Tz, after: i64, until: i64, step: i64) -> Result<(), TestCaseError> {
    let text = expression.text();
    let schedule = parse(&text);
    let expected = expression.walk(zone, after, until, step);
    let (after, until) = (after * 1_000, until * 1_000);
    let mut found = Vec::new();
    let mut from = after;
    while let Some(run) = schedule.next_after(from, 0, zone).filter(|run| *run <= until) {
        prop_assert!(run > from, "{text} {zone}: {run} is not after {from}");
        found.push(run);
        from = run;
    }
    prop_assert_eq!(&found, &expected, "{} {} {}", text, zone, after);
    // Asking at any moment, not only at runs.
    for ask in (after..until).step_by(1_234_567) {
        let next = expected.iter().copied().find(|run| *run > ask);
        prop_assert_eq!(
            schedule.next_after(ask, 0, zone).filter(|run| *run <= until),
            next,
            "{} {} {}",
            text,
            zone,
            ask
        );
        let passed = schedule.count_between(after, ask, 0, zone);
        let newest = expected.iter().copied().take_while(|run| *run <= ask);
        prop_assert_eq!(passed.count, newest.clone().count() as u64, "{} {} {}", text, zone, ask);
        prop_assert_eq!(passed.newest, newest.last(), "{} {} {}", text, zone, ask);
        prop_assert_eq!(
            schedule.count_between(ask, until, 0, zone).count,
            expected.len() as u64 - passed.count
        );
    }
    prop_assert_eq!(schedule.newest_between(after, until, usize::MAX, 0, zone), found);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn five_fields_agree_with_the_walker(
        expression in expression(false), (zone, jump) in before_a_jump(), back in 0_i64..3_000, ahead in 0_i64..3_000,
    ) {
        agrees(&expression, zone, jump - back * 60, jump + ahead * 60, 60)?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[0-9*/,LW#a-z@ T:Z.+-]{0,40}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            let _ = schedule.describe();
            let next = schedule.next_after(1_700_000_000_123, 1_700_000_000_000, Tz::Europe__Berlin);
            prop_assert!(next.is_none_or(|next| next > 1_700_000_000_123));
            let _ = schedule.warnings(Tz::Europe__Berlin, &next.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_unicode_is_read_or_refused(text in "\\PC{0,300}") {
        if let Err(error) = Schedule::parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn every_month_of_days_agrees_with_the_walker(
        day in field(1, 31), month in field(1, 12), weekday in field(0, 7), hour in 0_u32..24, (zone, jump) in before_a_jump(),
    ) {
        let one = |value: u32| Plain { text: value.to_string(), values: vec![value], star: false };
        let fields = vec![one(0), one(30), one(hour), day, month, weekday];
        agrees(&Expression { fields, seconds: false }, zone, jump - 20 * 86_400, jump + 40 * 86_400, 60)?;
    }

    #[test]
    fn six_fields_agree_with_the_walker(
        expression in expression(true), (zone, jump) in before_a_jump(), back in 0_i64..9_000, ahead in 0_i64..9_000,
    ) {
        agrees(&expression, zone, jump - back, jump + ahead, 1)?;
    }
}

#[test]
fn forms_that_the_walker_lacks_agree_with_themselves() {
    let (from, to) = (at("2024-01-15T00:30:00Z"), at("2029-06-30T12:00:00Z"));
    let texts = [
        "0 0 L * *",
        "*/30 2 LW * *",
        "30 2 1W,15W * *",
        "30 1,2,3 * 3,10,11 sunL",
        "*/20 1-3 * 3,11 0#1,0#2,0L",
        "15 1 L 2-4 5",
        "0 0 2 * * 1#1",
        "*/15 30 2 13 * 7L",
        "30 2 */2 * 6#5",
    ];
    for zone in [Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe] {
        for text in texts {
            let schedule = parse(text);
            let runs = std::iter::successors(Some(from), |after| schedule.next_after(*after, 0, zone));
            let runs: Vec<Millis> = runs.skip(1).take_while(|run| *run <= to).collect();
            let passed = Passed { count: runs.len() as u64, newest: runs.last().copied() };
            assert_eq!(schedule.count_between(from, to, 0, zone), passed, "{text} {zone}");
            assert_eq!(schedule.newest_between(from, to, usize::MAX, 0, zone), runs, "{text} {zone}");
        }
    }
}

#[test]
fn a_year_is_counted_at_once() {
    let (from, to) = (at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    let every_second = parse("* * * * * *").count_between(from, to, 0, Tz::Europe__Berlin);
    assert_eq!(every_second, Passed { count: 31_536_000, newest: Some(to) });
    let fixed = parse("* 0-59 0-23 * * *").count_between(from, to, 0, Tz::Europe__Berlin);
    // The repeated hour runs once; the gap is empty, its times are one with the run at its end.
    assert_eq!(fixed, Passed { count: 31_536_000 - 3_600, newest: Some(to) });
    assert_eq!(parse("* * * * * *").count_between(i64::MIN, i64::MAX, 0, Tz::UTC).count, 4_133_980_800);
}
