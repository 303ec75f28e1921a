//! A store behind a proxy, and a few steps of tasks in it.

use std::sync::Arc;

use serde_json::json;
use tokio::runtime::Runtime;
use ulid::Ulid;

use super::{
    proxy::Proxy,
    server::{Server, open},
};
use crate::{
    domain::{
        definition::{Definition, Overlap},
        draft::tests::definition,
        execution::{Ending, Verdict},
        facts::{Origin, Task},
        ids::{ExecutionId, TaskId},
        step::{Circumstances, Input, Policy},
    },
    store::{
        Decision, Nodes, StoreError, Tasks, Values,
        contract::nodes::new_node,
        postgres::{PgStore, connection::Connection},
    },
};

/// A store behind a proxy.
pub(super) struct Scene {
    pub(super) store: PgStore,
    pub(super) proxy: Proxy,
    pub(super) runtime: Runtime,
    /// A connection beside the store's.
    pub(super) raw: Connection,
}

impl Scene {
    pub(super) fn new(server: &Server, schema: &str) -> Self {
        let proxy = Proxy::start(&server.socket());
        let store = open(Server::settings_at(proxy.socket(), schema), None).expect("it opens");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let raw = runtime.block_on(Arc::new(server.settings(schema)).connect()).expect("it connects");
        let scene = Self { store, proxy, runtime, raw };
        scene.join(1);
        scene
    }

    /// Makes the process a node.
    pub(super) fn join(&self, number: u64) {
        let join = self.store.shared().expect("many share it").join(new_node(number));
        self.runtime.block_on(join).expect("it joins");
    }

    pub(super) fn put(&self, n: u64) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.put("key".to_owned(), json!(n)))
    }

    /// Runs SQL over the connection beside the store's.
    pub(super) fn sql(&self, text: &str) {
        self.runtime.block_on(self.raw.batch(text)).expect("it runs");
    }

    /// Lets writes of a value fail whose key is the code of an error.
    pub(super) fn let_codes_fail(&self) {
        self.sql(
            "CREATE FUNCTION #fail() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE code text;
             BEGIN code := convert_from(NEW.key, 'UTF8');
               IF code ~ '^[0-9A-Z]{5}$' THEN RAISE EXCEPTION 'no' USING ERRCODE = code; END IF;
               RETURN NEW; END $$;
             CREATE TRIGGER fails BEFORE INSERT ON #value FOR EACH ROW EXECUTE FUNCTION #fail()",
        );
    }

    pub(super) fn create(&self, number: u128, definition: Definition) -> TaskId {
        let definition = Definition { name: format!("task {number}"), ..definition };
        let task = Task::new(TaskId(Ulid(number)), definition, 0);
        self.runtime.block_on(self.store.create(task.clone(), None)).expect("it is created");
        task.id
    }

    pub(super) fn task(&self, id: TaskId) -> Task {
        self.runtime.block_on(self.store.task(id)).expect("it reads").expect("it is there")
    }

    /// Begins a run by hand.
    pub(super) fn start(&self, task: TaskId) -> ExecutionId {
        let execution = ExecutionId(Ulid::generate());
        let input = Input::RunByHand { execution, params: None, origin: Origin::default() };
        self.runtime.block_on(self.store.change(task, taking(input), None, None)).expect("it runs");
        execution
    }

    /// Ends a run.
    pub(super) fn end(&self, task: TaskId, execution: ExecutionId) {
        self.runtime.block_on(self.store.change(task, ending(execution), None, None)).expect("it ends");
    }
}

/// A task that runs by hand only, any number of times at once.
pub(super) fn by_hand() -> Definition {
    Definition { overlap: Overlap::Allow, ..definition("never") }
}

/// Takes the step that follows from an input.
pub(super) fn taking(input: Input) -> Decision {
    Box::new(move |task, now| {
        let mut new_id = || ExecutionId(Ulid::generate());
        let policy = Policy::default();
        task.step(input.clone(), &mut Circumstances { now, roll: 0.0, new_id: &mut new_id, policy })
    })
}

/// Ends a run.
pub(super) fn ending(execution: ExecutionId) -> Decision {
    let verdict = Box::new(Verdict::of(Ending::Completed { result: json!(1) }));
    taking(Input::Ended { execution, verdict })
}
