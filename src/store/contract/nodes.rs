//! Many nodes on one store.

use super::*;
use crate::{
    domain::{draft::read_rules, ids::NodeId},
    store::{AccessChange, drained_key},
};

/// Handles of several nodes on one store; the first is [`ManyNodes::on`] 0.
pub(crate) struct ManyNodes {
    bench: Bench,
    stores: Vec<Arc<dyn Store>>,
}

/// Makes a process that has opened a store a node of it.
pub(crate) fn joined(store: Arc<dyn Store>) -> Arc<dyn Store> {
    join(&*store);
    store
}

/// Makes a process a node of the store that it has opened.
pub(crate) fn join(store: &dyn Store) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let epoch = store.report().epoch;
    runtime.block_on(shared(store).join(new_node(epoch))).expect("it joins");
}

pub(crate) fn new_node(number: u64) -> NewNode {
    NewNode {
        id: NodeId(Ulid::from_parts(START.unsigned_abs(), u128::from(number))),
        name: format!("node {number}"),
        address: None,
        build: "1".to_owned(),
        places: 4,
    }
}

fn shared(store: &dyn Store) -> Arc<dyn Shared> {
    store.shared().expect("many processes share the store")
}

impl ManyNodes {
    pub(crate) fn new(open: Open) -> Self {
        let bench = Bench::new(open);
        let first = bench.store.clone().expect("it is open");
        let mut nodes = Self { bench, stores: vec![first] };
        nodes.add();
        nodes
    }

    /// Lets another node join.
    fn add(&mut self) {
        self.stores.push((self.bench.open)(self.bench.directory.path(), now_of(&self.bench.now)));
    }

    /// The bench with a node's store.
    fn on(&mut self, node: usize) -> &mut Bench {
        self.bench.store = Some(self.stores[node].clone());
        &mut self.bench
    }

    fn shared(&self, node: usize) -> Arc<dyn Shared> {
        shared(&*self.stores[node])
    }

    fn id(&self, node: usize) -> NodeId {
        self.shared(node).node().expect("it has joined")
    }

    fn beat(&self, node: usize) -> Beat {
        self.bench.wait(self.shared(node).beat(1)).expect("it lives")
    }

    /// Lets the first node declare another one gone.
    fn give_up(&self, node: usize) {
        let id = self.id(node);
        let nodes = self.beat(0).nodes;
        let beat = nodes.iter().find(|node| node.id == id).expect("it has joined").beat;
        let gone = self.shared(0).give_up(id, beat, "it is silent".to_owned());
        assert!(self.bench.wait(gone).expect("it is written"));
    }

    fn abandoned(&mut self, node: usize) -> Vec<(TaskId, ExecutionId)> {
        let bench = self.on(node);
        bench.wait(bench.store().abandoned(10)).expect("it reads")
    }

    fn claim(&mut self, node: usize, until: Millis, most: usize) -> Vec<Step> {
        let bench = self.on(node);
        let decide = bench.decision(until, Input::Due);
        bench.claim(until, most, decide).expect("it claims")
    }
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.task.definition.name.as_str()).collect()
}

pub(crate) fn two_nodes_share_the_due_tasks_and_none_gets_one_twice(nodes: &mut ManyNodes) {
    for name in ["a", "b", "c", "d", "e"] {
        nodes.on(0).hourly(name);
    }
    let first = nodes.claim(0, START + HOUR, 2);
    let second = nodes.claim(1, START + HOUR, 2);
    let third = nodes.claim(0, START + HOUR, 10);
    assert_eq!(
        [names(&first), names(&second), names(&third)].concat(),
        ["a", "b", "c", "d", "e"],
        "in the order of the due times, each once"
    );
    assert_eq!(nodes.claim(1, START + HOUR, 10), []);
}

