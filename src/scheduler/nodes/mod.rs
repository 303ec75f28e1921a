//! Nodes: work that goes on when a process is gone, or the store is away for a while.

mod patience;
mod recovery;
