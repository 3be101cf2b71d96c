//! Requests against observability: what it counts is bounded, and never more than there was.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::observability::MAX_SERIES;
use ferromesh_policy::vectors::{prometheus_key, Metric};

use crate::play::Play;

/// Metrics of one series at most, and the series of everything that found no place.
const MAX_METRICS: usize = 4 * (MAX_SERIES + 6);
/// The longest stat name: five labels of 255 bytes, each of which may be escaped, a target's name, and the words
/// between them.
const MAX_NAME: usize = 6 * 255 * 3 + 300;

/// One input.
pub fn requests(input: &[u8]) {
    let mut play = Play::new(Features::OBSERVABILITY, input);
    let mut requests = 0;
    play.anything(|_, _| requests += 1);
    let metrics = play.metrics();
    assert!(metrics.len() <= MAX_METRICS, "{} metrics", metrics.len());
    let mut counted = 0;
    for (name, metric) in &metrics {
        assert!(name.len() <= MAX_NAME, "a stat name of {} bytes", name.len());
        match metric {
            Metric::Counter(total) if name.starts_with("ferromesh_requests_total") => counted += total,
            _ => {}
        }
    }
    assert!(counted <= requests, "{counted} requests counted of {requests}");
    // Slow, and the names of one case are alike.
    if let Some((name, _)) = metrics.first() {
        prometheus_key(name).unwrap_or_else(|error| panic!("stat name {name:?}: {error}"));
    }
}
