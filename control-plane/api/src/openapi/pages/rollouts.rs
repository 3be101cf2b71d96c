//! `/v1/rollouts`, `/v1/reports/proxy` and `/v1/events`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, named, number, object, one_of, text};
use crate::ErrorKind::NotFound;

pub(super) fn operations() -> Vec<Described> {
    let turn = |path, name, summary| {
        Described::new("POST", path, name, summary)
            .answers(named("Rollout"))
            .errors(&[NotFound])
    };
    vec![
        Described::new(
            "GET",
            "/v1/rollouts",
            "ListRollouts",
            "Shows for every mesh with proxies what is on trial, held back or was rolled back",
        )
        .answers(object([("rollouts", list(named("Rollout")))], [])),
        Described::new(
            "GET",
            "/v1/rollouts/{mesh}",
            "GetRollout",
            "Shows what is on trial in a mesh, held back or was rolled back",
        )
        .answers(named("Rollout"))
        .errors(&[NotFound]),
        turn(
            "/v1/rollouts/{mesh}/pause",
            "PauseRollouts",
            "Lets nothing new go to proxies; what is on trial stays with those that have it",
        ),
        turn(
            "/v1/rollouts/{mesh}/resume",
            "ResumeRollouts",
            "Lets changes go to proxies again",
        ),
        turn(
            "/v1/rollouts/{mesh}/{candidate}/retry",
            "RetryRollout",
            "Tries again what was rolled back",
        ),
        turn(
            "/v1/rollouts/{mesh}/{candidate}/skip",
            "SkipRollout",
            "Gives every proxy at once what is on trial or was rolled back",
        ),
        turn(
            "/v1/rollouts/{mesh}/{candidate}/approve",
            "ApproveRollout",
            "Lets a configuration be tried that removes much; the candidate `all` is every one of the mesh",
        ),
        Described::new(
            "POST",
            "/v1/reports/proxy/mesh/{mesh}/{kind}/{name}",
            "ReportProxy",
            "Takes what a proxy has counted; proxies send these by themselves",
        )
        .label("kind", &one_of(&["virtualNode", "virtualGateway"]))
        .body(object(
            [
                ("instance", json!({"type": "string", "minLength": 1, "maxLength": 300})),
                ("requests", count()),
                ("errors", count()),
                ("vmFailures", count()),
                ("uptimeSeconds", count()),
                ("isDraining", boolean()),
            ],
            [("ageMillis", count()), ("stalls", count())],
        ))
        .answers(object([], []))
        .errors(&[NotFound]),
        Described::new(
            "GET",
            "/v1/events",
            "FollowEvents",
            "Tells what happens to proxies and rollouts, as server-sent events without an end",
        )
        .query("mesh", false, &text())
        .header("last-event-id", &count())
        .answers_with(200, "Events, as they happen.", "text/event-stream", text()),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let stage = || one_of(&["first", "share", "all"]);
    let optional = |schema: Value| json!({"oneOf": [schema, {"type": "null"}]});
    let trial = object(
        [
            ("id", text()),
            ("stage", stage()),
            ("stageBeganAtSeconds", number()),
            ("reached", count()),
            ("streams", count()),
            ("proxies", list(text())),
        ],
        [],
    );
    let held_back = object([("id", text()), ("proxy", text()), ("reason", text())], []);
    let rolled_back = object(
        [
            ("id", text()),
            ("reason", text()),
            ("atSeconds", number()),
            ("proxies", list(text())),
            ("isNewest", boolean()),
        ],
        [],
    );
    let module = object(
        [
            ("name", text()),
            ("before", optional(text())),
            ("after", optional(text())),
        ],
        [],
    );
    let verdict = object(
        [
            ("id", text()),
            ("mesh", text()),
            ("proxies", list(text())),
            ("types", list(text())),
            ("modules", list(module)),
            ("outcome", one_of(&["accepted", "rolledBack", "withdrawn", "heldBack"])),
            ("reason", optional(text())),
            ("reached", count()),
            ("atSeconds", number()),
        ],
        [],
    );
    let rollout = object(
        [
            ("mesh", text()),
            ("isPaused", boolean()),
            ("trial", optional(trial)),
            ("heldBack", list(held_back)),
            ("rolledBack", list(rolled_back)),
            ("verdicts", list(verdict)),
        ],
        [],
    );
    vec![("Rollout", rollout)]
}
