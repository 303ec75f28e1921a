//! The nodes of a store in memory.

use std::sync::Arc;

use super::{
    MemoryStore,
    disk::{Data, NodeWrite, Operation, Prepared, Write},
    identity::Identity,
    prepare,
};
use crate::{
    domain::{
        Millis,
        facts::Task,
        ids::{ExecutionId, NodeId, TaskId},
        step::Step,
    },
    store::{Answer, Beat, Decision, NewNode, Node, Nodes, Now, Shared, drained_key, ready},
};

/// A node that is gone for this long is shown no more.
const SHOWN_GONE: Millis = 86_400_000;

impl Nodes for MemoryStore {
    fn abandoned(&self, most: usize) -> Answer<Vec<(TaskId, ExecutionId)>> {
        let data = self.disk.data();
        if self.identity.is_shared() {
            return ready(Ok(data.abandoned().take(most).collect()));
        }
        ready(self.leftovers.list(most, || Ok(data.running())))
    }

    fn shared(&self) -> Option<Arc<dyn Shared>> {
        self.identity.is_shared().then(|| Arc::new(self.clone()) as Arc<dyn Shared>)
    }
}

impl Shared for MemoryStore {
    fn node(&self) -> Option<NodeId> {
        self.identity.node()
    }

    fn join(&self, node: NewNode) -> Answer<()> {
        // A process may join after it was declared gone.
        self.perform_anyway(join(self.identity.clone(), self.now.clone(), node))
    }

    fn beat(&self, busy: u32) -> Answer<Beat> {
        self.perform(beat(self.identity.clone(), self.now.clone(), busy))
    }

    fn give_up(&self, node: NodeId, beat: u64, why: String) -> Answer<bool> {
        self.perform(give_up(self.now.clone(), node, beat, why))
    }

    fn lost_commits(&self) -> u64 {
        self.identity.lost()
    }

    fn nodes(&self) -> Answer<Vec<Node>> {
        let since = (self.now)().saturating_sub(SHOWN_GONE);
        let data = self.disk.data();
        let mut nodes: Vec<_> =
            data.nodes.values().filter(|node| node.gone.is_none_or(|gone| gone > since)).cloned().collect();
        nodes.sort_by_key(|node| (node.joined, node.id));
        ready(Ok(nodes))
    }

    fn open(&self, executions: Vec<(TaskId, ExecutionId)>) -> Answer<Vec<ExecutionId>> {
        let data = self.disk.data();
        let is_open = |(task, execution): &(TaskId, ExecutionId)| {
            data.tasks.get(task).is_some_and(|task| {
                let facts = &task.facts;
                facts.running.iter().any(|running| running.execution == *execution)
                    || facts.waiting.iter().any(|waiting| waiting.execution == *execution)
            })
        };
        ready(Ok(executions.into_iter().filter(is_open).map(|(_, execution)| execution).collect()))
    }

    fn wish(&self, executions: Vec<ExecutionId>, who: String) -> Answer<Vec<ExecutionId>> {
        self.perform(wish(self.identity.clone(), executions, who))
    }

    fn wishes(&self) -> Answer<Vec<(ExecutionId, String)>> {
        let data = self.disk.data();
        let own = data.wishes.iter().filter(|(id, _)| data.owners.get(id).copied() == self.identity.node());
        ready(Ok(own.map(|(id, who)| (*id, who.clone())).collect()))
    }

    fn admit(&self, task: TaskId, key: String, most: usize, decide: Decision) -> Answer<Option<Step>> {
        self.perform(admit(self.identity.clone(), self.now.clone(), task, (key, most), decide))
    }

    fn turn(&self, chore: &'static str, lasts: Millis) -> Answer<bool> {
        self.perform(turn(self.identity.clone(), self.now.clone(), chore, lasts))
    }
}

impl Data {
    /// Whether the node of an execution in progress is gone.
    pub(crate) fn is_abandoned(&self, execution: ExecutionId) -> bool {
        let node = self.owners.get(&execution).and_then(|owner| self.nodes.get(owner));
        node.is_none_or(|node| node.gone.is_some())
    }

    /// The executions in progress whose nodes are gone.
    pub(crate) fn abandoned(&self) -> impl Iterator<Item = (TaskId, ExecutionId)> {
        self.running().into_iter().filter(|(_, execution)| self.is_abandoned(*execution))
    }
}

#[cfg(test)]
impl Data {
    /// Replaces all records by those of a copy, which may lack the last commits.
    pub(crate) fn replace(&mut self, copy: Self) {
        *self = Self { replaced: self.replaced + 1, ..copy };
    }
}

