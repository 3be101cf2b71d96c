//! What a run says of itself: not only how many inputs there were but how deep they went.

use std::time::Duration;

use ferromesh_fuzz::tally::Tally;

/// Time between two lines of progress.
pub const EVERY: Duration = Duration::from_secs(30);

fn a_second(inputs: u64, took: Duration) -> f64 {
    inputs as f64 / took.as_secs_f64().max(1e-9)
}

/// One line of progress.
pub fn line(target: &str, inputs: u64, took: Duration) -> String {
    let tally = Tally::now();
    format!(
        "{target}: {inputs} inputs, {:.0} a second, {} behaviours, {} requests",
        a_second(inputs, took),
        tally.behaviours,
        tally.requests
    )
}

/// The result of a target.
pub fn table(target: &str, inputs: u64, took: Duration, corpus: usize, findings: usize) -> String {
    let tally = Tally::now();
    let Tally {
        accepted,
        distinct_accepted,
        rejected,
        distinct_rejected,
        requests,
        replies,
        delays,
        changed_requests,
        responses,
        changed_responses,
        behaviours,
    } = tally;
    format!(
        "{target}: {inputs} inputs in {:.0} s, {:.0} a second, {findings} findings\n\
         \x20 configurations: {accepted} accepted (about {distinct_accepted} distinct), \
         {rejected} refused (about {distinct_rejected} distinct)\n\
         \x20 requests: {requests}, of which {changed_requests} changed, {replies} answered, {delays} delayed\n\
         \x20 responses: {responses}, of which {changed_responses} changed\n\
         \x20 behaviours told apart: {behaviours}; inputs kept: {corpus}; no coverage: see cargo xtask fuzz without --native",
        took.as_secs_f64(),
        a_second(inputs, took),
    )
}
