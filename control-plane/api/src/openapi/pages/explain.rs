//! `/v1/explain`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, name, named, number, object, text};
use crate::ErrorKind::NotFound;

pub(super) fn operations() -> Vec<Described> {
    let headers = json!({
        "type": "array",
        "maxItems": 100,
        "items": object([("name", text()), ("value", text())], []),
    });
    let question = object(
        [("mesh", name()), ("from", name()), ("url", name())],
        [
            ("method", name()),
            ("headers", headers),
            ("source", text()),
            ("atUnixMillis", count()),
        ],
    );
    let summary = "Says where a request would go in a mesh as it is stored, and why";
    vec![Described::new("POST", "/v1/explain", "Explain", summary)
        .body(question)
        .answers(named("Explanation"))
        .errors(&[NotFound])]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let explanation = object(
        [
            ("mesh", text()),
            ("from", text()),
            ("request", text()),
            ("verdict", text()),
            ("first", named("Passage")),
            (
                "arrivals",
                list(object([("percent", number()), ("passage", named("Passage"))], [])),
            ),
            ("lints", list(json!({"oneOf": [text(), {"type": "object"}]}))),
        ],
        [],
    );
    let passage = object(
        [
            ("proxy", text()),
            ("chains", list(named("Candidate"))),
            ("hosts", list(named("Candidate"))),
            ("routes", list(named("Candidate"))),
            ("outcome", named("Outcome")),
        ],
        [("listener", text())],
    );
    let failed = object([("condition", text())], [("found", text())]);
    let candidate = object([("name", text()), ("chosen", boolean())], [("failed", list(failed))]);
    let forward = object(
        [
            ("type", json!({"const": "forward"})),
            ("targets", list(named("TargetShare"))),
        ],
        [
            ("choice", named("TargetChoice")),
            ("host", text()),
            ("path", text()),
            ("timeoutMillis", count()),
            ("idleTimeoutMillis", count()),
            ("retries", text()),
            ("guards", list(text())),
            ("mirror", named("TargetShare")),
            ("policy", json!({})),
        ],
    );
    let respond = object(
        [
            ("type", json!({"const": "respond"})),
            ("status", count()),
            ("because", text()),
        ],
        [],
    );
    let close = object([("type", json!({"const": "close"})), ("because", text())], []);
    let share = object(
        [
            ("target", text()),
            ("cluster", text()),
            ("percent", number()),
            ("discovery", text()),
            ("encrypted", boolean()),
        ],
        [],
    );
    let choice = object([("by", text()), ("because", text())], [("target", text())]);
    vec![
        ("Explanation", explanation),
        ("Passage", passage),
        ("Candidate", candidate),
        ("Outcome", json!({"oneOf": [forward, respond, close]})),
        ("TargetShare", share),
        ("TargetChoice", choice),
    ]
}
