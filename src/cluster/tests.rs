//! Observer, ranks, lease and follower, without a store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use ulid::Ulid;

use super::*;
use crate::{
    clock::{Clock, Sleep},
    domain::{Millis, chance::Chance, ids::NodeId},
    store::Node,
};

const LEASE: Millis = 30_000;

fn id(number: u128) -> NodeId {
    NodeId(Ulid(number))
}

fn node(number: u128, beat: u64) -> Node {
    Node {
        id: id(number),
        name: number.to_string(),
        address: None,
        build: "1".to_owned(),
        joined: 0,
        seen: 0,
        beat,
        places: 1,
        busy: 0,
        gone: None,
        why: None,
    }
}

#[test]
fn a_node_is_silent_once_its_beat_has_stayed_for_a_lease() {
    let mut observer = Observer::new(LEASE);
    let mut look = |now, beats: &[(u128, u64)]| {
        let nodes: Vec<_> = beats.iter().map(|(number, beat)| node(*number, *beat)).collect();
        observer.look(&nodes, now)
    };
    assert_eq!(look(0, &[(1, 7)]), []);
    assert_eq!(look(10_000, &[(1, 8), (2, 1)]), []);
    assert_eq!(look(20_000, &[(1, 8), (2, 2)]), []);
    assert_eq!(look(30_000, &[(1, 8), (2, 2)]), []);
    assert_eq!(look(39_999, &[(1, 8), (2, 2)]), []);
    assert_eq!(look(40_000, &[(1, 8), (2, 3)]), [(id(1), 8)]);
    assert_eq!(look(50_000, &[(1, 9), (2, 3)]), [], "it has beaten at the last moment");
    assert_eq!(look(60_000, &[(2, 3)]), [], "it has left");
    assert_eq!(look(70_000, &[(1, 9), (2, 3)]), [(id(2), 3)], "it is seen anew");
}

#[test]
fn nobody_is_silent_for_an_observer_that_could_not_look() {
    let mut observer = Observer::new(LEASE);
    let nodes = [node(1, 5)];
    assert_eq!(observer.look(&nodes, 0), []);
    // The database was away for everybody.
    assert_eq!(observer.look(&nodes, 60_000), []);
    assert_eq!(observer.look(&nodes, 75_000), []);
    assert_eq!(observer.look(&nodes, 89_999), []);
    assert_eq!(observer.look(&nodes, 90_000), [(id(1), 5)]);
    observer.forget();
    assert_eq!(observer.look(&nodes, 90_001), []);
    let gone = Node { gone: Some(1), ..node(1, 5) };
    assert_eq!(observer.look(&[gone], 200_000), []);
}

#[test]
fn whatever_the_beats_a_node_is_given_up_after_a_lease_of_silence_and_in_time() {
    for seed in 0..300 {
        let chance = Chance::new(seed);
        let mut observer = Observer::new(LEASE);
        let (mut now, mut beats) = (0, BTreeMap::from([(1, (0, 0)), (2, (0, 0)), (3, (0, 0))]));
        for _ in 0..200 {
            now += chance.between(100, LEASE / 6);
            for (beat, last) in beats.values_mut() {
                if chance.one_in(8) {
                    (*beat, *last) = (*beat + 1, now);
                }
            }
            let nodes: Vec<_> = beats.iter().map(|(number, (beat, _))| node(*number, *beat)).collect();
            let silent: BTreeSet<_> = observer.look(&nodes, now).into_iter().map(|(id, _)| id).collect();
            for (number, (_, last)) in &beats {
                let (told, silence) = (silent.contains(&id(*number)), now - last);
                assert!(!told || silence >= LEASE, "seed {seed}: given up after {silence} ms");
                assert!(told || silence < LEASE + LEASE / 6, "seed {seed}: not given up after {silence} ms");
            }
        }
    }
}

#[test]
fn all_nodes_agree_on_their_order_and_every_node_is_first_now_and_then() {
    let nodes: Vec<_> = (1..=5).map(|number| node(number, 1)).collect();
    let mut first = BTreeMap::<NodeId, usize>::new();
    for due in 0..1000 {
        let ranks: Vec<_> = nodes.iter().map(|node| Ranks::new(node.id, &nodes).of(due)).collect();
        assert_eq!(ranks.iter().copied().collect::<BTreeSet<_>>(), (0..5).collect(), "{ranks:?}");
        let winner = ranks.iter().position(|rank| *rank == 0).expect("somebody is first");
        *first.entry(nodes[winner].id).or_default() += 1;
    }
    assert!(first.len() == 5 && first.values().all(|times| (120..280).contains(times)), "{first:?}");
    let mut gone = nodes.clone();
    gone[0].gone = Some(1);
    let ranks: BTreeSet<_> = gone[1..].iter().map(|node| Ranks::new(node.id, &gone).of(7)).collect();
    assert_eq!(ranks, (0..4).collect(), "a node that is gone has no rank");
    assert_eq!(Ranks::default().of(7), 0);
}