pub(crate) fn a_name_belongs_to_one_task_whichever_node_makes_it(nodes: &mut ManyNodes) {
    nodes.on(0).hourly("name");
    let bench = nodes.on(1);
    let other = bench.task("name", definition("@daily"));
    let refused = bench.wait(bench.store().create(other, None));
    assert!(matches!(refused, Err(StoreError::NameTaken(name)) if name == "name"));
}

pub(crate) fn a_name_belongs_to_one_token_whichever_node_makes_it(nodes: &mut ManyNodes) {
    nodes.add();
    for round in 0..5 {
        let mut answers = Vec::new();
        for node in 0..3 {
            let mut token = super::access::token(10 * round + u8::try_from(node).expect("a small number"));
            token.name = format!("token of round {round}");
            let put = AccessChange::PutToken(Box::new(token));
            answers.push(nodes.on(node).store().change_access(vec![put], None));
        }
        let asked: Vec<_> = answers.into_iter().map(|answer| nodes.bench.runtime.spawn(answer)).collect();
        let answers: Vec<_> =
            asked.into_iter().map(|answer| nodes.bench.runtime.block_on(answer).expect("no panic")).collect();
        let taken = |answer: &&Result<(), StoreError>| matches!(answer, Err(StoreError::TokenNameTaken(_)));
        assert!(answers.iter().filter(|answer| answer.is_ok()).count() == 1, "{answers:?}");
        assert!(answers.iter().filter(taken).count() == 2, "{answers:?}");
    }
}

pub(crate) fn a_change_of_one_node_is_seen_by_the_next_on_another(nodes: &mut ManyNodes) {
    let task = nodes.on(0).hourly("task");
    nodes.on(0).step(task.id, START, Input::Pause).expect("it is not paused");
    assert_eq!(nodes.on(1).names(), ["task"]);
    assert!(nodes.on(1).read(task.id).facts.paused);
    let refused = nodes.on(1).step(task.id, START, Input::Pause);
    assert!(matches!(refused, Err(StoreError::Refused(Refused::AlreadyPaused))));
}

pub(crate) fn changes_of_one_task_by_many_nodes_are_all_there(nodes: &mut ManyNodes) {
    let overlapping = Definition { overlap: Overlap::Allow, ..definition("@hourly") };
    let task = nodes.on(0).create("task", overlapping);
    nodes.add();
    let (mut runs, mut answers) = (Vec::new(), Vec::new());
    for number in 0..60 {
        let bench = nodes.on(number % 3);
        let execution = ExecutionId(bench.next_id());
        let input = Input::RunByHand { execution, params: None, origin: Origin::default() };
        let decide = bench.decision(START + 1, input);
        answers.push(bench.store().change(task.id, decide, None, None));
        runs.push(execution);
    }
    for answer in answers {
        nodes.bench.wait(answer).expect("runs may overlap");
    }
    let facts = nodes.on(1).read(task.id).facts;
    let mut found: Vec<_> = facts.running.iter().map(|running| running.execution).collect();
    found.sort_unstable();
    assert_eq!(found, runs);
}

pub(crate) fn executions_of_a_gone_node_are_abandoned_and_no_others(nodes: &mut ManyNodes) {
    let tasks = [nodes.on(0).hourly("first"), nodes.on(0).hourly("second")].map(|task| task.id);
    nodes.on(0).run_by_hand(tasks[0], START + 1);
    let lost = nodes.on(1).run_by_hand(tasks[1], START + 1);
    assert_eq!(nodes.abandoned(0), []);
    assert!(!nodes.beat(0).abandoned);
    nodes.give_up(1);
    assert_eq!(nodes.abandoned(0), [(tasks[1], lost)]);
    assert!(nodes.beat(0).abandoned);
    nodes.on(0).end(tasks[1], lost, START + 2);
    assert_eq!(nodes.abandoned(0), []);
    assert!(!nodes.beat(0).abandoned);
}

