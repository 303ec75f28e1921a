//! Durability: processes that die and power that fails, and the store afterwards.

mod crashes;
mod kills;
mod power;
