//! Do the metrics and traces have the form and the meaning that Prometheus, collectors and their users expect?

mod prometheus;
mod scrape;
mod traces;