pub(crate) fn a_gone_node_writes_nothing_more(nodes: &mut ManyNodes) {
    let task = nodes.on(1).hourly("task");
    let execution = nodes.on(1).run_by_hand(task.id, START + 1);
    nodes.give_up(1);
    let bench = nodes.on(1);
    let (decide, claim) = (bench.decision(START + 2, Input::Pause), bench.decision(START + HOUR, Input::Due));
    let new = bench.task("new", definition("@daily"));
    let fence = Fence { task: task.id, execution };
    bench.now.store(START + HOUR, Ordering::Relaxed);
    let store = bench.store();
    let output = Output { execution, chunk: 0, lines: vec![line("late")] };
    let refusals = [
        bench.wait(store.change(task.id, decide, None, None)).map(drop),
        bench.wait(store.claim(0, 10, claim)).map(drop),
        bench.wait(store.create(new, None)),
        bench.wait(store.delete(task.id, None)).map(drop),
        bench.wait(store.append(output)),
        bench.wait(store.put("key".to_owned(), json!(1))),
        bench.wait(store.note_run(fence, RunNote::default())),
        bench.wait(shared(store).beat(0)).map(drop),
        bench.wait(shared(store).turn("chore", 1000)).map(drop),
    ];
    for (number, refused) in refusals.into_iter().enumerate() {
        assert!(matches!(refused, Err(StoreError::Fenced(_))), "{number}: {refused:?}");
    }
    let bench = nodes.on(0);
    assert_eq!(bench.wait(bench.store().get("key".to_owned())).expect("it reads"), None);
    assert_eq!((bench.names(), bench.read(task.id).facts.paused), (vec!["task".to_owned()], false));
}

pub(crate) fn a_beat_saves_a_node_from_being_given_up(nodes: &mut ManyNodes) {
    let id = nodes.id(1);
    let beat_of = |beat: Beat| beat.nodes.iter().find(|node| node.id == id).expect("it has joined").beat;
    let seen = beat_of(nodes.beat(0));
    nodes.beat(1);
    let give_up = |nodes: &ManyNodes, beat| {
        nodes.bench.wait(nodes.shared(0).give_up(id, beat, "it is silent".to_owned())).expect("it answers")
    };
    assert!(!give_up(nodes, seen), "it has beaten since");
    let seen = beat_of(nodes.beat(0));
    nodes.on(1).hourly("a change counts as a beat");
    assert!(!give_up(nodes, seen));
    nodes.beat(1);
    let seen = beat_of(nodes.beat(0));
    assert!(give_up(nodes, seen));
    assert!(!give_up(nodes, seen), "it is gone already");
}

pub(crate) fn a_late_end_is_refused_and_its_output_dropped(nodes: &mut ManyNodes) {
    let task = nodes.on(1).hourly("task").id;
    let execution = nodes.on(1).run_by_hand(task, START + 1);
    nodes.give_up(1);
    nodes.on(0).end(task, execution, START + 2);
    let verdict = Box::new(Verdict::of(Ending::Completed { result: json!("late") }));
    // The process comes back as another node.
    nodes.bench.wait(nodes.shared(1).join(new_node(9))).expect("it joins");
    let bench = nodes.on(1);
    let decide = bench.decision(START + 3, Input::Ended { execution, verdict });
    let output = Output { execution, chunk: 0, lines: vec![line("late")] };
    let late = bench.wait(bench.store().change(task, decide, Some(output.clone()), None));
    assert!(matches!(late, Err(StoreError::Refused(Refused::NotRunning(id))) if id == execution));
    let late = bench.wait(bench.store().append(output));
    assert!(matches!(late, Err(StoreError::State(StateError::NotRunning(id))) if id == execution));
    let lines = bench.wait(bench.store().outputs(vec![execution], None)).expect("it reads");
    assert_eq!(lines, [[]]);
}

pub(crate) fn a_node_ends_no_execution_of_a_living_one(nodes: &mut ManyNodes) {
    let task = nodes.on(1).hourly("task").id;
    let execution = nodes.on(1).run_by_hand(task, START + 1);
    let verdict = Box::new(Verdict::failed(Reason::Lost, "gone"));
    let refused = nodes.on(0).step(task, START + 2, Input::Ended { execution, verdict });
    assert!(matches!(refused, Err(StoreError::State(StateError::NotRunning(id))) if id == execution));
    nodes.on(1).end(task, execution, START + 3);
}

