//! `/v1/keys`, `/v1/principals` and `/v1/audit`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, name, named, number, object, one_of, text};
use crate::access::Subject;
use crate::ErrorKind::{Conflict, NotFound};

pub(super) fn operations() -> Vec<Described> {
    const KEY: &str = "/v1/keys/{id}";
    const PRINCIPAL: &str = "/v1/principals/{name}";
    let key = |method, path, name, summary| {
        Described::new(method, path, name, summary)
            .answers(named("Key"))
            .errors(&[NotFound, Conflict])
    };
    let principal = |method, name, summary| {
        Described::new(method, PRINCIPAL, name, summary)
            .answers(named("Principal"))
            .errors(&[NotFound, Conflict])
    };
    let new_key = object(
        [("principal", principal_name())],
        [
            ("bindings", list(named("Binding"))),
            ("account", nullable(account())),
            ("bearer", boolean()),
            (
                "expiresInDays",
                nullable(json!({"type": "integer", "minimum": 1, "maximum": 3660})),
            ),
        ],
    );
    let mut created = key_schema();
    created["properties"]["secret"] = text();
    if let Some(required) = created["required"].as_array_mut() {
        required.push(json!("secret"));
    }
    let bindings = json!({"type": "array", "items": named("Binding"), "minItems": 1, "maxItems": 100});
    vec![
        Described::new("GET", "/v1/keys", "ListKeys", "Lists all keys without their secrets")
            .answers(object([("keys", list(named("Key")))], [])),
        Described::new(
            "POST",
            "/v1/keys",
            "CreateKey",
            "Makes a key; its secret is in this answer and nowhere else",
        )
        .body(new_key)
        .answers(created)
        .errors(&[Conflict]),
        key("GET", KEY, "GetKey", "Shows a key without its secret"),
        key("DELETE", KEY, "DeleteKey", "Deletes a key"),
        key("POST", "/v1/keys/{id}/enable", "EnableKey", "Takes a key again"),
        key("POST", "/v1/keys/{id}/disable", "DisableKey", "Takes a key no more"),
        Described::new("GET", "/v1/principals", "ListPrincipals", "Lists who may do what")
            .answers(object([("principals", list(named("Principal")))], [])),
        principal("GET", "GetPrincipal", "Shows what a principal may do"),
        principal("PUT", "PutPrincipal", "Says what a principal may do")
            .body(object([("bindings", bindings)], [("account", nullable(account()))])),
        principal("DELETE", "DeletePrincipal", "Deletes a principal that has no keys"),
        Described::new(
            "GET",
            "/v1/audit",
            "ListAuditRecords",
            "Lists who did what, page by page",
        )
        .query("since", false, &number())
        .query("mesh", false, &text())
        .query("principal", false, &text())
        .query(
            "limit",
            false,
            &json!({"type": "integer", "minimum": 1, "maximum": 1000}),
        )
        .query("nextToken", false, &text())
        .answers(object(
            [("records", list(named("AuditRecord")))],
            [("nextToken", text())],
        )),
    ]
}

fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn account() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{12}$"})
}

fn principal_name() -> Value {
    json!({"type": "string", "pattern": "^[0-9A-Za-z+=,.@_-]{1,64}$"})
}

fn key_schema() -> Value {
    object(
        [
            ("id", name()),
            ("type", one_of(&["accessKey", "bearer"])),
            ("principal", text()),
            ("state", one_of(&["enabled", "disabled"])),
            ("createdAt", number()),
        ],
        [
            ("expiresAt", number()),
            ("account", text()),
            ("bindings", list(named("Binding"))),
        ],
    )
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let kinds: Vec<&str> = Subject::ALL.iter().map(|subject| subject.name()).collect();
    let binding = object(
        [("role", one_of(&["reader", "operator", "admin"]))],
        [
            ("mesh", json!({"type": "string", "minLength": 1, "maxLength": 255})),
            ("kinds", list(one_of(&kinds))),
        ],
    );
    let principal = object(
        [
            ("name", text()),
            ("account", text()),
            ("bindings", list(named("Binding"))),
        ],
        [],
    );
    let changed = object(
        [
            ("resource", text()),
            ("what", one_of(&["created", "updated", "deleted"])),
        ],
        [("mesh", text()), ("before", count()), ("after", count())],
    );
    let record = object(
        [
            ("at", number()),
            ("principal", text()),
            ("operation", text()),
            ("paths", list(text())),
            ("outcome", text()),
            ("requestId", text()),
        ],
        [
            ("until", number()),
            ("count", count()),
            ("key", text()),
            ("account", text()),
            ("mesh", text()),
            ("message", text()),
            ("changes", list(changed)),
            ("revision", count()),
        ],
    );
    vec![
        ("Key", key_schema()),
        ("Binding", binding),
        ("Principal", principal),
        ("AuditRecord", record),
    ]
}
