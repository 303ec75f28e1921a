mod contract;
mod faults;
mod pooler;
mod proxy;
mod server;
mod statements;
