//! Hints: the words of one node to the others.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    scene::{Scene, by_hand, taking},
    server::server,
};
use crate::{
    domain::step::Input,
    store::{Hint, Nodes, Tasks, Upkeep},
};

/// A word is there within this time, or never.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_node_hears_the_words_of_others_and_not_its_own_and_again_after_its_connection_was_cut() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "hints");
    let other = server.open("hints");
    let [first, second] = [scene.store.shared(), other.shared()].map(|shared| shared.expect("many share it"));
    scene.runtime.block_on(async {
        // The connection stands, and both know of one another.
        for shared in [&first, &second] {
            for _ in 0..4 {
                timeout(SOON, shared.hint()).await.expect("in time").expect("a hint");
            }
            assert!(shared.beat(0).await.expect("it lives").nodes.len() > 1);
        }
        second.tell(Hint::Due);
        let heard = timeout(SOON, first.hint()).await.expect("in time");
        assert!(matches!(heard, Ok(Hint::Due)), "{heard:?}");
        let own = timeout(Duration::from_millis(300), second.hint()).await;
        assert!(own.is_err(), "{own:?}");
        scene.proxy.take_away();
        scene.proxy.bring_back();
        // Words may have been lost, so that all are heard.
        for hint in [Hint::Due, Hint::Wish, Hint::Gone, Hint::Drain] {
            let heard = timeout(SOON, first.hint()).await.expect("in time").expect("a hint");
            assert_eq!(heard, hint);
        }
        second.tell(Hint::Wish);
        let heard = timeout(SOON, first.hint()).await.expect("in time");
        assert!(matches!(heard, Ok(Hint::Wish)), "{heard:?}");
    });
    for store in [&scene.store, &other] {
        scene.runtime.block_on(store.close()).expect("it closes");
    }
}

#[test]
fn the_node_of_a_run_that_another_one_cancels_hears_of_the_wish_at_once() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "hinted");
    let other = server.open("hinted");
    let [first, second] = [scene.store.shared(), other.shared()].map(|shared| shared.expect("many share it"));
    let task = scene.create(1, by_hand());
    let execution = scene.start(task);
    scene.runtime.block_on(async {
        for shared in [&first, &second] {
            for _ in 0..4 {
                timeout(SOON, shared.hint()).await.expect("in time").expect("a hint");
            }
            shared.beat(0).await.expect("it lives");
        }
        let step = other.change(task, taking(Input::Cancel), None, None).await.expect("it is cancelled");
        assert_eq!(step.cancel, [], "another node runs it");
        let heard = timeout(SOON, first.hint()).await.expect("in time");
        assert!(matches!(heard, Ok(Hint::Wish)), "{heard:?}");
        assert_eq!(first.wishes().await.expect("it reads").first().map(|(id, _)| *id), Some(execution));
    });
    for store in [&scene.store, &other] {
        scene.runtime.block_on(store.close()).expect("it closes");
    }
}
