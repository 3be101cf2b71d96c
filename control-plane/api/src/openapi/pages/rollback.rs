//! `/v1/policies/…/rollback` and `/v1/reports/canary`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, named, object, one_of, text};
use crate::ErrorKind::NotFound;

pub(super) fn operations() -> Vec<Described> {
    vec![
        Described::new(
            "GET",
            "/v1/policies/{mesh}/{policy}/rollback",
            "GetRollbacks",
            "Shows what a policy has rolled back, and what is being compared",
        )
        .answers(object(
            [
                ("cleared", count()),
                ("rollbacks", list(named("Rollback"))),
                ("comparisons", list(named("Comparison"))),
            ],
            [],
        ))
        .errors(&[NotFound]),
        Described::new(
            "POST",
            "/v1/policies/{mesh}/{policy}/rollback/clear",
            "ClearRollbacks",
            "Takes a policy's rollbacks back",
        )
        .answers(named("Rollbacks"))
        .errors(&[NotFound]),
        Described::new(
            "POST",
            "/v1/reports/canary/mesh/{mesh}/{kind}/{name}",
            "ReportCanaries",
            "Takes the counts of a proxy's canaries; proxies send these by themselves",
        )
        .label("kind", &one_of(&["virtualNode", "virtualGateway"]))
        .body(object(
            [
                ("sender", count()),
                ("number", json!({"type": "integer", "minimum": 1})),
                ("canaries", report()),
            ],
            [],
        ))
        .answers(object([("counted", count())], []))
        .errors(&[NotFound]),
    ]
}

fn report() -> Value {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 64});
    let counts = named("Counts");
    let canary = object([("key", key), ("canary", counts.clone()), ("baseline", counts)], []);
    json!({
        "type": "array",
        "items": canary,
        "minItems": 1,
        "maxItems": ferromesh_model::rollback::MAX_CANARIES,
    })
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let counts = object([("requests", count()), ("errors", count()), ("slow", count())], []);
    let both = object([("canary", named("Counts")), ("baseline", named("Counts"))], []);
    let rollback = object(
        [
            ("virtualService", text()),
            ("route", text()),
            ("canary", text()),
            ("baseline", text()),
            ("cause", one_of(&["errors", "latency"])),
            ("atUnixMillis", count()),
            ("rollbacks", count()),
            ("counts", named("BothCounts")),
            ("inEffect", boolean()),
        ],
        [("untilUnixMillis", count())],
    );
    let comparison = object(
        [
            ("key", text()),
            ("virtualService", text()),
            ("route", text()),
            ("canary", text()),
            ("baseline", text()),
            ("compared", named("BothCounts")),
            ("lastReportUnixMillis", count()),
        ],
        [],
    );
    vec![
        ("Counts", counts),
        ("BothCounts", both),
        ("Rollback", rollback),
        (
            "Rollbacks",
            object([("cleared", count()), ("rollbacks", list(named("Rollback")))], []),
        ),
        ("Comparison", comparison),
    ]
}
