//! Keys are read back as they were made.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_key_says_what_it_was_made_of(a: i64, x: u128) {
        let x = TaskId::from_bytes(x.to_be_bytes());
        prop_assert_eq!(read_millis(&millis(a)), Some(a));
        let (owner, key) = (Owner::Task(x), "a/\u{0}ü");
        let (by_key, by_time) = (entry(owner, key), expiry(a, owner, key));
        prop_assert_eq!(entry_of(&by_key), Some((owner, key)));
        prop_assert_eq!(expiry_of(&by_time), Some((a, owner, key)));
        prop_assert_eq!(step_of(&step(x, a, key)), Some((x, a)));
        prop_assert_eq!(account_of(&account(owner)), Some(owner));
    }
}
