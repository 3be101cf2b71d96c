//! Makes a failing case small, and writes it down in the corpus' own format, so that it can join the corpus.

use serde_json::{json, Map, Value};

use super::{Headers, Payload, Step, Vector};

/// A smaller vector that still `fails`, found by leaving steps and headers out; at most `tries` are tried.
pub fn minimise(vector: &Vector, mut tries: usize, mut fails: impl FnMut(&Vector) -> bool) -> Vector {
    let mut smallest = vector.clone();
    let mut attempt = |candidate: &Vector| {
        if tries == 0 {
            return false;
        }
        tries -= 1;
        fails(candidate)
    };
    let mut size = smallest.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < smallest.steps.len() {
            let mut candidate = smallest.clone();
            let end = (start + size).min(candidate.steps.len());
            candidate.steps.drain(start..end);
            if attempt(&candidate) {
                smallest = candidate;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    for step in 0..smallest.steps.len() {
        for headers in [request_headers, response_headers] {
            let mut index = 0;
            while headers(&mut smallest.steps[step]).is_some_and(|headers| index < headers.len()) {
                let mut candidate = smallest.clone();
                if let Some(headers) = headers(&mut candidate.steps[step]) {
                    headers.remove(index);
                }
                if attempt(&candidate) {
                    smallest = candidate;
                } else {
                    index += 1;
                }
            }
        }
    }
    smallest
}

fn request_headers(step: &mut Step) -> Option<&mut Headers> {
    step.request.as_mut().map(|request| &mut request.headers)
}

fn response_headers(step: &mut Step) -> Option<&mut Headers> {
    step.response.as_mut().map(|response| &mut response.headers)
}

/// The vector as JSON, which is YAML too. Without its expectations: a generated one has none.
#[must_use]
pub fn written(vector: &Vector) -> String {
    let steps: Vec<Value> = vector.steps.iter().map(step).collect();
    json!({
        "description": vector.description,
        "seed": vector.seed,
        "plugin": payload(&vector.plugin),
        "steps": steps,
    })
    .to_string()
}

fn step(step: &Step) -> Value {
    let mut map = Map::new();
    map.insert("at_ms".to_owned(), json!(step.at_ms));
    if let Some(configure) = &step.configure {
        map.insert("configure".to_owned(), payload(configure));
    }
    if let Some(request) = &step.request {
        let mut request = without_absent(json!(request));
        if let (Some(policy), Some(member)) = (
            step.request.as_ref().and_then(|request| request.policy.as_ref()),
            request.get_mut("policy"),
        ) {
            *member = payload(policy);
        }
        map.insert("request".to_owned(), request);
    }
    if let Some(response) = &step.response {
        map.insert("response".to_owned(), without_absent(json!(response)));
    } else if step.request.is_some() {
        map.insert("cancel_after_ms".to_owned(), json!(step.cancel_after_ms));
    }
    if step.tick {
        map.insert("tick".to_owned(), json!(true));
    }
    Value::Object(map)
}

fn without_absent(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// A mapping where the payload is one, because that is what a person wants to read.
fn payload(payload: &Payload) -> Value {
    match serde_json::from_slice::<Value>(&payload.0) {
        Ok(value) if value.is_object() && serde_json::to_vec(&value).is_ok_and(|bytes| bytes == payload.0) => value,
        _ => json!(payload),
    }
}
