//! Requests of handlers: the addresses that they reach, their limits, their end and their count.

mod limits;
mod origin;
mod reach;
