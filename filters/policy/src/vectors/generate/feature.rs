//! The members of a route's policy, one function for each feature.

use serde_json::{json, Map, Value};

use super::{protection, Place};
use crate::vectors::Chance;

/// The members that this policy has, by name.
pub(super) fn members(chance: &mut impl Chance, targets: &[String], place: Place) -> Vec<(&'static str, Value)> {
    let mut members = Vec::new();
    if !chance.once_in(3) {
        members.push(("canary", canary(chance, targets, place)));
    }
    if chance.once_in(2) {
        members.push(("retry", retry(chance, place)));
    }
    if !chance.once_in(3) {
        members.push(("observability", observability(chance, place)));
    }
    if chance.once_in(5) {
        members.push(("headers", protection::headers(chance)));
    }
    if place == Place::Virtual {
        if chance.once_in(6) {
            members.push(("rateLimit", protection::rate_limit(chance)));
        }
        if chance.once_in(6) {
            members.push(("circuitBreaker", protection::circuit_breaker(chance)));
        }
        if chance.once_in(8) {
            members.push(("fault", protection::fault(chance)));
        }
    }
    members
}

fn canary(chance: &mut impl Chance, targets: &[String], place: Place) -> Value {
    let mut canary = Map::new();
    let sticky = match (place, chance.below(9)) {
        (_, 0) => Some(json!({"header": chance.of(&["x-user", "X-User", ":path"])})),
        (_, 1) => Some(json!({"cookie": "sid"})),
        (_, 2) => Some(json!({"sourceAddress": {}})),
        (_, 3) => Some(json!({"path": {}})),
        (Place::Virtual, 4) => Some(json!({"query": "user"})),
        (Place::Virtual, 5) => Some(json!({"anyOf": [{"header": "x-user"}, {"cookie": "sid"}, {"query": "user"}]})),
        (Place::Virtual, 6) => Some(json!({"cookie": managed_cookie(chance)})),
        _ => None,
    };
    let drawn = place == Place::StockEnvoy && sticky.is_none();
    let chosen = chance.index(targets.len());
    let weights: Vec<u64> = (0..targets.len())
        .map(|index| match chance.below(8) {
            // One target only, so that a draw has no choice.
            _ if drawn => u64::from(index == chosen) * 100,
            0 => 0,
            1 => 1,
            2 => chance.below(1_000_001),
            _ => chance.below(101),
        })
        .collect();
    canary.insert("weights".to_owned(), json!(weights));
    if weights.iter().all(|weight| *weight == 0) && place == Place::StockEnvoy {
        canary.insert("weights".to_owned(), json!(vec![1; targets.len()]));
    }
    if let Some(sticky) = sticky {
        canary.insert("sticky".to_owned(), sticky);
    }
    if chance.once_in(3) {
        canary.insert("override".to_owned(), json!({"header": "x-canary"}));
    }
    if place == Place::Virtual && chance.once_in(6) {
        canary.insert("ramp".to_owned(), ramp(chance, targets.len()));
    }
    if let (Place::Virtual, [baseline, canary_target, ..], true) = (place, targets, chance.once_in(6)) {
        let rollback = json!({
            "canary": canary_target,
            "baseline": baseline,
            "minRequests": chance.of(&[1, 2, 50]),
            "latency": {"thresholdMillis": 50, "marginPerMille": 10},
        });
        canary.insert("rollback".to_owned(), rollback);
    }
    Value::Object(canary)
}

fn managed_cookie(chance: &mut impl Chance) -> Value {
    let mut cookie = json!({"name": "sid", "set": {"ttlSeconds": 60}});
    if chance.once_in(2) {
        cookie["signingKeys"] = json!(["AAECAwQFBgcICQoLDA0ODw=="]);
    }
    cookie
}

/// A ramp around the vector's time.
fn ramp(chance: &mut impl Chance, targets: usize) -> Value {
    let mut after = 0;
    let steps: Vec<Value> = (0..=chance.below(3))
        .map(|_| {
            let weights: Vec<u64> = (0..targets).map(|_| chance.below(101)).collect();
            let step = json!({"afterSeconds": after, "weights": weights});
            after += chance.below(30);
            step
        })
        .collect();
    json!({
        "startUnixMillis": super::UNIX_MS - 5_000 + chance.below(20_000),
        "shape": chance.of(&["steps", "linear"]),
        "steps": steps,
    })
}

fn retry(chance: &mut impl Chance, place: Place) -> Value {
    let mut retry = Map::new();
    retry.insert("maxRetries".to_owned(), json!(chance.of(&[0_u32, 1, 2, 3, 5, 1_000])));
    if place == Place::StockEnvoy || chance.once_in(2) {
        let window = match place {
            // No slot leaves it while the vector is played.
            Place::StockEnvoy => 3_600,
            Place::Virtual => chance.of(&[1_u32, 2, 7, 10, 3_600]),
        };
        let budget = json!({
            "ratio": chance.of(&[0.0, 0.1, 0.2, 0.333_333, 1.0]),
            "minPerSecond": chance.of(&[0_u32, 0, 1, 3, 1_000_000]),
            "windowSeconds": window,
        });
        retry.insert("budget".to_owned(), budget);
    }
    if chance.once_in(3) {
        retry.insert("native".to_owned(), json!(false));
        // In Envoy, conditions that none of the vectors' responses meet.
        let conditions = match place {
            Place::StockEnvoy => &["connect-failure", "refused-stream", "unavailable"][..],
            Place::Virtual => &[
                "5xx",
                "reset",
                "connect-failure",
                "refused-stream",
                "unavailable",
                "internal",
            ],
        };
        let first = chance.of(conditions);
        retry.insert("retryOn".to_owned(), json!([first, chance.of(conditions)]));
        if chance.once_in(2) {
            let code = match place {
                Place::StockEnvoy => 599,
                Place::Virtual => chance.of(&[100, 409, 503, 599, 600]),
            };
            retry.insert("statusCodes".to_owned(), json!([code]));
        }
        if chance.once_in(3) {
            retry.insert(
                "perTryTimeoutMillis".to_owned(),
                json!(chance.of(&[60_000, 86_400_000])),
            );
        }
        if chance.once_in(3) {
            retry.insert("nonIdempotent".to_owned(), json!("retry"));
        }
    }
    Value::Object(retry)
}

fn observability(chance: &mut impl Chance, place: Place) -> Value {
    let mut observability = Map::new();
    for name in ["metrics", "traceContext", "requestId", "responseHeaders"] {
        if !chance.once_in(3) {
            observability.insert(name.to_owned(), json!(chance.once_in(2)));
        }
    }
    if place == Place::Virtual {
        for name in ["keepRequestId", "serverTiming", "grpc", "appMesh", "attempts"] {
            if chance.once_in(4) {
                observability.insert(name.to_owned(), json!(chance.once_in(2)));
            }
        }
        if chance.once_in(3) {
            let formats = ["w3c", "b3", "b3multi", "xray"];
            let trace = json!({"accept": [chance.of(&formats)], "emit": [chance.of(&formats)]});
            observability.insert("traceContext".to_owned(), trace);
        }
    }
    Value::Object(observability)
}
