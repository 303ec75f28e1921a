//! Do the metrics have the form and the meaning that Prometheus and its users expect?

mod prometheus;
mod scrape;
