//! Tail: the newest lines of a run's output, until they are stored and every follower has them.
//!
//! [`super::dispatch`] adds the lines as they come and takes them in chunks for the store. A follower
//! reads by the index of a line: from the tail what is there, and from the store what the tail has let
//! go. So no line is lost or doubled between the two. Without followers a stored line is let go at
//! once; with some, the newest stored ones stay for a while.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::domain::{execution::Line, lock::lock};

/// Stored lines that stay for followers, at most.
const STAY: usize = 2000;
/// Bytes of the stored lines that stay, at most.
const STAY_BYTES: usize = 256 * 1024;

/// The tail of one run.
#[derive(Debug)]
pub(super) struct Tail {
    state: Mutex<State>,
    /// Counts the changes that followers wait for.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The index of the first line that is held.
    first: u64,
    held: VecDeque<Line>,
    /// How many of the held lines are stored.
    stored: usize,
    stored_bytes: usize,
    /// Lines that were let go while the store writes them.
    writing: bool,
    followers: usize,
    closed: bool,
}

impl Default for Tail {
    fn default() -> Self {
        Self { state: Mutex::default(), news: watch::channel(0).0 }
    }
}

/// The answer to a follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These lines come next.
    Lines(Vec<Line>),
    /// The next lines are in the store, up to the line with this index at least.
    Stored(u64),
    /// The next lines are on their way to the store: ask again after news.
    Awaited,
    /// There are no more lines yet.
    Nothing,
    /// The run is over and all is in the store.
    Closed,
}

impl Tail {
    /// Adds a line.
    pub(super) fn push(&self, line: Line) {
        let mut state = self.state();
        state.held.push_back(line);
        self.notify_followers(state);
    }

    /// Takes the lines that are not stored yet, for the store. [`Tail::stored`] follows.
    pub(super) fn take(&self) -> Vec<Line> {
        let mut state = self.state();
        if state.followers > 0 {
            return state.held.range(state.stored..).cloned().collect();
        }
        state.writing = true;
        state.release(usize::MAX);
        let lines = std::mem::take(&mut state.held);
        state.first += lines.len() as u64;
        lines.into()
    }

    /// The `count` lines taken last are in the store, or cannot be stored.
    pub(super) fn stored(&self, count: usize) {
        let mut state = self.state();
        if state.writing {
            state.writing = false;
        } else {
            let range = state.stored..state.stored + count;
            state.stored_bytes += state.held.range(range).map(|line| line.message.len()).sum::<usize>();
            state.stored += count;
            let surplus = state.surplus();
            state.release(surplus);
        }
        self.notify_followers(state);
    }

    /// Tells followers of other news of the run.
    pub(super) fn touch(&self) {
        self.notify_followers(self.state());
    }

