//! Secrets and variables.

use super::*;
use crate::{
    domain::binding::{Binding, Content, Rejected, Rewrite},
    store::copy::{Cursor, Import, Record},
};

fn binding(name: &str, value: &str) -> Binding {
    Binding {
        name: name.to_owned(),
        content: Content::Sealed(value.to_owned()),
        handlers: vec!["reports/*".parse().expect("a pattern")],
        env: false,
        created_at: START,
        updated_at: START + 1,
    }
}

fn read(bench: &Bench) -> Vec<Binding> {
    bench.wait(bench.store().bindings()).expect("it reads")
}

fn rewrite(bench: &Bench, changes: Vec<Rewrite>) -> Result<Vec<Binding>, StoreError> {
    bench.wait(bench.store().rewrite(Box::new(move |_, _| Ok(changes.clone())), None))
}

pub(crate) fn bindings_are_kept_in_the_order_of_their_names_until_they_are_removed(bench: &mut Bench) {
    assert_eq!(read(bench), []);
    let [a, b, c] = ["A", "B_1", "c"].map(|name| binding(name, name));
    let put = [&c, &a, &b].map(|binding| Rewrite::Put(binding.clone()));
    assert_eq!(rewrite(bench, put.to_vec()).expect("they are kept"), [a.clone(), b.clone(), c.clone()]);
    let large = binding("B_1", &"x".repeat(90_000));
    let changes = vec![Rewrite::Remove("A".to_owned()), Rewrite::Put(large.clone())];
    assert_eq!(rewrite(bench, changes).expect("they change"), [large.clone(), c.clone()]);
    for _ in 0..2 {
        assert_eq!(read(bench), [large.clone(), c.clone()]);
        bench.reopen();
        assert_eq!(bench.store().report().missing, Vec::<String>::new());
    }
}

pub(crate) fn a_change_of_bindings_sees_all_of_them_and_is_all_or_nothing(bench: &mut Bench) {
    let [a, b] = ["A", "B"].map(|name| binding(name, "old"));
    rewrite(bench, vec![Rewrite::Put(a.clone()), Rewrite::Put(b.clone())]).expect("they are kept");
    let refused = bench.wait(bench.store().rewrite(
        Box::new(|bindings, _| {
            assert_eq!(bindings.len(), 2);
            Err(Rejected::TooMany)
        }),
        None,
    ));
    assert!(matches!(refused, Err(StoreError::Rejected(Rejected::TooMany))), "{refused:?}");
    assert_eq!(read(bench), [a, b]);
    let all = bench.wait(bench.store().rewrite(
        Box::new(|bindings, now| {
            let renewed = bindings.iter().map(|old| Binding { updated_at: now, ..binding(&old.name, "new") });
            Ok(renewed.map(Rewrite::Put).collect())
        }),
        None,
    ));
    let all = all.expect("they change");
    assert_eq!(all, ["A", "B"].map(|name| Binding { updated_at: START, ..binding(name, "new") }));
    assert_eq!(read(bench), all);
}

pub(crate) fn bindings_are_in_a_copy_as_they_are(bench: &mut Bench) {
    let [a, b] = ["A", "B"].map(|name| binding(name, "sealed"));
    rewrite(bench, vec![Rewrite::Put(a.clone()), Rewrite::Put(b.clone())]).expect("they are kept");
    let part = bench.wait(bench.store().export(Cursor::default())).expect("it exports");
    let copied = [Record::Binding(a.clone()), Record::Binding(b.clone())];
    assert_eq!((part.records.as_slice(), part.rest.is_none()), (&copied[..], true));
    let full = bench.wait(bench.store().import(Import::Records(part.records.clone())));
    assert!(matches!(full, Err(StoreError::NotEmpty)), "{full:?}");
    let mut other = Bench::new(bench.open);
    let import = |other: &Bench, step| other.wait(other.store().import(step));
    import(&other, Import::Records(part.records.clone())).expect("it is taken in");
    assert!(import(&other, Import::Records(part.records)).is_err(), "a name is in a copy once");
    import(&other, Import::Complete).expect("it is complete");
    other.reopen();
    assert_eq!(read(&other), [a, b]);
}