pub(crate) fn a_wish_reaches_the_node_that_runs_the_execution(nodes: &mut ManyNodes) {
    let tasks = [nodes.on(0).hourly("first"), nodes.on(0).hourly("second")].map(|task| task.id);
    let own = nodes.on(0).run_by_hand(tasks[0], START + 1);
    let other = nodes.on(1).run_by_hand(tasks[1], START + 1);
    let unknown = ExecutionId(nodes.on(0).next_id());
    let wish = nodes.shared(0).wish(vec![own, other, unknown], "somebody".to_owned());
    assert_eq!(nodes.bench.wait(wish).expect("it is written"), [own]);
    let wishes = |nodes: &ManyNodes, node| nodes.bench.wait(nodes.shared(node).wishes()).expect("it reads");
    assert_eq!(wishes(nodes, 0), []);
    assert_eq!(wishes(nodes, 1), [(other, "somebody".to_owned())]);
    nodes.on(1).end(tasks[1], other, START + 2);
    assert_eq!(wishes(nodes, 1), []);
}

pub(crate) fn a_step_cancels_executions_of_other_nodes_by_wishes(nodes: &mut ManyNodes) {
    let overlapping = Definition { overlap: Overlap::Allow, ..definition("@hourly") };
    let task = nodes.on(0).create("task", overlapping).id;
    let own = nodes.on(0).run_by_hand(task, START + 1);
    let other = nodes.on(1).run_by_hand(task, START + 2);
    let step = nodes.on(0).step(task, START + 3, Input::Cancel).expect("it runs");
    assert_eq!(step.cancel, [own]);
    let wishes = nodes.bench.wait(nodes.shared(1).wishes()).expect("it reads");
    assert_eq!(wishes, [(other, step.cancelled_by.to_owned())]);
}

pub(crate) fn an_execution_is_open_until_it_has_ended_wherever_it_runs(nodes: &mut ManyNodes) {
    let queued = Definition { overlap: Overlap::Queue, ..definition("@hourly") };
    let task = nodes.on(1).create("task", queued).id;
    let runs = nodes.on(1).run_by_hand(task, START + 1);
    let bench = nodes.on(1);
    let waits = ExecutionId(bench.next_id());
    let input = Input::RunByHand { execution: waits, params: None, origin: Origin::default() };
    assert_eq!(bench.step(task, START + 2, input).expect("it waits").start, []);
    let unknown = ExecutionId(bench.next_id());
    let open = |nodes: &ManyNodes| {
        let asked = [runs, waits, unknown].map(|execution| (task, execution)).to_vec();
        nodes.bench.wait(nodes.shared(0).open(asked)).expect("it reads")
    };
    assert_eq!(open(nodes), [runs, waits]);
    nodes.on(1).end(task, runs, START + 3);
    assert_eq!(open(nodes), [waits]);
}

pub(crate) fn a_held_task_is_held_for_all_nodes(nodes: &mut ManyNodes) {
    nodes.on(0).hourly("held");
    let bench = nodes.on(0);
    let claimed = bench.claim(START + HOUR, 10, Box::new(|_, _| Err(Refused::Idle))).expect("it claims");
    assert_eq!(claimed, []);
    assert_eq!(nodes.claim(1, START + HOUR, 10), []);
    nodes.add();
    assert_eq!(nodes.claim(2, START + HOUR, 10), [], "a node that joins changes nothing");
}

