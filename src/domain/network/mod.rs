//! Network: which hosts and addresses a request of a handler may reach.
//!
//! [`NetPolicy`] holds the server's rules, [`Reach`] those that are in force for one handler. The
//! caller asks twice: for the host before its name is resolved, and for each address after that.

mod address;
mod policy;
mod rule;
pub mod trace;

pub use self::{
    address::{AddressClass, classify},
    policy::{Grant, NetPolicy, Reach, show},
    rule::NetRule,
};

#[cfg(test)]
mod tests;
