mod contract;
mod server;
mod statements;
