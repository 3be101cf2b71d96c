//! Routes whose policies all have the part that a target is about, with and without mistakes.

use ferromesh_policy::vectors::{Chance, Choices, Payload};
use serde_json::{json, Value};

/// The part of a policy that a target is about: its member's name, and one that the bytes choose.
pub type Part = (&'static str, fn(&mut Choices<'_>) -> Value);

/// A route's name and its policy.
pub type Named = (String, Payload);

/// Routes, each with its policy: the part, now and then something beside it, one in six with a mistake.
pub fn routes(choices: &mut Choices<'_>, (name, part): Part) -> Vec<Named> {
    (0..=choices.index(3))
        .map(|index| {
            let targets: Vec<&str> = ["blue", "green", "red"][..=choices.index(3)].to_vec();
            let mut policy = json!({
                "labels": {"virtualService": choices.of(&["v", "w"]), "route": choices.of(&["r", "s"])},
                "targets": targets,
                name: part(choices),
            });
            if choices.once_in(3) {
                let weights: Vec<u64> = targets.iter().map(|_| choices.below(3)).collect();
                policy["canary"] = json!({"weights": weights, "sticky": {"header": "x-user"}});
            }
            if choices.once_in(4) {
                policy["observability"] = json!({"metrics": true, "grpc": true, "responseHeaders": true});
            }
            let mut bytes = policy.to_string().into_bytes();
            if choices.once_in(6) {
                mistake(choices, &mut bytes);
            }
            (format!("r{index}#{}", choices.below(4)), Payload(bytes))
        })
        .collect()
}

/// Changes a few bytes.
pub fn mistake(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    for _ in 0..=choices.below(2) {
        let at = choices.index(bytes.len());
        match choices.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, choices.of(b"\0\"\\{}[],:0-e.9")),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => {
                let end = (at + choices.index(24)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.extend(copy);
            }
            _ => bytes
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte = choices.below(256) as u8),
        }
    }
}

/// A number at the edges of what is allowed, or within.
pub fn number(choices: &mut Choices<'_>, least: u64, most: u64) -> Value {
    match choices.below(12) {
        0 => json!(least),
        1 => json!(most),
        2 => json!(least.saturating_sub(1)),
        3 => json!(most.saturating_add(1)),
        4 => choices
            .of(&["0.5", "-1", "1e3", "18446744073709551616", "null"])
            .parse()
            .unwrap_or(Value::Null),
        5 | 6 => json!(choices.below(most.saturating_add(1))),
        _ => json!(least + choices.below(20.min(most - least + 1))),
    }
}

/// A share up to `most`, mostly one that is allowed.
pub fn share(choices: &mut Choices<'_>, most: f64) -> Value {
    match choices.below(10) {
        0 => json!(0),
        1 => json!(most * 1.000_1),
        2 => json!(-0.1),
        3 => json!(1e-9),
        4 => json!(1e300),
        5 | 6 => json!(most),
        _ => json!(most * choices.below(1_000) as f64 / 1_000.0),
    }
}