#[test]
fn a_node_looks_later_by_its_rank_and_the_runs_that_it_has() {
    for (rank, busy, places, wait) in [
        (0, 0, 2, 0),
        (1, 0, 2, 3),
        (5, 0, 2, 15),
        (50, 0, 2, 15),
        (0, 1, 2, 2),
        (0, 2, 2, 4),
        (50, 9, 2, 19),
        (0, 0, 0, 0),
    ] {
        assert_eq!(stagger(rank, busy, places), wait, "{rank} {busy}/{places}");
    }
}

/// A clock whose times are set by hand.
#[derive(Default)]
struct SetClock {
    wall: AtomicI64,
    boot: AtomicI64,
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        self.wall.load(Relaxed)
    }

    fn sleep_until(&self, _: Millis) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }

    fn roll(&self) -> f64 {
        0.0
    }

    fn bits(&self) -> u128 {
        0
    }

    fn boot(&self) -> Millis {
        self.boot.load(Relaxed)
    }
}

#[tokio::test]
async fn a_run_goes_on_under_the_lease_of_the_node_that_claimed_it() {
    let clock = Arc::new(SetClock::default());
    let lease = Lease::new(clock.clone());
    let of = |number| Some(id(number));
    assert!(lease.holds(None) && !lease.holds(of(1)), "it has not joined");
    assert!(lease.renew(id(1), 1000));
    assert!(lease.holds(of(1)) && !lease.holds(of(2)));
    clock.boot.store(999, Relaxed);
    assert!(lease.holds(of(1)));
    clock.boot.store(1000, Relaxed);
    assert!(!lease.holds(of(1)), "its time is over, although nobody has told so");
    assert!(!lease.renew(id(1), 2000) && !lease.holds(of(1)), "the same node does not come back");
    lease.end();
    assert!(lease.renew(id(3), 2000) && lease.renew(id(3), 2500) && lease.holds(of(3)));
    let over = lease.over(of(3));
    assert!(lease.renew(id(2), 3000));
    over.await;
    assert!(!lease.holds(of(3)) && lease.holds(of(2)));
    let next = || of(4);
    let begins = lease.begins(id(4), next);
    assert!(!lease.begins(id(3), next).await, "it is another node now");
    let over = lease.over(of(2));
    assert!(lease.renew(id(4), 4000));
    assert!(begins.await, "the claim was answered before it was known that the node has joined");
    over.await;
    let over = lease.over(of(4));
    lease.end();
    over.await;
    assert_eq!(lease.standing(), Standing::Fenced);
}

#[test]
fn the_shown_time_is_as_near_to_the_stores_as_the_round_trips_allow() {
    for seed in 0..300 {
        let chance = Chance::new(seed);
        let offset = chance.between(-5_000_000, 5_000_000);
        let (mut follower, mut boot) = (Follower::default(), 0);
        assert_eq!(follower.now(boot), None);
        for answers in 1..100 {
            boot += chance.between(1, 10_000);
            let trip = chance.among(&[0, 1, 3, 10, 40]);
            let told = boot + chance.between(0, trip) + offset;
            let before = follower.now(boot + trip);
            follower.add(boot, told, boot + trip);
            boot += trip;
            let shown = follower.now(boot).expect("there was an answer");
            assert!((shown - (boot + offset)).abs() <= 50, "seed {seed}: {} ms off", shown - boot - offset);
            let moved = before.map_or(0, |before| (shown - before).abs());
            assert!(moved <= 5 || moved > 50 || answers < 2, "seed {seed}: it moves by {moved} ms at once");
        }
    }
}

#[test]
fn a_store_whose_clock_is_set_is_followed_at_once() {
    let clock = Arc::new(SetClock::default());
    clock.wall.store(77, Relaxed);
    let following = FollowingClock::new(clock.clone());
    assert_eq!(following.now(), 77, "nothing is known of the store");
    following.add(0, 1_000_000, 2);
    assert_eq!(following.now(), 999_999);
    for (boot, told) in [(1000, 5_000_000), (2000, 4_000)] {
        clock.boot.store(boot, Relaxed);
        following.add(boot, told, boot);
        assert_eq!(following.now(), told);
        clock.boot.store(boot + 500, Relaxed);
        assert_eq!(following.now(), told + 500);
    }
    clock.wall.store(1_000_000_000, Relaxed);
    assert_eq!(following.now(), 4_500, "the machine's wall clock has no say");
}
