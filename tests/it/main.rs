//! Black-box tests of the binary.

mod bursts;
mod cage;
mod cli;
mod contract;
mod crashes;
mod failures;
mod harness;
mod hostile;
mod intruders;
mod kills;
mod limits;
mod lists;
mod missed;
mod power;
mod quick_start;
mod rooms;
mod stopping;
mod store_tools;
mod wire;
