mod contract;
mod faults;
mod pooler;
mod proxy;
mod reach;
mod server;
mod statements;
