//! Our own side policies: one of each member now and then, with targets that exist.

use serde_json::{json, Map, Value};

use crate::world::Shape;
use crate::Draw;

const EC_KEY: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn retry(draw: &mut Draw) -> Value {
    let mut retry = Map::new();
    if draw.chance(20) {
        retry.insert("enabled".into(), json!(draw.chance(50)));
    }
    if draw.chance(30) {
        retry.insert("nonIdempotent".into(), json!(draw.text(&["neverProcessed", "retry"])));
    }
    if draw.chance(30) {
        retry.insert("idempotencyKeyHeader".into(), json!("Idempotency-Key"));
    }
    if draw.chance(40) {
        retry.insert("alongPath".into(), json!(draw.text(&["firstHop", "everyHop"])));
    }
    if draw.chance(40) {
        let mode = draw.text(&["native", "filter", "exact"]);
        retry.insert(
            "budget".into(),
            json!({"mode": mode, "ratio": *draw.of(&[0.01, 0.1, 0.5, 1.0])}),
        );
    }
    if draw.chance(30) {
        retry.insert(
            "headers".into(),
            json!([{"name": "x-retry", "value": "yes"}, {"name": "x-again"}]),
        );
    }
    if draw.chance(30) {
        retry.insert(
            "backoff".into(),
            json!({"baseMillis": draw.between(1, 50), "maxMillis": draw.between(50, 500)}),
        );
    }
    if draw.chance(20) {
        retry.insert("retryAfter".into(), json!({"maxMillis": 5000}));
    }
    if draw.chance(20) {
        retry.insert("hedging".into(), json!({"onPerTryTimeout": true}));
    }
    Value::Object(retry)
}

fn canary(draw: &mut Draw) -> Value {
    match draw.between(0, 2) {
        0 => json!({"override": {"header": "x-canary", "cookie": "canary"}}),
        1 => json!({"sticky": {"header": "x-user"}}),
        _ => json!({"sticky": {"cookie": {"name": "sid", "set": {}}}}),
    }
}

fn service(draw: &mut Draw, shape: &Shape) -> Value {
    if draw.chance(60) {
        json!({"address": draw.text(&["limits.internal:8081", "10.0.0.9:8000", "[::1]:9000"])})
    } else {
        json!({"virtualNode": {"name": shape.a_node(draw)}})
    }
}

fn jwt(draw: &mut Draw) -> Value {
    let keys: Value = serde_json::from_str(EC_KEY).unwrap_or_default();
    let mut provider = json!({"name": "p", "issuer": "https://p.example", "jwks": {"inline": keys}});
    if draw.chance(40) {
        provider["fromHeaders"] = json!([{"name": "x-token"}]);
    }
    if draw.chance(30) {
        provider["claimToHeaders"] = json!([{"claim": "sub", "header": "x-user"}]);
    }
    let mut jwt = json!({"providers": [provider]});
    if draw.chance(30) {
        jwt["require"] = json!("all");
    }
    jwt
}

fn authorization(draw: &mut Draw, shape: &Shape) -> Value {
    if draw.chance(50) {
        json!({"grpc": service(draw, shape), "timeoutMillis": draw.between(1, 60_000)})
    } else {
        json!({"http": service(draw, shape), "pathPrefix": "/check", "onFailure": draw.text(&["allow", "deny"]), "upstreamHeaders": ["x-role"]})
    }
}

fn rate_limit(draw: &mut Draw, shape: &Shape) -> Value {
    if draw.chance(50) {
        json!({"limits": [{"name": "users", "requests": 10, "windowSeconds": 1, "key": {"header": "x-user"}}]})
    } else {
        json!({"global": {"service": service(draw, shape), "domain": "d", "limits": [{"key": [{"sourceAddress": {}}, {"header": "X-User"}]}]}})
    }
}

/// What a policy says and to what.
pub fn policy(draw: &mut Draw, shape: &Shape) -> (Value, Value) {
    let target = shape.a_target(draw);
    let mut spec = Map::new();
    for member in draw.several(1, 2, |draw| draw.between(0, 9)) {
        let (name, value) = match member {
            0 | 1 => ("retry", retry(draw)),
            2 => ("canary", canary(draw)),
            3 => (
                "observability",
                json!({"responseHeaders": draw.chance(50), "traceContext": draw.chance(50)}),
            ),
            4 => ("fault", json!({"abort": {"status": 503, "percent": 1.5}})),
            5 => (
                "headers",
                json!({"response": [{"add": {"name": "x-route", "value": "{route}"}}, {"remove": "server"}]}),
            ),
            6 => ("jwt", jwt(draw)),
            7 => ("extAuthz", authorization(draw, shape)),
            8 => ("rateLimit", rate_limit(draw, shape)),
            _ if draw.chance(50) => ("mirror", json!({"virtualNode": shape.a_node(draw), "percent": 12.5})),
            _ => ("circuitBreaker", json!({})),
        };
        spec.insert(name.into(), value);
    }
    (target, Value::Object(spec))
}
