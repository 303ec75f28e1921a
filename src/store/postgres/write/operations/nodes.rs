//! Nodes: beats, and the words of one node to another.

use super::{
    super::{
        group::{Failure, Group, Needs, WISH, execution_of},
        operation::Work,
    },
    tasks::Change,
};
use crate::{
    domain::{
        Millis,
        ids::{ExecutionId, NodeId},
        step::Step,
    },
    store::{
        Beat, drained_key,
        postgres::{
            connection::{args, query},
            read::{ABANDONED, all_nodes, row_node},
        },
    },
};

/// Whether the node of a key is drained, and whether tasks are unattended.
pub(crate) const WORDS: &str = "SELECT EXISTS (SELECT 1 FROM #value WHERE key = $1),
    EXISTS (SELECT 1 FROM #state WHERE keyed) OR EXISTS (SELECT 1 FROM #state WHERE untold)
      OR EXISTS (SELECT 1 FROM #state WHERE alarm <= $2)";

/// Tells that this node lives, which every commit does.
pub(crate) struct TellLife {
    pub(crate) busy: u32,
}

impl Work for TellLife {
    type Answer = Beat;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Beat, Failure> {
        group.busy = Some(self.busy);
        let words = query(WORDS, args![drained_key(group.member.id).into_bytes(), group.now]);
        let found = group.all(vec![all_nodes(), query(ABANDONED, args![1_i64]), words]).await?;
        let nodes = found[0].iter().map(row_node).collect();
        let session = group.member.session.unsigned_abs();
        let word = |column| found[2].first().is_some_and(|row| row.get(column));
        let (drained, unattended) = (word(0), word(1));
        Ok(Beat { now: group.now, nodes, abandoned: !found[1].is_empty(), unattended, drained, session })
    }
}

/// Declares a silent node gone.
pub(crate) struct GiveUp {
    pub(crate) node: NodeId,
    pub(crate) beat: u64,
    pub(crate) why: String,
}

impl Work for GiveUp {
    type Answer = bool;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<bool, Failure> {
        let gone =
            "UPDATE #node SET gone = $3, why = $4 WHERE id = $1 AND beat = $2 AND gone IS NULL RETURNING 1";
        let asked = query(gone, args![self.node, self.beat, group.now, self.why.clone()]);
        Ok(!group.rows(asked).await?.is_empty())
    }
}

/// Asks other nodes to end executions.
pub(crate) struct Wish {
    pub(crate) executions: Vec<ExecutionId>,
    pub(crate) who: String,
}

impl Work for Wish {
    type Answer = Vec<ExecutionId>;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Vec<ExecutionId>, Failure> {
        let own = "SELECT id FROM #running WHERE id = ANY($1) AND node = $2";
        let rows = group.rows(query(own, args![self.executions.clone(), group.member.id])).await?;
        let found: Vec<_> = rows.iter().map(|row| execution_of(row, 0)).collect();
        let (own, others): (Vec<_>, Vec<_>) = self.executions.iter().partition(|id| found.contains(id));
        let whose = vec![self.who.clone(); others.len()];
        group.rows(query(WISH, args![others, whose])).await?;
        Ok(own)
    }
}

/// Takes a step that starts a run with a slot of a concurrency key, if one is free.
pub(crate) struct Admit {
    pub(crate) change: Change,
    pub(crate) key: String,
    pub(crate) most: usize,
}

impl Work for Admit {
    type Answer = Option<Step>;

    fn needs(&self) -> Needs {
        self.change.needs()
    }

    async fn run(&mut self, group: &mut Group<'_>) -> Result<Option<Step>, Failure> {
        let lock = "INSERT INTO #slot AS s (key) VALUES ($1) ON CONFLICT (key) DO UPDATE SET key = s.key";
        let count = "SELECT count(*) FROM #running WHERE slot = $1";
        let asked = vec![query(lock, args![self.key.clone()]), query(count, args![self.key.clone()])];
        let found = group.all(asked).await?;
        let taken = found[1].first().map_or(0, |row| row.get::<_, i64>(0));
        if usize::try_from(taken).unwrap_or_default() >= self.most {
            return Ok(None);
        }
        let step = self.change.run(group).await?;
        group.writes.slots.extend(step.start.iter().map(|start| (start.execution, self.key.clone())));
        Ok(Some(step))
    }
}

/// Takes or renews the turn at a chore.
pub(crate) struct TakeTurn {
    pub(crate) chore: &'static str,
    pub(crate) lasts: Millis,
}

impl Work for TakeTurn {
    type Answer = bool;

    async fn run(&mut self, group: &mut Group<'_>) -> Result<bool, Failure> {
        // A turn that ends later than one from now was given before the clock was set back.
        let take = "INSERT INTO #turn AS t (chore, node, until) VALUES ($1, $2, $4)
            ON CONFLICT (chore) DO UPDATE SET node = excluded.node, until = excluded.until
              WHERE t.node = $2 OR t.until <= $3 OR t.until > $4
                OR NOT EXISTS (SELECT 1 FROM #node n WHERE n.id = t.node AND n.gone IS NULL)
            RETURNING 1";
        let until = group.now.saturating_add(self.lasts);
        let asked = query(take, args![self.chore, group.member.id, group.now, until]);
        Ok(!group.rows(asked).await?.is_empty())
    }
}
