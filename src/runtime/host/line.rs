//! The line: things that wait for somebody, and those who wait for a thing.
//!
//! Things go in the order in which they came. Of those who are free, the one that became free
//! last is served first: its memory is still in the processor's caches, and whoever is not
//! needed is left alone long enough to be seen as not needed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// See the module.
#[derive(Debug)]
pub(super) struct Line<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    things: VecDeque<T>,
    /// Never somebody here while there is a thing.
    free: Vec<Arc<Seat<T>>>,
}

/// Where somebody free waits. What is in it is given under the line's lock.
#[derive(Debug)]
struct Seat<T> {
    given: Mutex<Option<T>>,
    wake: Notify,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(Mutex::new(State { things: VecDeque::new(), free: Vec::new() }))
    }
}

impl<T> Line<T> {
    /// Gives a thing to whoever became free last, or has it wait; says whether somebody was free.
    pub(super) fn put(&self, thing: T) -> bool {
        let mut state = self.lock();
        state.things.push_back(thing);
        state.hand_out()
    }

    /// The thing that has waited longest, or the next one. May be dropped at any time: a thing
    /// that was given but not taken goes back to the head of the line.
    pub(super) async fn take(&self) -> T {
        let seat = Arc::new(Seat { given: Mutex::new(None), wake: Notify::new() });
        {
            let mut state = self.lock();
            state.free.push(seat.clone());
            state.hand_out();
        }
        let waiting = Waiting { line: self, seat: &seat };
        loop {
            if let Some(thing) = waiting.seat.take() {
                return thing;
            }
            seat.wake.notified().await;
        }
    }

    /// How many are free.
    #[cfg(test)]
    fn free(&self) -> usize {
        self.lock().free.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether the thing at the head went to somebody.
    fn hand_out(&mut self) -> bool {
        if self.things.is_empty() {
            return false;
        }
        let Some(seat) = self.free.pop() else { return false };
        *seat.given.lock().unwrap_or_else(PoisonError::into_inner) = self.things.pop_front();
        seat.wake.notify_one();
        true
    }
}

impl<T> Seat<T> {
    fn take(&self) -> Option<T> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Leaves the line as if nobody had ever waited.
struct Waiting<'a, T> {
    line: &'a Line<T>,
    seat: &'a Arc<Seat<T>>,
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.free.retain(|seat| !Arc::ptr_eq(seat, self.seat));
        if let Some(thing) = self.seat.take() {
            state.things.push_front(thing);
            state.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<T>(take: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match take.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(thing) => Some(thing),
            Poll::Pending => None,
        }
    }

    #[test]
    fn things_go_in_their_order_to_whoever_became_free_last() {
        let line = Line::default();
        let (mut first, mut second) = (pin!(line.take()), pin!(line.take()));
        assert_eq!((poll(first.as_mut()), poll(second.as_mut())), (None, None));
        assert!(line.put(1), "somebody is free");
        assert_eq!((poll(first.as_mut()), poll(second.as_mut())), (None, Some(1)));
        assert!(line.put(2));
        assert!(!line.put(3), "nobody is free");
        assert!(!line.put(4));
        assert_eq!(poll(first.as_mut()), Some(2));
        assert_eq!([3, 4].map(Some), [poll(pin!(line.take())), poll(pin!(line.take()))]);
        assert_eq!(line.free(), 0);
    }

    #[test]
    fn whoever_leaves_takes_nothing_along() {
        let line = Line::default();
        let mut stays = pin!(line.take());
        assert_eq!(poll(stays.as_mut()), None);
        {
            let mut leaves = pin!(line.take());
            assert_eq!(poll(leaves.as_mut()), None);
            assert!(line.put(1), "it is given to the one that leaves");
            assert!(line.put(2), "and this to the other");
        }
        assert_eq!(poll(stays.as_mut()), Some(2));
        assert_eq!(poll(pin!(line.take())), Some(1), "it has not been lost");

        drop(Box::pin(line.take()));
        {
            let mut leaves = pin!(line.take());
            assert_eq!(poll(leaves.as_mut()), None);
        }
        assert_eq!(line.free(), 0);
        assert!(!line.put(3), "nobody is there any more");
    }
}
