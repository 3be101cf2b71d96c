//! The members that protect targets or change headers.
//!
//! No delays: when a delayed stream goes on is the host's tick to say, which the schedule of a vector does not have.

use serde_json::{json, Map, Value};

use crate::vectors::Chance;

pub(super) fn rate_limit(chance: &mut impl Chance) -> Value {
    let limits: Vec<Value> = (0..=chance.below(2))
        .map(|index| {
            let mut limit = Map::new();
            limit.insert("name".to_owned(), json!(format!("l{index}")));
            limit.insert("requests".to_owned(), json!(chance.of(&[1, 2, 5, 10_000_000])));
            limit.insert("windowSeconds".to_owned(), json!(chance.of(&[1, 10, 86_400])));
            if chance.once_in(3) {
                limit.insert("algorithm".to_owned(), json!("slidingWindow"));
            } else if chance.once_in(3) {
                limit.insert("burst".to_owned(), json!(chance.of(&[1, 3, 20])));
            }
            let key = match chance.below(4) {
                0 => Some(json!({"header": "x-user"})),
                1 => Some(json!({"sourceAddress": {}})),
                2 => Some(json!({"identity": {}})),
                _ => None,
            };
            if let Some(key) = key {
                limit.insert("key".to_owned(), key);
                if chance.once_in(2) {
                    limit.insert("missingKey".to_owned(), json!(chance.of(&["limit", "allow", "deny"])));
                }
                if chance.once_in(3) {
                    limit.insert("keys".to_owned(), json!(chance.of(&[1, 2, 65_536])));
                }
            }
            Value::Object(limit)
        })
        .collect();
    let mut config = json!({"limits": limits});
    for name in ["headers", "dryRun"] {
        if chance.once_in(4) {
            config[name] = json!(chance.once_in(2));
        }
    }
    config
}

pub(super) fn circuit_breaker(chance: &mut impl Chance) -> Value {
    let mut config = json!({
        "per": chance.of(&["target", "service"]),
        "windowSeconds": chance.of(&[1, 10]),
        "minRequests": chance.of(&[1, 2, 20]),
        "errorRatio": chance.of(&[0.000_001, 0.5, 1.0]),
        "ejectSeconds": chance.of(&[1, 30]),
        "probes": chance.of(&[1, 3]),
    });
    if chance.once_in(2) {
        config["slowMillis"] = json!(50);
        config["slowRatio"] = json!(0.5);
    }
    config
}

pub(super) fn fault(chance: &mut impl Chance) -> Value {
    let mut fault = json!({"abort": {
        "status": chance.of(&[200, 418, 503, 599]),
        "percent": chance.of(&[0.0, 0.5, 50.0, 100.0]),
    }});
    if chance.once_in(3) {
        fault["abort"]["grpcStatus"] = json!(chance.of(&[0, 14, 16]));
    }
    if chance.once_in(2) {
        fault["when"] = json!({"header": "x-user"});
        if chance.once_in(2) {
            fault["when"]["value"] = json!("ada");
        }
    }
    fault
}

pub(super) fn headers(chance: &mut impl Chance) -> Value {
    const REQUEST: [&str; 6] = [
        "text",
        "{mesh} {route}",
        "{{{target}}}",
        "{request.path} of {request.host}",
        "{source.address}",
        "{request.id}",
    ];
    const RESPONSE: [&str; 4] = [
        "text",
        "{response.status}",
        "{virtualService}/{target}",
        "{request.method}",
    ];
    let request: Vec<Value> = (0..chance.below(4)).map(|_| operation(chance, &REQUEST)).collect();
    let response: Vec<Value> = (0..=chance.below(2)).map(|_| operation(chance, &RESPONSE)).collect();
    json!({"request": request, "response": response})
}

fn operation(chance: &mut impl Chance, values: &[&str]) -> Value {
    let name = chance.of(&["x-other", "x-user", "x-new"]);
    match chance.below(3) {
        0 => json!({"remove": name}),
        kind => {
            let field = json!({"name": name, "value": chance.of(values)});
            if kind == 1 {
                json!({"set": field})
            } else {
                json!({"add": field})
            }
        }
    }
}
