//! Tokens and sessions.

use super::*;
use crate::{
    domain::{
        access::{
            Role,
            record::{TokenHash, TokenRecord},
            session::Session,
        },
        ids::TokenId,
    },
    store::{
        AccessChange,
        copy::{Cursor, Import, Record},
    },
};

pub(super) fn token(number: u8) -> TokenRecord {
    TokenRecord {
        id: TokenId::from_bytes([number; 16]),
        name: format!("token {number}"),
        role: Role::Operator,
        handlers: Some(vec!["reports/*".parse().expect("a pattern")]),
        hash: TokenHash([number; 32]),
        previous: None,
        created_at: START,
        created_by: "config".to_owned(),
        expires_at: Some(START + 1),
        rotated_at: None,
        last_used_at: None,
        last_address: None,
    }
}

fn session(number: u8) -> Session {
    let (cookie, token) = (TokenHash([number; 32]), TokenHash([9; 32]));
    Session::new(cookie, token, START, Some("192.0.2.1".to_owned()), Some("a browser"))
}

fn change(bench: &Bench, changes: Vec<AccessChange>) {
    bench.wait(bench.store().change_access(changes, None)).expect("it is kept");
}

fn put(token: &TokenRecord) -> AccessChange {
    AccessChange::PutToken(Box::new(token.clone()))
}

fn read(bench: &Bench) -> (Vec<TokenRecord>, Vec<Session>) {
    let store = bench.store();
    (bench.wait(store.tokens()).expect("it reads"), bench.wait(store.sessions()).expect("it reads"))
}

pub(crate) fn tokens_and_sessions_are_kept_until_they_are_removed(bench: &mut Bench) {
    let (a, b, s) = (token(1), token(2), session(3));
    change(bench, vec![put(&b), put(&a), AccessChange::PutSession(Box::new(s.clone()))]);
    let used = TokenRecord { last_used_at: Some(START), ..a };
    change(bench, vec![put(&used)]);
    for _ in 0..2 {
        assert_eq!(read(bench), (vec![used.clone(), b.clone()], vec![s.clone()]));
        bench.reopen();
        assert_eq!(bench.store().report().missing, Vec::<String>::new());
    }
    change(bench, vec![AccessChange::RemoveToken(b.id), AccessChange::RemoveSession(s.hash)]);
    bench.reopen();
    assert_eq!(read(bench), (vec![used], vec![]));
}

pub(crate) fn a_late_note_of_a_use_brings_back_no_token_and_no_session(bench: &mut Bench) {
    let (a, s) = (token(1), session(3));
    let used = TokenRecord { last_used_at: Some(START), ..a.clone() };
    let seen = Session { seen_at: START + 1, ..s.clone() };
    let note = [
        AccessChange::UseToken(Box::new((a.clone(), used.clone()))),
        AccessChange::UseSession(Box::new((s.clone(), seen.clone()))),
    ];
    change(bench, note.to_vec());
    assert_eq!(read(bench), (vec![], vec![]), "there was none");
    change(bench, vec![put(&a), AccessChange::PutSession(Box::new(s.clone()))]);
    change(bench, note.to_vec());
    bench.reopen();
    assert_eq!(read(bench), (vec![used.clone()], vec![seen.clone()]));
    let rotated = TokenRecord { hash: TokenHash([7; 32]), ..used };
    change(bench, vec![put(&rotated), AccessChange::RemoveSession(s.hash)]);
    change(bench, note.to_vec());
    assert_eq!(read(bench), (vec![rotated], vec![]));
}

pub(crate) fn a_name_belongs_to_one_token(bench: &mut Bench) {
    let a = token(1);
    let namesake = TokenRecord { name: a.name.clone(), ..token(2) };
    let refuse = |bench: &mut Bench, changes: Vec<AccessChange>| {
        let session = AccessChange::PutSession(Box::new(session(3)));
        let changes = [session].into_iter().chain(changes).collect();
        let refused = bench.wait(bench.store().change_access(changes, Some(Audit::default())));
        assert!(matches!(&refused, Err(StoreError::TokenNameTaken(name)) if *name == a.name), "{refused:?}");
        bench.reopen();
    };
    refuse(bench, vec![put(&a), put(&namesake)]);
    change(bench, vec![put(&a), put(&token(4))]);
    refuse(bench, vec![put(&namesake)]);
    refuse(
        bench,
        vec![AccessChange::RemoveToken(token(4).id), put(&TokenRecord { name: a.name.clone(), ..token(4) })],
    );
    assert_eq!(read(bench), (vec![a.clone(), token(4)], vec![]), "a refused change leaves nothing behind");
    let rotated = TokenRecord { hash: TokenHash([7; 32]), ..a.clone() };
    change(bench, vec![put(&rotated)]);
    change(bench, vec![AccessChange::RemoveToken(a.id), put(&namesake)]);
    assert_eq!(read(bench).0, [namesake, token(4)]);
}

pub(crate) fn a_copy_has_the_tokens_and_no_session(bench: &mut Bench) {
    let a = token(1);
    change(bench, vec![put(&a), AccessChange::PutSession(Box::new(session(2)))]);
    let part = bench.wait(bench.store().export(Cursor::default())).expect("it exports");
    assert_eq!(
        (part.records.as_slice(), part.rest.is_none()),
        (&[Record::Token(Box::new(a.clone()))][..], true)
    );
    let full = bench.wait(bench.store().import(Import::Records(part.records.clone())));
    assert!(matches!(full, Err(StoreError::NotEmpty)), "{full:?}");
    let mut other = Bench::new(bench.open);
    let import = |other: &Bench, step| other.wait(other.store().import(step));
    import(&other, Import::Records(part.records.clone())).expect("it is taken in");
    assert!(import(&other, Import::Records(part.records)).is_err(), "an id is in a copy once");
    import(&other, Import::Complete).expect("it is complete");
    other.reopen();
    assert_eq!(read(&other), (vec![a], vec![]));
}
