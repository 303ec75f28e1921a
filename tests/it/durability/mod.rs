//! Durability: the store after the death of a process and after a loss of power.

mod crashes;
mod kills;
mod power;
