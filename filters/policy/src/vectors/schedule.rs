//! The schedule: plays a vector's events in the order of their times and compares after each.

use super::{check, Executor, Step, Vector};

enum Event<'v> {
    Configure(&'v Step),
    Request(&'v Step),
    Response(&'v Step),
    End,
    Tick(&'v Step),
}

/// Plays the vector; every mismatch as a sentence with its step. Empty: it holds.
pub fn run(vector: &Vector, executor: &mut impl Executor) -> Vec<String> {
    let mut found = Vec::new();
    let answered = executor.configure(0, &vector.plugin.0);
    if answered != vector.expect_configure {
        found.push(format!(
            "on_configure: {answered:?}, expected {:?}",
            vector.expect_configure
        ));
        return found;
    }
    for (at_ms, index, event) in schedule(vector) {
        let mut mismatches = Vec::new();
        match event {
            Event::Configure(step) => {
                let plugin = step.configure.as_ref().map_or(&[][..], |payload| &payload.0);
                let answered = executor.configure(at_ms, plugin);
                if answered != step.expect_configure {
                    mismatches.push(format!(
                        "on_configure: {answered:?}, expected {:?}",
                        step.expect_configure
                    ));
                }
            }
            Event::Request(step) => {
                if let Some(request) = &step.request {
                    let outcome = executor.request(at_ms, index, request);
                    if let Some(expected) = &step.expect {
                        mismatches = check::request(expected, &outcome);
                    }
                }
            }
            Event::Response(step) => {
                if let Some(response) = &step.response {
                    let headers = executor.response(at_ms, index, response);
                    if let Some(expected) = &step.expect_response {
                        mismatches = check::headers(&expected.response_headers, &headers);
                    }
                }
            }
            Event::End => executor.end(at_ms, index),
            Event::Tick(step) => {
                if step.tick {
                    executor.tick(at_ms);
                }
                if let Some(expected) = &step.expect_metrics {
                    mismatches = check::metrics(expected, &executor.metrics());
                }
            }
        }
        found.extend(
            mismatches
                .into_iter()
                .map(|text| format!("step {index} at {at_ms} ms: {text}")),
        );
    }
    found
}

fn schedule(vector: &Vector) -> Vec<(u64, usize, Event<'_>)> {
    let mut events = Vec::new();
    for (index, step) in vector.steps.iter().enumerate() {
        let at = step.at_ms;
        if step.configure.is_some() {
            events.push((at, index, Event::Configure(step)));
        }
        if step.request.is_some() {
            events.push((at, index, Event::Request(step)));
        }
        match &step.response {
            Some(response) => {
                let headers = at.saturating_add(response.after_ms);
                events.push((headers, index, Event::Response(step)));
                events.push((headers.saturating_add(response.body_ms), index, Event::End));
            }
            None if step.request.is_some() => {
                events.push((at.saturating_add(step.cancel_after_ms), index, Event::End));
            }
            None => {}
        }
        if step.tick || step.expect_metrics.is_some() {
            events.push((at, index, Event::Tick(step)));
        }
    }
    // Stable: events of one time keep the order of the steps, and of a stream within its step.
    events.sort_by_key(|(at, index, _)| (*at, *index));
    events
}
