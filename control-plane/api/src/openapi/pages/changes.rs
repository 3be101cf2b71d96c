//! `/v1/changes` and `/v1/analyze`.

use ferromesh_model::resource::Kind;
use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, name, named, object, one_of, text};
use crate::ErrorKind::{BadRequest, Conflict, NotFound};

pub(super) fn operations() -> Vec<Described> {
    let changes = json!({"type": "array", "items": named("Change"), "maxItems": 1000});
    let set = object(
        [("changes", changes)],
        [
            ("dryRun", boolean()),
            ("proxies", one_of(&["all", "connected", "none"])),
            ("clientToken", text()),
        ],
    );
    let findings = object(
        [("added", list(named("Finding"))), ("removed", list(named("Finding")))],
        [],
    );
    let answer = object(
        [
            ("changes", list(named("Changed"))),
            ("findings", findings),
            ("revision", count()),
        ],
        [
            ("dryRun", json!({"const": true})),
            ("proxies", list(named("ChangedProxy"))),
        ],
    );
    let error = named("ChangeError");
    vec![
        Described::new(
            "POST",
            "/v1/changes",
            "ApplyChanges",
            "Applies several changes, all or none; or says what they would do",
        )
        .body(set)
        .answers(answer)
        .errors_with(BadRequest, &error)
        .errors_with(NotFound, &error)
        .errors_with(Conflict, &error),
        Described::new("GET", "/v1/analyze", "Analyze", "Lists what is doubtful about a mesh")
            .query("mesh", true, &name())
            .answers(object([("mesh", text()), ("findings", list(named("Finding")))], []))
            .errors(&[NotFound]),
    ]
}

fn kinds() -> Vec<&'static str> {
    let kinds = Kind::ALL.iter().map(|kind| kind.wire_name());
    kinds.chain(["policy"]).collect()
}

fn finding() -> Value {
    object(
        [
            ("severity", one_of(&["error", "warning", "note"])),
            ("resource", text()),
            ("code", text()),
            ("message", text()),
            ("reason", text()),
            ("mend", text()),
            ("page", text()),
        ],
        [("path", text())],
    )
}

fn changed_proxy() -> Value {
    let resource = object(
        [
            ("type", text()),
            ("name", text()),
            ("change", one_of(&["added", "removed", "changed"])),
        ],
        [("diff", list(named("Difference")))],
    );
    object(
        [
            ("id", text()),
            ("state", one_of(&["new", "gone", "changed"])),
            ("resources", list(resource)),
        ],
        [],
    )
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let change = object(
        [
            ("action", one_of(&["create", "update", "put", "delete"])),
            ("kind", one_of(&kinds())),
            ("name", name()),
        ],
        [
            ("mesh", name()),
            ("parent", name()),
            ("spec", json!({"type": "object"})),
            ("target", json!({"type": "object"})),
            ("tags", named("TagList")),
            ("ifVersion", count()),
        ],
    );
    let difference = object([("path", text())], [("before", json!({})), ("after", json!({}))]);
    let changed = object(
        [
            ("kind", one_of(&kinds())),
            ("mesh", text()),
            ("name", text()),
            ("action", one_of(&["created", "updated", "deleted", "unchanged"])),
        ],
        [
            ("parent", text()),
            ("version", count()),
            ("arn", text()),
            ("diff", list(named("Difference"))),
        ],
    );
    let violation = object(
        [
            ("index", count()),
            ("path", text()),
            ("message", text()),
            ("type", text()),
        ],
        [],
    );
    let error = object([("message", text())], [("violations", list(violation))]);
    vec![
        ("Change", change),
        ("Changed", changed),
        ("ChangeError", error),
        ("Difference", difference),
        ("Finding", finding()),
        ("ChangedProxy", changed_proxy()),
    ]
}
