//! `/v1/join-tokens` and `/v1/identity`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{count, list, name, named, number, object, text};
use crate::ErrorKind::{Conflict, NotFound};

pub(super) fn operations() -> Vec<Described> {
    let nullable = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let new_token = object(
        [("proxy", proxy())],
        [
            (
                "ttlSeconds",
                nullable(json!({"type": "integer", "minimum": 60, "maximum": 2_592_000})),
            ),
            (
                "uses",
                nullable(json!({"type": "integer", "minimum": 1, "maximum": 100_000})),
            ),
        ],
    );
    let mut created = token();
    created["properties"]["token"] = text();
    if let Some(required) = created["required"].as_array_mut() {
        required.push(json!("token"));
    }
    let issued = object(
        [
            ("certificateChain", text()),
            ("root", text()),
            ("notAfter", number()),
            ("serial", text()),
        ],
        [],
    );
    let csr = json!({"type": "string", "maxLength": 16_384});
    let new_revocation = json!({"oneOf": [
        object([("serial", serial())], []),
        object([("proxy", proxy())], []),
    ]});
    vec![
        Described::new(
            "GET",
            "/v1/join-tokens",
            "ListJoinTokens",
            "Lists the join tokens of meshes that the caller may see, without their secrets",
        )
        .answers(object([("tokens", list(named("JoinToken")))], [])),
        Described::new(
            "POST",
            "/v1/join-tokens",
            "CreateJoinToken",
            "Makes a join token for one proxy; it is in this answer and nowhere else",
        )
        .body(new_token)
        .answers(created)
        .errors(&[Conflict]),
        Described::new(
            "DELETE",
            "/v1/join-tokens/{id}",
            "DeleteJoinToken",
            "Deletes a join token",
        )
        .answers(named("JoinToken"))
        .errors(&[NotFound, Conflict]),
        Described::new(
            "POST",
            "/v1/identity/certificates",
            "IssueProxyCertificate",
            "Issues a certificate to the proxy of a join token, or of the certificate that the connection shows",
        )
        .body(object([("csr", csr)], [("token", nullable(text()))]))
        .answers(issued)
        .errors(&[Conflict]),
        Described::new(
            "GET",
            "/v1/identity/revocations",
            "ListRevocations",
            "Lists revoked certificates and proxies",
        )
        .answers(object([("revocations", list(named("Revocation")))], [])),
        Described::new(
            "POST",
            "/v1/identity/revocations",
            "CreateRevocation",
            "Revokes a certificate, or all of a proxy up to now with its join tokens",
        )
        .body(new_revocation)
        .answers(named("Revocation"))
        .errors(&[Conflict]),
        Described::new(
            "DELETE",
            "/v1/identity/revocations/{id}",
            "DeleteRevocation",
            "Takes a revocation back, by its serial number or proxy",
        )
        .answers(named("Revocation"))
        .errors(&[NotFound, Conflict]),
    ]
}

fn proxy() -> Value {
    json!({
        "type": "string",
        "maxLength": 600,
        "pattern": "^mesh/[0-9A-Za-z_.-]{1,255}(@[0-9]{12})?/(virtualNode|virtualGateway)/[0-9A-Za-z_.-]{1,255}$",
    })
}

fn serial() -> Value {
    json!({"type": "string", "pattern": "^([0-9A-Fa-f]{2}:?){1,21}$"})
}

fn token() -> Value {
    object(
        [
            ("id", name()),
            ("proxy", text()),
            ("createdAt", number()),
            ("expiresAt", number()),
            ("uses", count()),
            ("used", count()),
        ],
        [],
    )
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let revocation = object([("createdAt", number())], [("serial", text()), ("proxy", text())]);
    vec![("JoinToken", token()), ("Revocation", revocation)]
}