    /// The end of the run is recorded.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.notify_followers(state);
    }

    /// Follows the run from now on.
    pub(super) fn follow(self: Arc<Self>) -> Following {
        self.state().followers += 1;
        let news = self.news.subscribe();
        Following { tail: self, news }
    }

    fn notify_followers(&self, state: MutexGuard<'_, State>) {
        let followed = state.followers > 0;
        drop(state);
        if followed {
            self.news.send_modify(|count| *count += 1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// The stored lines at the front that are beyond the bounds.
    fn surplus(&self) -> usize {
        let mut bytes = self.stored_bytes;
        let stored = self.held.iter().take(self.stored);
        let large = stored.take_while(|line| {
            let over = bytes > STAY_BYTES;
            bytes -= line.message.len();
            over
        });
        large.count().max(self.stored.saturating_sub(STAY))
    }

    /// Lets the first `count` lines go, but only stored ones.
    fn release(&mut self, count: usize) {
        for _ in 0..count.min(self.stored) {
            if let Some(line) = self.held.pop_front() {
                self.stored_bytes -= line.message.len();
                self.stored -= 1;
                self.first += 1;
            }
        }
    }
}

/// A follower of a run's output.
#[derive(Debug)]
pub struct Following {
    tail: Arc<Tail>,
    news: watch::Receiver<u64>,
}

impl Following {
    /// The lines from index `next` on, `most` of them at most.
    #[must_use]
    pub fn part(&self, next: u64, most: usize) -> Part {
        let state = self.tail.state();
        if state.closed {
            return Part::Closed;
        }
        let Some(skip) = next.checked_sub(state.first) else {
            return if state.writing { Part::Awaited } else { Part::Stored(state.first) };
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let lines: Vec<_> = state.held.iter().skip(skip).take(most).cloned().collect();
        if lines.is_empty() { Part::Nothing } else { Part::Lines(lines) }
    }

    /// Waits for news since the last wait.
    pub async fn changed(&mut self) {
        // The sender is in `self.tail`, so the wait does not fail.
        let _ = self.news.changed().await;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut state = self.tail.state();
        state.followers -= 1;
        if state.followers == 0 {
            state.release(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::Level;

    fn line(n: usize) -> Line {
        Line { time: 0, level: Level::Log, message: n.to_string() }
    }

    fn lines(range: std::ops::Range<usize>) -> Vec<Line> {
        range.map(line).collect()
    }

    /// Every line from the tail or, where it sends the follower there, from `store`.
    fn read(following: &Following, store: &[Line]) -> Vec<Line> {
        let mut seen = Vec::new();
        loop {
            match following.part(seen.len() as u64, 3) {
                Part::Lines(lines) => seen.extend(lines),
                Part::Stored(until) => {
                    assert!(store.len() as u64 >= until, "the store has them");
                    seen.extend_from_slice(&store[seen.len()..]);
                }
                Part::Awaited | Part::Nothing | Part::Closed => return seen,
            }
        }
    }

    #[test]
    fn a_follower_gets_each_line_once_whenever_it_comes_and_whenever_lines_are_stored() {
        for (joins_at, stored_at) in (0..8).flat_map(|join| (0..8).map(move |store| (join, store))) {
            let tail = Arc::new(Tail::default());
            let (mut store, mut following) = (Vec::new(), None);
            for n in 0..8 {
                if n == joins_at {
                    following = Some(tail.clone().follow());
                }
                tail.push(line(n));
                if n == stored_at || n == 5 {
                    let taken = tail.take();
                    store.extend(taken.iter().cloned());
                    tail.stored(taken.len());
                }
            }
            let following = following.expect("it has joined");
            assert_eq!(read(&following, &store), lines(0..8), "joined at {joins_at}, stored at {stored_at}");
            assert!(store.len() >= 6 && store == lines(0..store.len()), "the store has each line once");
        }
    }

    #[test]
    fn a_follower_that_comes_while_lines_are_written_waits_for_the_store() {
        let tail = Arc::new(Tail::default());
        tail.push(line(0));
        let taken = tail.take();
        let mut following = tail.clone().follow();
        assert_eq!(following.part(0, 10), Part::Awaited);
        assert!(!following.news.has_changed().expect("the tail is there"));
        tail.stored(taken.len());
        assert!(following.news.has_changed().expect("the tail is there"));
        following.news.mark_unchanged();
        assert_eq!(following.part(0, 10), Part::Stored(1));
        assert_eq!(following.part(1, 10), Part::Nothing);
        tail.close();
        assert_eq!(following.part(1, 10), Part::Closed);
    }

    #[test]
    fn stored_lines_stay_for_followers_within_bounds_and_for_nobody_else() {
        let tail = Arc::new(Tail::default());
        let following = tail.clone().follow();
        (0..STAY + 100).for_each(|n| tail.push(line(n)));
        let taken = tail.take();
        assert_eq!(following.part(0, 1), Part::Lines(lines(0..1)), "nothing goes before it is stored");
        tail.stored(taken.len());
        assert_eq!(following.part(0, 1), Part::Stored(100));
        assert_eq!(following.part(100, 1), Part::Lines(lines(100..101)));
        tail.push(Line { message: "x".repeat(STAY_BYTES + 1), ..line(0) });
        let taken = tail.take();
        assert_eq!(taken.len(), 1, "no line is stored twice");
        tail.stored(taken.len());
        assert_eq!(following.part(0, 1), Part::Stored(STAY as u64 + 101));
        let other = tail.clone().follow();
        drop(following);
        tail.push(line(1));
        drop(other);
        assert_eq!(tail.state().held.len(), 1, "the line that is not stored stays");
    }
}