pub(crate) fn join(identity: Identity, now: Now, node: NewNode) -> Operation<()> {
    Box::new(move |data| {
        let now = now();
        // A process that was silent for long joins anew without another word of the node that it was.
        let _ = identity.ensure_kept(data);
        let former = identity.node().filter(|id| data.nodes.get(id).is_some_and(|node| node.gone.is_none()));
        let mut writes: Vec<_> = former
            .map(|former| Write::OfNode(NodeWrite::Gone(former, now, "it has joined anew".to_owned())))
            .into_iter()
            .collect();
        let NewNode { id, name, address, build, places } = node;
        let wish = identity.node().map(drained_key);
        if let Some((key, wish)) = wish.and_then(|key| data.values.get_key_value(&key)) {
            writes.push(Write::Value(key.clone(), None));
            writes.push(Write::Value(drained_key(id), Some(wish.clone())));
        }
        let (joined, seen, beat, busy, gone, why) = (now, now, 0, 0, None, None);
        let node = Node { id, name, address, build, joined, seen, beat, places, busy, gone, why };
        writes.push(Write::OfNode(NodeWrite::New(Box::new(node))));
        identity.become_node(id);
        Ok(Prepared { answer: (), writes })
    })
}

pub(crate) fn beat(identity: Identity, now: Now, busy: u32) -> Operation<Beat> {
    Box::new(move |data| {
        let node = identity.living(data)?;
        let now = now();
        let answer = Beat {
            now,
            nodes: data.nodes.values().cloned().collect(),
            abandoned: data.abandoned().next().is_some(),
            unattended: data.tasks.values().any(|task| is_unattended(task, now)),
            drained: data.values.contains_key(&drained_key(node)),
            session: data.replaced,
        };
        Ok(Prepared { answer, writes: vec![Write::OfNode(NodeWrite::Busy(node, busy))] })
    })
}

fn is_unattended(task: &Task, now: Millis) -> bool {
    task.waits_since().is_some()
        || !task.facts.untold.is_empty()
        || task.alarm_due().is_some_and(|due| due <= now)
}

pub(crate) fn give_up(now: Now, node: NodeId, beat: u64, why: String) -> Operation<bool> {
    Box::new(move |data| {
        let answer = data.nodes.get(&node).is_some_and(|node| node.beat == beat && node.gone.is_none());
        let gone = answer.then(|| Write::OfNode(NodeWrite::Gone(node, now(), why)));
        Ok(Prepared { answer, writes: gone.into_iter().collect() })
    })
}

pub(crate) fn leave(identity: Identity, now: Now) -> Operation<()> {
    Box::new(move |data| {
        let node = identity.living(data)?;
        Ok(Prepared {
            answer: (),
            writes: vec![Write::OfNode(NodeWrite::Gone(node, now(), "it has left".to_owned()))],
        })
    })
}

pub(crate) fn wish(
    identity: Identity,
    executions: Vec<ExecutionId>,
    who: String,
) -> Operation<Vec<ExecutionId>> {
    Box::new(move |data| {
        let of = |id: &ExecutionId| data.owners.get(id).copied();
        let (own, others): (Vec<_>, Vec<_>) =
            executions.into_iter().partition(|id| of(id) == identity.node());
        let others = others.into_iter().filter(|id| of(id).is_some());
        Ok(Prepared {
            answer: own,
            writes: others.map(|id| Write::OfNode(NodeWrite::Wish(id, who.clone()))).collect(),
        })
    })
}

pub(crate) fn admit(
    identity: Identity,
    now: Now,
    task: TaskId,
    (key, most): (String, usize),
    decide: Decision,
) -> Operation<Option<Step>> {
    let change = prepare::change(identity, now, task, decide, None, None);
    Box::new(move |data| {
        if data.slots.values().filter(|taken| **taken == key).count() >= most {
            return Ok(Prepared { answer: None, writes: Vec::new() });
        }
        let Prepared { answer: step, mut writes } = change(data)?;
        let slots = step.start.iter().map(|start| NodeWrite::Slot(start.execution, key.clone()));
        writes.extend(slots.map(Write::OfNode));
        Ok(Prepared { answer: Some(step), writes })
    })
}

pub(crate) fn turn(identity: Identity, now: Now, chore: &'static str, lasts: Millis) -> Operation<bool> {
    Box::new(move |data| {
        let (node, until) = (identity.living(data)?, now().saturating_add(lasts));
        let is_held = data.turns.get(chore).is_some_and(|(holder, end)| {
            let lives = data.nodes.get(holder).is_some_and(|holder| holder.gone.is_none());
            // A turn that ends later than one from now was given before the clock was set back.
            *holder != node && lives && *end > now() && *end <= until
        });
        let writes =
            if is_held { Vec::new() } else { vec![Write::OfNode(NodeWrite::Turn(chore, node, until))] };
        Ok(Prepared { answer: !is_held, writes })
    })
}
