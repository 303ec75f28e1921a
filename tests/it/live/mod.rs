//! Streams: the news of all tasks, and the output of a run while it goes on.

mod events;
mod output;
