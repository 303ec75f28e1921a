use chrono::DateTime;
use chrono_tz::Tz;

use super::*;

mod against_cases;
mod against_walker;

fn at(text: &str) -> Millis {
    text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis()
}

fn parse(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The next runs as local time with its offset.
fn next(text: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
    let schedule = parse(text);
    let runs = std::iter::successors(Some(at(after)), |after| schedule.next_after(*after, 0, zone));
    let local = |run: Millis| DateTime::from_timestamp_millis(run).unwrap().with_timezone(&zone);
    runs.skip(1).take(count).map(|run| local(run).format("%m-%d %H:%M:%S %z").to_string()).collect()
}

#[test]
fn moments_are_read() {
    let moment = at("2026-05-01T07:00:00Z");
    let same = [
        "2026-05-01T07:00:00Z",
        "2026-05-01t07:00:00z",
        "2026-05-01T07:00Z",
        "2026-05-01 07:00:00Z",
        "2026-05-01T07:00:00 Z",
        "2026-05-01T09:00:00+02:00",
        "2026-05-01T09:00:00+0200",
        "2026-05-01T09:00+02",
        "2026-05-01T02:30:00-04:30",
        "2026-04-30T23:59:00-07:01",
        "2026-05-01T07:00:00.000Z",
        "2026-05-01T07:00:00.0009Z",
        "  2026-05-01T07:00:00Z\t\n",
        "1777618800000",
        "0001777618800000",
    ];
    for text in same {
        assert_eq!(parse(text), Schedule::At(moment), "{text:?}");
    }
    assert_eq!(parse("2026-05-01T07:00:00.25Z"), Schedule::At(moment + 250));
    assert_eq!(parse("2026-05-01T07:00:00,123456789Z"), Schedule::At(moment + 123));
    assert_eq!(parse("0"), Schedule::At(0));
    assert_eq!(parse("1969-12-31T23:59:59.999Z"), Schedule::At(-1));
    assert_eq!(parse("253402300799999"), Schedule::At(LATEST));
    assert_eq!(parse("NOW"), Schedule::Now);
}

#[test]
fn intervals_are_read() {
    let cases = [
        ("every 250ms", 250),
        ("every 90s", 90_000),
        ("every 15m", 900_000),
        ("every 2h", 7_200_000),
        ("every 1d", 86_400_000),
        ("  EVERY \t 015 M ", 900_000),
        ("every15m", 900_000),
        (" @Every 15m ", 900_000),
        ("every 100ms", 100),
    ];
    for (text, interval) in cases {
        assert_eq!(parse(text), Schedule::Every(interval), "{text:?}");
    }
}

#[test]
fn errors_say_what_and_where_and_what_would_be_right() {
    let cases = [
        ("", "empty"),
        (" \t ", "empty"),
        ("tomorrow", "\"tomorrow\" is not a schedule"),
        ("*", "not a schedule"),
        ("-5", "not a schedule"),
        ("* * * *", "but this has 4"),
        ("* * * * * * *", "but this has 7"),
        ("* * * * *\u{a0}", "at character 10"),
        (
            "60 * * * *",
            "minute field is wrong at character 1 (\"60\"): 60 is out of range: use a number from 0 to 59",
        ),
        (
            "  0\t24 * * *",
            "hour field is wrong at character 5 (\"24\"): 24 is out of range: use a number from 0 to 23",
        ),
        ("0 0 0 * *", "day of month field is wrong at character 5"),
        ("0 0 32 * *", "day of month field"),
        ("0 0 1 13 *", "month field is wrong at character 7"),
        ("0 0 1 0 *", "month field"),
        (
            "0 0 * * 8",
            "day of week field is wrong at character 9 (\"8\"): 8 is out of range: use a number from 0 to 7",
        ),
        ("0 0 * * 1,2,8", "character 13 (\"8\")"),
        ("60 0 0 * * *", "second field is wrong at character 1"),
        ("0 99999999999999999999 * * *", "hour field"),
        ("5/15 * * * *", "a step needs a range: write 5-59/15 to start at 5, or */15"),
        ("* * * * mon/2", "a step needs a range: write 1-7/2"),
        ("* 17-9 * * *", "the range runs backwards"),
        ("* * * * fri-mon", "the range runs backwards"),
        ("* * * * 5-0", "the range runs backwards"),
        ("*/0 * * * *", "the step is 0"),
        ("*/60 * * * *", "the step 60 is too large: use 1 to 59"),
        ("* */24 * * *", "use 1 to 23"),
        ("* * */32 * *", "use 1 to 31"),
        ("* * * * */8", "use 1 to 7"),
        ("*/999 * * * *", "the step 999 is too large"),
        ("*/ * * * *", "the step \"\" is not a number"),
        ("*/5/5 * * * *", "the step \"5/5\" is not a number"),
        ("*/-5 * * * *", "the step \"-5\" is not a number"),
        ("/5 * * * *", "a value is missing"),
        ("1,,2 * * * *", "character 3 (\"\"): an entry of the list is empty"),
        ("1, * * * *", "an entry of the list is empty"),
        ("5- * * * *", "a value is missing"),
        ("-5 * * * *", "a value is missing"),
        ("1-2-3 * * * *", "\"2-3\" is not understood"),
        ("+5 * * * *", "\"+5\" is not understood"),
        ("1.5 * * * *", "\"1.5\" is not understood"),
        ("*5 * * * *", "\"*5\" is not understood"),
        ("** * * * *", "\"**\" is not understood"),
        ("mon * * * *", "minute field"),
        ("2000-3000 * * * *", "minute field"),
        (
            "0 0 * monday *",
            "\"monday\" is not understood: use a number from 1 to 12 or a name of three letters such as jan",
        ),
        ("0 0 * * monday", "a name of three letters such as mon"),
        ("0 0 ? * *", "write *"),
        ("0 0 * * L", "write 5L"),
        ("0 0 L-3 * *", "a distance from the last day is not supported"),
        ("0 0 * * 1#6", "\"6\" after # is not a week of the month"),
        ("0 0 * * 1#0", "is not a week of the month"),
        ("0 0 * * #2", "a value is missing"),
        ("0 0 * * 8L", "8 is out of range"),
        ("0 0 32W * *", "32W"),
        ("0 0 W * *", "a value is missing"),
        ("0 0 L/2 * *", "a step needs a range"),
        ("L * * * *", "minute field"),
        ("@reboot", "\"@reboot\" is not known: use @hourly"),
        ("@every 5", "has no unit"),
        ("@", "is not known"),
        ("every", "needs a whole number and a unit"),
        ("every minute", "needs a whole number and a unit"),
        ("every -5m", "needs a whole number and a unit"),
        ("every 15", "no unit: add ms, s, m, h or d, as in \"every 15m\""),
        ("every 15 minutes", "\"minutes\" is not a unit"),
        ("every 1h30m", "\"h30m\" is not a unit"),
        ("every 1.5h", "\".5h\" is not a unit"),
        ("every 0s", "the interval is 0 ms: use at least 100 ms"),
        ("every 99ms", "use at least 100 ms"),
        ("every 99999999999999999999d", "too long"),
        ("every 9223372036854775807ms", "too long"),
        ("every 106751991168d", "too long"),
        ("253402300800000", "after the year 9999"),
        ("99999999999999999999999", "after the year 9999"),
        ("9999-12-31T23:59:59-12:00", "after the year 9999"),
        ("2026-05-01T09:00:00", "add Z for UTC or an offset such as +02:00"),
        ("2026-05-01 09:00", "add Z for UTC or an offset"),
        ("2026-05-01", "has no time of day"),
        ("2026-05", "is not a time"),
        ("2026-5-1T09:00:00Z", "is not a time"),
        ("2026-05-01X09:00:00Z", "is not a time"),
        ("2026-05-01T9:00Z", "is not a time"),
        ("2026-05-01T09:00:00.Z", "is not a time"),
        ("2026-05-01T09:00.5Z", "is not a time"),
        ("2026-05-01TZ", "is not a time"),
        ("2026-13-01T09:00:00Z", "there is no date 2026-13-01"),
        ("2026-02-29T09:00:00Z", "there is no date 2026-02-29"),
        ("2026-05-01T24:00:00Z", "there is no time 24:00:00"),
        ("2026-05-01T09:00:60Z", "there is no time 09:00:60"),
        ("2026-05-01T09:00:00+25:00", "\"+25:00\" is not an offset"),
        ("2026-05-01T09:00:00+02:0", "is not an offset"),
        ("2026-05-01T09:00:00Zulu", "is not an offset"),
        ("2026-05-01T09:00:00-", "is not an offset"),
        ("0 9 * * 1 ✓", "'✓' at character 11"),
        ("０ 9 * * 1", "at character 1"),
        ("0 9 *\n* 1", "at character 6"),
        ("0 9 * * \u{0}", "at character 9"),
    ];
    for (text, expected) in cases {
        let message = match Schedule::parse(text) {
            Err(error) => error.to_string(),
            Ok(schedule) => panic!("{text:?} was read as {schedule:?}"),
        };
        assert!(message.contains(expected), "{text:?}: {message}");
    }
    assert!(matches!(Schedule::parse(&"* ".repeat(129)), Err(ScheduleError::TooLong(258))));
}

#[test]
fn unix_spellings_are_read() {
    let same = [
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * SUN", "0 9 * * sun"),
        ("0 9 * * sun-mon", "0 9 * * 0-1"),
        ("0 9 * * fri-sun", "0 9 * * 5-7"),
        ("0 9 * JAN-Mar/2 *", "0 9 * 1-3/2 *"),
        ("00 009 * * 1", "0 9 * * 1"),
        ("\t0  9 * *   1 ", "0 9 * * 1"),
        ("@DAILY", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@annually", "0 0 1 1 *"),
        ("10-20/30 * * * *", "10 * * * *"),
        ("0 0 l * *", "0 0 L * *"),
        ("0 0 * * MON#2", "0 0 * * 1#2"),
        ("0 0 * * friL", "0 0 * * 5l"),
    ];
    let after = at("2026-03-03T03:03:03Z");
    for (left, right) in same {
        let (left, right) = (parse(left), parse(right));
        let runs = |schedule: &Schedule| {
            let runs = std::iter::successors(Some(after), |after| schedule.next_after(*after, 0, Tz::UTC));
            runs.take(20).collect::<Vec<_>>()
        };
        assert_eq!(runs(&left), runs(&right), "{left:?}");
        assert_eq!(left.schedule_type(), right.schedule_type());
    }
}

#[test]
fn types_are_told_apart() {
    use ScheduleType::{Cron, Daily, Hourly, Interval, Monthly, Once, Weekly};
    let cases = [
        ("now", Once, 0),
        ("1777618800000", Once, 0),
        ("every 1h", Interval, 3_600_000),
        ("30 * * * *", Hourly, 3_600_000),
        ("@hourly", Hourly, 3_600_000),
        ("5 30 * * * *", Hourly, 3_600_000),
        ("0 9 * * *", Daily, 86_400_000),
        ("@midnight", Daily, 86_400_000),
        ("0 9 * * 1", Weekly, 604_800_000),
        ("@weekly", Weekly, 604_800_000),
        ("0 9 1 * *", Monthly, 2_592_000_000),
        ("@monthly", Monthly, 2_592_000_000),
        ("0 0 9 1 * *", Monthly, 2_592_000_000),
        ("0 9 L * *", Monthly, 2_592_000_000),
        ("* * * * *", Cron, 60_000),
        ("*/5 * * * *", Cron, 300_000),
        ("* 9 * * *", Cron, 60_000),
        ("0 9,17 * * *", Cron, 28_800_000),
        ("0 9 * * 1-5", Cron, 86_400_000),
        ("0 9 1 * 1", Cron, 0),
        ("0 9 * * 1#2", Cron, 0),
        ("@yearly", Cron, 0),
        ("* 0 9 * * *", Cron, 1_000),
        ("0 0 31 2 *", Cron, 0),
    ];
    for (text, kind, period) in cases {
        let schedule = parse(text);
        assert_eq!(schedule.schedule_type(), kind, "{text}");
        if period > 0 || kind == Once {
            assert_eq!(schedule.period(at("2026-05-04T00:00:00Z"), 0, Tz::UTC), period, "{text}");
        }
    }
    assert_eq!(serde_json::to_string(&Monthly).unwrap(), "\"monthly\"");
}

#[test]
fn intervals_count_from_their_anchor() {
    let schedule = parse("every 1h");
    assert_eq!(schedule.next_after(0, 1_000, Tz::UTC), Some(3_601_000));
    assert_eq!(schedule.next_after(i64::MIN, 1_000, Tz::UTC), Some(3_601_000));
    assert_eq!(schedule.next_after(3_601_000, 1_000, Tz::UTC), Some(7_201_000));
    assert_eq!(schedule.next_after(3_600_999, 1_000, Tz::UTC), Some(3_601_000));
    assert_eq!(schedule.next_after(i64::MAX, 1_000, Tz::UTC), None);
    assert_eq!(schedule.next_after(0, i64::MAX, Tz::UTC), None);
    let year = parse("every 100ms").count_between(50, 31_536_000_050, 0, Tz::UTC);
    assert_eq!(year, Passed { count: 315_360_000, newest: Some(31_536_000_000) });
    assert_eq!(schedule.newest_between(0, 20_000_000, 2, 0, Tz::UTC), [14_400_000, 18_000_000]);
    assert_eq!(schedule.count_between(20, 10, 0, Tz::UTC), Passed::default());
}

#[test]
fn one_time_schedules_have_one_time() {
    let schedule = parse("5000");
    assert_eq!(schedule.next_after(4_999, 0, Tz::UTC), Some(5_000));
    assert_eq!(schedule.next_after(5_000, 0, Tz::UTC), None);
    assert_eq!(schedule.count_between(0, 5_000, 0, Tz::UTC), Passed { count: 1, newest: Some(5_000) });
    assert_eq!(schedule.count_between(5_000, 9_000, 0, Tz::UTC), Passed::default());
    assert!(schedule.newest_between(0, 9_000, 0, 0, Tz::UTC).is_empty());
    assert_eq!(parse("now").next_after(0, 0, Tz::UTC), None);
    assert!(parse("now").is_one_time() && schedule.is_one_time() && !parse("@daily").is_one_time());
}

#[test]
fn what_never_runs_is_refused_at_creation() {
    let after = at("2026-05-01T00:00:00Z");
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 *"] {
        assert_eq!(parse(text).check_reachable(after, after, Tz::UTC), Err(ScheduleError::Never), "{text}");
    }
    // 29 February on a Sunday: in 2032, then in 2060.
    let sundays = parse("0 0 29 2 */7");
    assert_eq!(sundays.check_reachable(after, after, Tz::UTC), Ok(()));
    assert_eq!(sundays.check_reachable(at("2033-01-01T00:00:00Z"), 0, Tz::UTC), Err(ScheduleError::Never));
    for text in ["now", "5", "every 1d", "0 0 29 2 *", "0 0 30 2 1", "* * * * *"] {
        assert_eq!(parse(text).check_reachable(after, after, Tz::UTC), Ok(()), "{text}");
    }
    assert_eq!(parse("* * * * *").next_after(at("2101-01-02T00:00:00Z"), 0, Tz::UTC), None);
    assert_eq!(parse("* * * * *").next_after(i64::MAX, 0, Tz::UTC), None);
    assert_eq!(parse("* * * * *").next_after(i64::MIN, 0, Tz::UTC), Some(0));
}

#[test]
fn fixed_times_in_a_gap_run_once_at_its_end() {
    let berlin = Tz::Europe__Berlin;
    let after = "2025-03-29T12:00:00Z";
    assert_eq!(next("30 2 * * *", berlin, after, 2), ["03-30 03:00:00 +0200", "03-31 02:30:00 +0200"]);
    assert_eq!(
        next("0,15,30 2,3 * * *", berlin, after, 3),
        ["03-30 03:00:00 +0200", "03-30 03:15:00 +0200", "03-30 03:30:00 +0200"]
    );
    assert_eq!(next("* 30 2 * * *", berlin, after, 2), ["03-30 03:00:00 +0200", "03-31 02:30:00 +0200"]);
    assert_eq!(
        next("15 2 * * *", Tz::Australia__Lord_Howe, "2025-10-04T00:00:00Z", 2),
        ["10-05 02:30:00 +1100", "10-06 02:15:00 +1100"]
    );
    // No midnight on that day.
    assert_eq!(
        next("@midnight", Tz::Africa__Cairo, "2025-04-24T12:00:00Z", 2),
        ["04-25 01:00:00 +0300", "04-26 00:00:00 +0300"]
    );
    assert_eq!(
        next("@midnight", Tz::America__Sao_Paulo, "2018-11-03T12:00:00Z", 2),
        ["11-04 01:00:00 -0200", "11-05 00:00:00 -0200"]
    );
    assert_eq!(next("0 0 * * 0", Tz::Asia__Beirut, "2024-03-30T12:00:00Z", 1), ["03-31 01:00:00 +0300"]);
    // No 30 December: its run is at once when the day is over, and the next day has its own.
    assert_eq!(
        next("0 9 * * *", Tz::Pacific__Apia, "2011-12-29T08:00:00Z", 3),
        ["12-29 09:00:00 -1000", "12-31 00:00:00 +1400", "12-31 09:00:00 +1400"]
    );
}

#[test]
fn fixed_times_that_happen_twice_run_the_first_time() {
    let new_york = Tz::America__New_York;
    let after = "2025-11-01T16:00:00Z";
    assert_eq!(next("30 1 * * *", new_york, after, 2), ["11-02 01:30:00 -0400", "11-03 01:30:00 -0500"]);
    assert_eq!(
        next("0,30 1-2 * * *", new_york, after, 4),
        ["11-02 01:00:00 -0400", "11-02 01:30:00 -0400", "11-02 02:00:00 -0500", "11-02 02:30:00 -0500"]
    );
    // Asked in the middle of the second time.
    assert_eq!(next("45 1 * * *", new_york, "2025-11-02T06:10:00Z", 1), ["11-03 01:45:00 -0500"]);
    // Around midnight: 23:00 to 24:00 comes again.
    assert_eq!(
        next("30 23 * * *", Tz::America__Sao_Paulo, "2018-02-17T12:00:00Z", 2),
        ["02-17 23:30:00 -0200", "02-18 23:30:00 -0300"]
    );
    assert_eq!(
        next("30 23 * * *", Tz::America__Sao_Paulo, "2018-02-18T02:10:00Z", 1),
        ["02-18 23:30:00 -0300"]
    );
}

#[test]
fn wildcards_go_by_elapsed_time() {
    let new_york = Tz::America__New_York;
    assert_eq!(
        next("*/30 1 * * *", new_york, "2025-11-01T16:00:00Z", 4),
        ["11-02 01:00:00 -0400", "11-02 01:30:00 -0400", "11-02 01:00:00 -0500", "11-02 01:30:00 -0500"]
    );
    assert_eq!(
        next("30 * * * *", new_york, "2025-03-09T06:00:00Z", 2),
        ["03-09 01:30:00 -0500", "03-09 03:30:00 -0400"]
    );
    assert_eq!(next("* 2 * * *", new_york, "2025-03-08T12:00:00Z", 1), ["03-10 02:00:00 -0400"]);
    assert_eq!(
        next("59 59 * * * *", new_york, "2025-11-02T05:00:00Z", 2),
        ["11-02 01:59:59 -0400", "11-02 01:59:59 -0500"]
    );
    assert_eq!(
        next("*/20 * * * *", Tz::Australia__Lord_Howe, "2025-04-05T14:30:00Z", 4),
        ["04-06 01:40:00 +1100", "04-06 01:40:00 +1030", "04-06 02:00:00 +1030", "04-06 02:20:00 +1030"]
    );
}

#[test]
fn warnings_name_what_may_surprise() {
    let warn = |text: &str, zone: Tz, after: &str, count: usize| {
        let schedule = parse(text);
        let runs = std::iter::successors(Some(at(after)), |after| schedule.next_after(*after, 0, zone));
        schedule.warnings(zone, &runs.skip(1).take(count).collect::<Vec<_>>())
    };
    let berlin = Tz::Europe__Berlin;
    assert_eq!(
        warn("30 2 * * *", berlin, "2025-03-28T12:00:00Z", 5),
        [
            "02:30 on 2025-03-30 does not exist in Europe/Berlin (forward from 02:00 to 03:00): that run is at 03:00."
        ]
    );
    assert_eq!(
        warn("0,30 2,3 * * *", berlin, "2025-03-30T00:59:59Z", 1),
        [
            "02:00 on 2025-03-30 does not exist in Europe/Berlin (forward from 02:00 to 03:00): that run is at 03:00, once for all times up to then."
        ]
    );
    assert_eq!(
        warn("30 2 * * *", berlin, "2025-10-25T12:00:00Z", 1),
        [
            "02:30 on 2025-10-26 happens twice in Europe/Berlin (back from 03:00 to 02:00): it runs only the first time."
        ]
    );
    assert_eq!(
        warn("*/30 * * * *", berlin, "2025-10-25T23:59:00Z", 6),
        [
            "In Europe/Berlin the clock changes back from 03:00 to 02:00: the times from 02:00 on 2025-10-26 up to 03:00 happen twice: runs planned in them happen both times."
        ]
    );
    assert_eq!(
        warn("*/30 * * * *", berlin, "2025-03-30T00:00:00Z", 3),
        [
            "In Europe/Berlin the clock changes forward from 02:00 to 03:00: the times from 02:00 on 2025-03-30 up to 03:00 do not exist: runs planned in them are left out."
        ]
    );
    assert_eq!(
        warn("0 9 * * *", Tz::Pacific__Apia, "2011-12-29T20:00:00Z", 2),
        [
            "09:00 on 2011-12-30 does not exist in Pacific/Apia (forward from 00:00 to 00:00 on 2011-12-31): that run is at 00:00 on 2011-12-31."
        ]
    );
    assert_eq!(warn("0 9 * * *", berlin, "2025-03-28T12:00:00Z", 5), [""; 0]);
    assert_eq!(warn("*/5 9 * * *", berlin, "2025-03-28T12:00:00Z", 50), [""; 0]);
    assert_eq!(warn("30 2 * * *", Tz::UTC, "2025-03-28T12:00:00Z", 5), [""; 0]);
    assert_eq!(warn("0 0 13 * 5", Tz::UTC, "2025-03-28T12:00:00Z", 5).len(), 1);
    assert_eq!(warn("0 0 */2 * 5", Tz::UTC, "2025-03-28T12:00:00Z", 5), [""; 0]);
    assert_eq!(parse("0 0 13 * 5").warnings(Tz::UTC, &[]).len(), 1);
    assert_eq!(
        parse("1777618800").warnings(Tz::UTC, &[]),
        ["The time is in January 1970: digits are milliseconds since 1970, not seconds."]
    );
    assert_eq!(parse("1777618800000").warnings(Tz::UTC, &[1_777_618_800_000]), [""; 0]);
}
