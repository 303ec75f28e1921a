//! Black-box tests of the binary, grouped by the question that they answer.
//!
//! - [`access`]: does a token or a session let in whom it should, and nobody else?
//! - [`alerts`]: does a message reach its channel, once, with everything that one needs to know?
//! - [`api`]: does a request get the answer that clients have been written against?
//! - [`browser`]: do people get done in the dashboard what they came for?
//! - [`client`]: do the commands that ask a server show its answers, and end as they should?
//! - [`cluster`]: are many servers on one database as good as one, whichever of them fails?
//! - [`handlers`]: may a file in `tasks/` rely on this?
//! - [`live`]: does a client that listens hear everything, once, and in order?
//! - [`network`]: which addresses does a handler reach, and when do its requests end?
//! - [`node`]: do programs written for Node find here the functions that they call?
//! - [`state`]: does what a handler keeps stay, where it should, and go when it should?
//! - [`sandbox`]: can a handler harm the server, the machine or another run?
//! - [`secrets`]: does a value reach the handlers that it is granted to, and nobody else?
//! - [`scheduling`]: does a task run when it should?
//! - [`durability`]: is a change kept when a process or the power fails?
//! - [`described`]: does the server do what its description for programs says?
//! - [`examples`]: do the examples that come with isochron do their work?
//! - [`metrics`]: do the metrics have the form and the meaning that Prometheus and its users expect?
//! - [`outlook`]: do the figures tell what has run, and the outlook what will?
//! - [`operating`]: do the commands, the start and the stop do their work?
//! - [`pages`]: do pages show what they should to whom, and refuse the forms of a role above?
//! - [`web`]: are the classes of the web platform there, and are they right?
//! - [`documents`]: does a link or a path in the documents lead somewhere?
//! - [`rooms`]: does each room of `src/` use only the rooms that it may use?

mod access;
mod alerts;
mod api;
mod browser;
mod client;
mod cluster;
mod described;
mod documents;
mod durability;
mod examples;
mod handlers;
mod harness;
mod history;
mod live;
mod metrics;
mod network;
mod node;
mod operating;
mod outlook;
mod pages;
mod rooms;
mod sandbox;
mod scheduling;
mod secrets;
mod state;
mod web;
