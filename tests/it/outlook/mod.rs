//! Do the figures tell what has run, and the outlook what will?

mod activity;
mod future;
mod present;
