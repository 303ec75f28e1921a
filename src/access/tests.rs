use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use super::*;
use crate::{
    clock::Sleep,
    domain::access::session::{IDLE, LONGEST},
    store::in_memory,
};

const HOUR: Millis = 3_600_000;

/// A clock that a test sets.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Millis {
        self.0.load(Relaxed)
    }

    fn sleep_until(&self, _: Millis) -> Sleep<'_> {
        unreachable!("nothing waits")
    }

    fn roll(&self) -> f64 {
        0.5
    }

    fn bits(&self) -> u128 {
        7
    }
}

impl SetClock {
    fn pass(&self, millis: Millis) {
        self.0.fetch_add(millis, Relaxed);
    }
}

struct Bench {
    clock: Arc<SetClock>,
    store: Arc<dyn Store>,
    access: Access,
}

fn config() -> TokenHash {
    TokenHash::of(b"the-token-of-the-configuration")
}

async fn open(store: &Arc<dyn Store>, clock: &Arc<SetClock>) -> Access {
    Access::open(store.clone(), clock.clone(), config(), Some(100 * HOUR)).await.expect("it opens")
}

async fn bench() -> Bench {
    let clock = Arc::new(SetClock(AtomicI64::new(1_000_000_000)));
    let store = in_memory(Arc::new(|| 0));
    let access = open(&store, &clock).await;
    Bench { clock, store, access }
}

fn address() -> Option<IpAddr> {
    Some("192.0.2.1".parse().expect("an address"))
}

fn admin() -> Identity {
    let (name, grant) = (CONFIG.to_owned(), Grant::admin());
    Identity { token: None, hash: config(), name, grant, expires_at: None, session: None }
}

async fn make(access: &Access, name: &str, role: Role) -> (String, TokenRecord) {
    let wanted = NewToken { name: name.to_owned(), role, handlers: None, expires_at: None };
    access.make_token(wanted, &admin(), |_| None).await.expect("it is made")
}

async fn log_in(access: &Access, token: &str) -> String {
    access
        .log_in(token, address(), Some("a browser"), None)
        .await
        .expect("the store works")
        .expect("it is right")
        .0
}

#[tokio::test]
async fn a_token_lets_in_until_it_ends_and_a_wrong_one_is_told_from_a_mistyped_one() {
    let Bench { clock, access, .. } = bench().await;
    let (text, token) = make(&access, "ci", Role::Operator).await;
    let found = access.find_token(text.as_bytes(), None).await.expect("it is right");
    assert_eq!((found.name.as_str(), found.role(), found.token), ("ci", Role::Operator, Some(token.id)));
    assert_eq!(found.expires_at, Some(clock.now() + 100 * HOUR), "the setting bounds its life");
    let find = async |text: &str| access.find_token(text.as_bytes(), None).await.map(|found| found.name);
    assert_eq!(find(&text[..52]).await, Err(Denied::Mistyped));
    assert_eq!(find(&token_text(1)).await, Err(Denied::Unknown));
    assert_eq!(find("something else").await, Err(Denied::Unknown));
    assert_eq!(find("the-token-of-the-configuration").await.as_deref(), Ok(CONFIG));
    clock.pass(100 * HOUR);
    assert_eq!(find(&text).await, Err(Denied::Expired));
}

fn token_text(number: u128) -> String {
    crate::domain::access::secret::token_of([number, number])
}

#[tokio::test]
async fn a_rotated_token_keeps_its_old_text_for_the_overlap_over_restarts() {
    let Bench { clock, store, access } = bench().await;
    let (old, token) = make(&access, "ci", Role::Viewer).await;
    let (new, _) = access.rotate_token(token.id, HOUR, |_| None).await.expect("it is there");
    for access in [access, open(&store, &clock).await] {
        for text in [&old, &new] {
            assert!(access.find_token(text.as_bytes(), None).await.is_ok());
        }
    }
    clock.pass(HOUR);
    let access = open(&store, &clock).await;
    assert_eq!(access.find_token(old.as_bytes(), None).await.err(), Some(Denied::Rotated));
    assert!(access.find_token(new.as_bytes(), None).await.is_ok());
}

