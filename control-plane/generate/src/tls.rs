//! TLS of listeners and towards backends.

use serde_json::{json, Value};

use crate::text::mostly;
use crate::Draw;

const FILES: &[&str] = &["/etc/tls/chain.pem", "/a.pem", "/with blank/chain.pem"];
const ODD_FILES: &[&str] = &["", "relative.pem", "/é.pem", "/\u{0}"];
const ARNS: &[&str] = &[
    "arn:aws:acm:us-east-1:123456789012:certificate/one",
    "arn:aws:acm:eu-west-1:123456789012:certificate/two",
];
const NAMES: &[&str] = &["a.local", "b.local", "spiffe://mesh/a", "*.local", "a", "é"];

fn file(draw: &mut Draw) -> String {
    mostly(draw, FILES, ODD_FILES, 3)
}

fn key_pair(draw: &mut Draw) -> Value {
    json!({"certificateChain": file(draw), "privateKey": "/etc/tls/key.pem"})
}

fn names(draw: &mut Draw) -> Option<Value> {
    draw.maybe(50, |draw| {
        let names = draw.several(1, 3, |draw| draw.text(NAMES));
        json!({"match": {"exact": names}})
    })
}

fn validation(draw: &mut Draw, with_acm: bool) -> Value {
    let trust = match draw.between(0, if with_acm { 2 } else { 1 }) {
        0 => json!({"file": {"certificateChain": "/etc/tls/ca.pem"}}),
        1 => json!({"sds": {"secretName": "trust"}}),
        _ => {
            json!({"acm": {"certificateAuthorityArns": ["arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/a"]}})
        }
    };
    let mut validation = json!({"trust": trust});
    if let Some(names) = names(draw) {
        validation["subjectAlternativeNames"] = names;
    }
    validation
}

/// TLS of a listener.
pub fn listener(draw: &mut Draw) -> Value {
    let certificate = match draw.between(0, 4) {
        0 | 1 => json!({"file": key_pair(draw)}),
        2 | 3 => json!({"acm": {"certificateArn": draw.text(ARNS)}}),
        _ => json!({"sds": {"secretName": "own"}}),
    };
    let mut tls = json!({"mode": draw.text(&["STRICT", "PERMISSIVE", "DISABLED"]), "certificate": certificate});
    if draw.chance(40) {
        tls["validation"] = validation(draw, false);
    }
    tls
}

/// What calls to a backend ask of its TLS.
pub fn client_policy(draw: &mut Draw) -> Value {
    if draw.chance(10) {
        return json!({});
    }
    let mut tls = json!({"validation": validation(draw, true)});
    if draw.chance(40) {
        tls["enforce"] = json!(draw.chance(50));
    }
    if draw.chance(30) {
        tls["ports"] = json!(draw.several(1, 2, |draw| *draw.of(&[80, 8080, 9080])));
    }
    if draw.chance(30) {
        tls["certificate"] = if draw.chance(80) {
            json!({"file": key_pair(draw)})
        } else {
            json!({"sds": {"secretName": "own"}})
        };
    }
    json!({ "tls": tls })
}