pub(crate) fn the_slots_of_a_key_are_those_of_all_nodes(nodes: &mut ManyNodes) {
    let keyed = |key: &str| Definition { concurrency_key: Some(key.to_owned()), ..definition("@hourly") };
    let keys = ["a", "a", "a", "b"];
    let tasks = keys.map(|key| {
        let number = nodes.bench.next_id();
        nodes.on(0).create(&format!("task {number}"), keyed(key)).id
    });
    for task in tasks {
        let bench = nodes.on(0);
        let execution = ExecutionId(bench.next_id());
        let input = Input::RunByHand { execution, params: None, origin: Origin::default() };
        assert_eq!(bench.step(task, START + 1, input).expect("it waits").start, []);
    }
    let admit = |nodes: &mut ManyNodes, node: usize, number: usize, most| {
        let shared = nodes.shared(node);
        let key = keys[number].to_owned();
        let decide = nodes.on(node).decision(START + 2, Input::Admit { key: key.clone() });
        let step = nodes.bench.wait(shared.admit(tasks[number], key, most, decide)).expect("it answers")?;
        Some(step.start[0].execution)
    };
    let first = admit(nodes, 0, 0, 2).expect("a slot is free");
    let second = admit(nodes, 1, 1, 2).expect("another one");
    assert_eq!(admit(nodes, 1, 2, 2), None, "both are taken");
    assert!(admit(nodes, 1, 3, 1).is_some(), "another key has its own");
    nodes.on(0).end(tasks[0], first, START + 3);
    let third = admit(nodes, 1, 2, 2).expect("it is free again");
    nodes.give_up(1);
    assert_eq!(admit(nodes, 0, 0, 2), None, "what a gone node ran has its slots until it is closed");
    for (task, execution) in [(tasks[1], second), (tasks[2], third)] {
        nodes.on(0).end(task, execution, START + 4);
    }
}

pub(crate) fn a_turn_is_one_nodes_until_its_time_is_over_or_it_is_gone(nodes: &mut ManyNodes) {
    let turn = |nodes: &ManyNodes, node: usize, at| {
        nodes.bench.now.store(at, Ordering::Relaxed);
        nodes.bench.wait(take_turn(&*nodes.stores[node], "chore", 1000)).expect("it answers")
    };
    assert!(turn(nodes, 0, START));
    assert!(!turn(nodes, 1, START + 999));
    assert!(turn(nodes, 1, START + 1000));
    assert!(turn(nodes, 1, START + 1500), "its own turn is renewed");
    assert!(!turn(nodes, 0, START + 2400));
    nodes.give_up(1);
    assert!(turn(nodes, 0, START + 2400));
    nodes.bench.wait(nodes.shared(1).join(new_node(9))).expect("it joins");
    assert!(turn(nodes, 1, START - HOUR), "a turn of before the clock was set back is over");
}

pub(crate) fn a_node_that_joins_anew_is_another_node(nodes: &mut ManyNodes) {
    let task = nodes.on(1).hourly("task").id;
    let execution = nodes.on(1).run_by_hand(task, START + 1);
    let former = nodes.id(1);
    nodes.bench.wait(nodes.shared(1).join(new_node(9))).expect("it joins");
    assert_ne!(nodes.id(1), former);
    let all = nodes.beat(1).nodes;
    let gone: Vec<_> = all.iter().filter(|node| node.gone.is_some()).map(|node| node.id).collect();
    assert_eq!(gone, [former]);
    assert_eq!(nodes.abandoned(0), [(task, execution)], "nobody runs it any more");
    let listed = nodes.bench.wait(nodes.shared(0).nodes()).expect("it reads");
    assert_eq!(listed.len(), 3);
    nodes.bench.now.store(START + 30 * HOUR, Ordering::Relaxed);
    let listed = nodes.bench.wait(nodes.shared(0).nodes()).expect("it reads");
    let ids: Vec<_> = listed.iter().map(|node| node.id).collect();
    assert_eq!(ids, [nodes.id(0), nodes.id(1)], "a node that is gone for long is shown no more");
}