#[tokio::test]
async fn a_session_goes_on_over_restarts_and_ends_with_its_token() {
    let Bench { clock, store, access } = bench().await;
    let (text, token) = make(&access, "anna", Role::Editor).await;
    let cookie = log_in(&access, &text).await;
    let again = open(&store, &clock).await;
    let found = again.find_session(&cookie, address()).await.expect("it goes on");
    assert_eq!((found.name.as_str(), found.session.is_some()), ("anna", true));
    assert_eq!(again.find_session("another", None).await.err(), Some(Denied::NoSession));
    again.remove_token(token.id, |_| None).await.expect("it is there");
    assert_eq!(again.find_session(&cookie, None).await.err(), Some(Denied::NoSession));
    assert_eq!(store.sessions().await.expect("it reads"), []);
    assert_eq!(store.tokens().await.expect("it reads"), []);
}

#[tokio::test]
async fn a_session_ends_with_the_text_that_opened_it_and_when_somebody_ends_it() {
    let Bench { access, .. } = bench().await;
    let (text, token) = make(&access, "anna", Role::Editor).await;
    let cookie = log_in(&access, &text).await;
    access.rotate_token(token.id, 0, |_| None).await.expect("it is there");
    assert_eq!(access.find_session(&cookie, None).await.err(), Some(Denied::NoSession));
    let cookie = log_in(&access, "the-token-of-the-configuration").await;
    let caller = access.find_session(&cookie, None).await.expect("it goes on");
    assert!(access.look_again(&caller).await.is_some());
    let session = caller.session;
    access.end_sessions(&[session.expect("a session")], None).await.expect("it ends");
    assert_eq!(access.look_again(&caller).await, None, "a stream of the session ends");
    assert_eq!(access.find_session(&cookie, None).await.err(), Some(Denied::NoSession));
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_a_week_at_the_latest() {
    let Bench { clock, access, .. } = bench().await;
    let cookie = log_in(&access, "the-token-of-the-configuration").await;
    for _ in 0..LONGEST / (IDLE - 1) {
        clock.pass(IDLE - 1);
        assert!(access.find_session(&cookie, None).await.is_ok(), "a request prolongs it");
    }
    clock.pass(LONGEST % (IDLE - 1));
    assert_eq!(access.find_session(&cookie, None).await.err(), Some(Denied::NoSession));
    let cookie = log_in(&access, "the-token-of-the-configuration").await;
    clock.pass(IDLE);
    assert_eq!(access.find_session(&cookie, None).await.err(), Some(Denied::NoSession));
    assert!(access.sessions().await.is_empty());
}

#[tokio::test]
async fn the_use_of_a_token_is_written_once_a_minute() {
    let Bench { clock, store, access } = bench().await;
    let (text, _) = make(&access, "ci", Role::Viewer).await;
    let used = async || {
        access.find_token(text.as_bytes(), address()).await.expect("it is right");
        let token = store.tokens().await.expect("it reads").remove(0);
        (token.last_used_at, token.last_address)
    };
    let first = clock.now();
    assert_eq!(used().await, (Some(first), Some("192.0.2.1".to_owned())));
    clock.pass(59_999);
    assert_eq!(used().await.0, Some(first));
    clock.pass(1);
    assert_eq!(used().await.0, Some(first + 60_000));
}

#[tokio::test]
async fn names_are_unique_and_nobody_makes_a_token_above_the_own_one() {
    let Bench { access, .. } = bench().await;
    make(&access, "ci", Role::Viewer).await;
    let make = async |name: &str, role, maker: Identity| {
        let wanted = NewToken { name: name.to_owned(), role, handlers: None, expires_at: None };
        access.make_token(wanted, &maker, |_| None).await.map(drop)
    };
    assert!(matches!(make("ci", Role::Viewer, admin()).await, Err(TokenError::NameTaken(_))));
    for wrong in ["", " a", "a\nb", CONFIG, &"x".repeat(51)] {
        assert!(
            matches!(make(wrong, Role::Viewer, admin()).await, Err(TokenError::Invalid("name", _))),
            "{wrong}"
        );
    }
    let bound = Grant { role: Role::Admin, handlers: Some(vec!["a/*".parse().expect("a pattern")]) };
    let bound = Identity { grant: bound, ..admin() };
    assert!(matches!(make("x", Role::Viewer, bound).await, Err(TokenError::Above)));
}
