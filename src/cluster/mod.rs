//! Cluster: a process as one of many on a shared store.
//!
//! A node tells the store again and again that it lives. Each node counts the beats of the others by its own
//! clock ([`observer`]): a node whose count stays the same for the length of a lease is declared gone, and its
//! executions are closed. A node stops its own runs before that time ([`lease`]), so that an occurrence is never
//! run by two. No wall clock takes part in it, not even the database's.
//!
//! The store's clock tells only what is due: [`follower`] follows it between the beats. [`ranks`] spreads the
//! looks of the nodes at it. [`reading`] tells when records in memory are to be read anew.
//!
//! Misuse to avoid: measuring a lease by a clock that stands still while the machine sleeps, or that can be set.

mod follower;
mod lease;
mod member;
mod observer;
mod ranks;
mod reading;
#[cfg(test)]
mod tests;

pub use self::{
    follower::{Follower, FollowingClock},
    lease::{Lease, Standing},
    member::{Member, Settings, Words},
    observer::Observer,
    ranks::{Ranks, stagger},
    reading::Reading,
};
