//! What the server says of itself: modules, health, metrics, this document.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{count, object, text};
use crate::ErrorKind::NotFound;

const TEXT: &str = "text/plain";

/// The version that something must have.
pub(super) fn if_match() -> Value {
    json!({"type": "string", "pattern": "^(\\*|[0-9]{1,18}|\"[0-9]{1,18}\")$"})
}

pub(super) fn operations() -> Vec<Described> {
    let binary = json!({"type": "string", "contentMediaType": "application/wasm"});
    vec![
        Described::new(
            "GET",
            "/modules/{file}",
            "GetModule",
            "A module, by its SHA-256 and .wasm",
        )
        .header("If-None-Match", &text())
        .answers_with(200, "The module.", "application/wasm", binary)
        .answers_nothing(304, "The client has it.")
        .errors(&[NotFound]),
        Described::new("GET", "/v1/openapi.json", "GetOpenApi", "This document").answers(json!({"type": "object"})),
        Described::new(
            "GET",
            "/v1/backup",
            "GetBackup",
            "Everything in the store as one text, for ferromesh restore",
        )
        .answers(object(
            [("revision", count()), ("values", count()), ("backup", text())],
            [],
        )),
        Described::new("GET", "/livez", "Live", "Whether the server runs").answers_with(200, "It does.", TEXT, text()),
        Described::new("GET", "/readyz", "Ready", "Whether the server can answer")
            .answers_with(200, "It can.", TEXT, text())
            .answers_with(503, "It cannot; the text says why.", TEXT, text()),
        Described::new("GET", "/metrics", "Metrics", "Metrics in Prometheus' text format").answers_with(
            200,
            "Metrics.",
            TEXT,
            text(),
        ),
    ]
}