pub(crate) fn a_node_that_joins_anew_has_the_wish_to_take_no_new_runs(nodes: &mut ManyNodes) {
    let drained = |nodes: &ManyNodes| [0, 1].map(|node| nodes.beat(node).drained);
    assert_eq!(drained(nodes), [false, false]);
    let former = nodes.id(1);
    let bench = nodes.on(0);
    bench.wait(bench.store().put(drained_key(former), json!({}))).expect("it is written");
    assert_eq!(drained(nodes), [false, true]);
    // It does not hear of it before it is another node.
    nodes.give_up(1);
    nodes.bench.wait(nodes.shared(1).join(new_node(9))).expect("it joins");
    assert_eq!(drained(nodes), [false, true]);
    let bench = nodes.on(0);
    assert_eq!(bench.wait(bench.store().get(drained_key(former))).expect("it reads"), None);
    nodes.bench.wait(nodes.shared(1).join(new_node(10))).expect("it joins");
    assert_eq!(drained(nodes), [false, true], "once more");
    let key = drained_key(nodes.id(1));
    let bench = nodes.on(0);
    bench.wait(bench.store().change_values(vec![(key, None)], None)).expect("it is written");
    assert_eq!(drained(nodes), [false, false]);
}

pub(crate) fn a_beat_tells_of_tasks_that_wait_for_a_process(nodes: &mut ManyNodes) {
    let waits = |nodes: &ManyNodes| [0, 1].map(|node| nodes.beat(node).unattended);
    let first = nodes.on(0).hourly("first").id;
    nodes.on(0).create("second", super::changes::following(first));
    assert_eq!(waits(nodes), [false, false]);
    super::changes::run(nodes.on(0), first);
    assert_eq!(waits(nodes), [true, true], "an end is to be passed on");
    super::changes::inform_successors(nodes.on(1), 10);
    assert_eq!(waits(nodes), [false, false]);

    let keyed = Definition { concurrency_key: Some("key".to_owned()), ..definition("@hourly") };
    let task = nodes.on(0).create("keyed", keyed).id;
    let execution = ExecutionId(nodes.on(0).next_id());
    let input = Input::RunByHand { execution, params: None, origin: Origin::default() };
    nodes.on(0).step(task, START, input).expect("it waits");
    assert_eq!(waits(nodes), [true, true], "a run waits for a slot");
    let decide = nodes.on(1).decision(START, Input::Admit { key: "key".to_owned() });
    let admitted = nodes.shared(1).admit(task, "key".to_owned(), 1, decide);
    assert!(nodes.bench.wait(admitted).expect("it answers").is_some());
    assert_eq!(waits(nodes), [false, false]);

    let missed = json!([{ "channel": "ops", "on": ["missed"], "silence": 10_000 }]);
    let alerts = Some(read_rules("alerts", &missed).expect("valid"));
    let bench = nodes.on(0);
    let mut task = bench.task("watched", Definition { alerts, ..definition("@hourly") });
    task.begin_watch(&crate::domain::alerts::AlertSettings::default());
    bench.wait(bench.store().create(task.clone(), None)).expect("created");
    nodes.bench.now.store(START + 9_999, Ordering::Relaxed);
    assert_eq!(waits(nodes), [false, false]);
    nodes.bench.now.store(START + 10_000, Ordering::Relaxed);
    assert_eq!(waits(nodes), [true, true], "the time of an alert has come");
    nodes.on(1).step(task.id, START + 10_000, Input::Watch).expect("its time has come");
    assert_eq!(waits(nodes), [false, false]);
}

pub(crate) fn rows_tell_the_node_that_ran_them(nodes: &mut ManyNodes) {
    let task = nodes.on(0).hourly("task").id;
    let execution = nodes.on(1).run_by_hand(task, START + 1);
    let node = |nodes: &mut ManyNodes| {
        let bench = nodes.on(0);
        bench.wait(bench.store().execution(task, execution)).expect("it reads").expect("it is there").node
    };
    let second = Some(nodes.id(1));
    assert_eq!(node(nodes), second);
    nodes.give_up(1);
    nodes.on(0).end(task, execution, START + 2);
    assert_eq!(node(nodes), second, "the end was written by another one");
}
