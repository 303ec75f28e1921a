//! Benchmarks of the scheduler's work per task and per run, without disk, clock or process.

use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{BatchSize, Criterion, Throughput};
use isochron::{
    domain::{
        Millis,
        definition::{Backoff, Definition, Misfire, OnExhausted, Overlap},
        execution::{Level, Usage},
        facts::Task,
        ids::{ExecutionId, TaskId},
        schedule::{Schedule, Timetable},
        source::{Source, SourceKind},
        step::{Circumstances, Input, Policy},
    },
    runtime::protocol::{self, Context, Done, End, FromRunner, Mode, Run, ToRunner},
};
use serde_json::{Map, Value, json};

/// Schedules and tasks per measurement.
const COUNT: usize = 10_000;
/// 2026-03-01T00:00:00Z.
const NOW: Millis = 1_772_323_200_000;
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe];

/// Pseudo-random numbers, the same in every run: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Makes a schedule of a form that people write.
fn expression(numbers: &mut Numbers) -> String {
    let (second, minute, hour) = (numbers.below(60), numbers.below(60), numbers.below(24));
    let (day, month, weekday) = (1 + numbers.below(28), 1 + numbers.below(12), numbers.below(7));
    match numbers.below(12) {
        0 => format!("*/{} * * * *", 1 + minute % 30),
        1 => format!("{minute} * * * *"),
        2 => format!("{minute} {hour} * * *"),
        3 => format!("{minute} {hour} * * {weekday}"),
        4 => format!("{minute} {hour} {day} * *"),
        5 => format!("{minute} {hour} {day} {month} *"),
        6 => format!("{minute} {hour} {day} * {weekday}"),
        7 => format!("{second} {minute} {hour} * * 1-5"),
        8 => format!("{minute} {hour} L * *"),
        9 => format!("{minute} {hour} * * {weekday}#2"),
        10 => format!("{minute}-59/7 {hour}-23/3 1,15 */2 *"),
        _ => format!("every {}s", 1 + second),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    schedules(&mut criterion);
    due(&mut criterion);
    frames(&mut criterion);
    criterion.final_summary();
}

fn schedules(c: &mut Criterion) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let texts: Vec<_> = (0..COUNT).map(|_| expression(&mut numbers)).collect();
    let schedules: Vec<_> = texts.iter().map(|text| parse(text)).collect();
    let mut group = c.benchmark_group("schedule");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("parse", |b| {
        b.iter(|| texts.iter().filter(|text| Schedule::parse(black_box(text)).is_ok()).count());
    });
    group.bench_function("next_after", |b| {
        b.iter(|| {
            let zones = ZONES.iter().cycle();
            let next = schedules.iter().zip(zones).filter_map(|(s, z)| s.next_after(black_box(NOW), NOW, *z));
            next.fold(0, Millis::wrapping_add)
        });
    });
    group.finish();
}

fn parse(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn due(c: &mut Criterion) {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let tasks: Vec<_> = (0..COUNT).map(|i| task(i, &expression(&mut numbers))).collect();
    let mut group = c.benchmark_group("task");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("step due", |b| {
        b.iter_batched(
            || 0u128,
            |mut id| {
                let mut new_id = || {
                    id += 1;
                    ExecutionId::from_bytes(id.to_be_bytes())
                };
                let mut started = 0;
                for task in &tasks {
                    let now = task.due().unwrap_or(NOW);
                    let mut circumstances =
                        Circumstances { now, roll: 0.0, new_id: &mut new_id, policy: Policy::default() };
                    started += task.step(Input::Due, &mut circumstances).map_or(0, |step| step.start.len());
                }
                assert_eq!(started, COUNT, "every task is due and starts");
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn task(number: usize, schedule: &str) -> Task {
    let definition = Definition {
        name: format!("task-{number}"),
        description: "One of many".to_owned(),
        handler: "reports/sales".to_owned(),
        params: params(),
        schedule: Timetable::parse(schedule).unwrap_or_else(|error| panic!("{error}")),
        timezone: ZONES[number % ZONES.len()],
        recurring: true,
        max_retries: 3,
        retry_delay: 60_000,
        retry_backoff: Backoff::Fixed,
        timeout: 300_000,
        overlap: Overlap::Skip,
        misfire: Misfire::Once,
        on_exhausted: OnExhausted::Continue,
        keep_executions: 100,
        tags: Vec::new(),
        start_at: None,
        end_at: None,
        max_runs: None,
        jitter: 0,
        priority: 0,
        concurrency_key: None,
        after: None,
        alerts: None,
    };
    let id = TaskId::from_bytes((number as u128).to_be_bytes());
    Task::new(id, definition, NOW)
}

fn params() -> Map<String, Value> {
    match json!({"region": "north", "limit": 500, "columns": ["name", "total", "due"]}) {
        Value::Object(params) => params,
        _ => Map::new(),
    }
}

fn frames(c: &mut Criterion) {
    let text = "module.exports = async (params) => ({ n: params.n + 1 });\n".repeat(40);
    let run = ToRunner::Run(Box::new(Run {
        run: 7,
        mode: Mode::Call,
        entry: Source {
            file: "tasks/reports/sales.js".to_owned(),
            kind: SourceKind::Script,
            hash: [7; 32],
            names: Vec::new(),
            text,
            cache: Some(vec![42; 4096]),
        },
        params: Value::Object(params()).to_string(),
        context: Context { task_name: "sales".to_owned(), attempt: 1, ..Context::default() },
        timeout: 300_000,
        system: false,
        environment: Vec::new(),
    }));
    let line = FromRunner::Line { time: NOW, level: Level::Log, message: "42 rows written".to_owned() };
    let done = FromRunner::Done(Box::new(Done {
        run: 7,
        end: End::Returned { result: r#"{"success":true,"rows":42}"#.to_owned() },
        usage: Usage { cpu_ms: 2, peak_heap_bytes: 1 << 20, ..Usage::default() },
        caches: Vec::new(),
    }));
    let mut group = c.benchmark_group("frame");
    group.bench_function("encode run", |b| b.iter(|| protocol::encode(black_box(&run))));
    group.bench_function("encode line", |b| b.iter(|| protocol::encode(black_box(&line))));
    group.bench_function("encode done", |b| b.iter(|| protocol::encode(black_box(&done))));
    for (name, frame) in [("line", &line), ("done", &done)] {
        let bytes = encode(frame);
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| protocol::decode::<FromRunner>(black_box(&bytes[4..])));
        });
    }
    let bytes = encode(&run);
    group.bench_function("decode run", |b| b.iter(|| protocol::decode::<ToRunner>(black_box(&bytes[4..]))));
    group.finish();
}

fn encode<T: serde::Serialize>(frame: &T) -> Vec<u8> {
    protocol::encode(frame).unwrap_or_else(|error| panic!("{error}"))
}
