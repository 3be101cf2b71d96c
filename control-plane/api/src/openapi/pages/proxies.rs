//! `/v1/proxies`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{count, list, map, named, number, object, one_of, text};
use crate::ErrorKind::NotFound;

pub(super) fn operations() -> Vec<Described> {
    vec![
        Described::new(
            "GET",
            "/v1/proxies",
            "ListProxies",
            "Lists the proxies that have asked for a configuration",
        )
        .answers(object([("proxies", list(named("Proxy")))], [])),
        Described::new(
            "GET",
            "/v1/proxies/{id}",
            "GetProxy",
            "Shows what a proxy was sent and what it has taken",
        )
        .answers(named("Proxy"))
        .errors(&[NotFound]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let states = [
        "current",
        "delivering",
        "silent",
        "rejected",
        "stale",
        "waiting",
        "disconnected",
    ];
    let problem = object([("reason", text()), ("sinceSeconds", number())], []);
    let resource = object(
        [
            ("name", text()),
            ("version", text()),
            ("state", one_of(&["sent", "acknowledged", "rejected", "silent"])),
        ],
        [],
    );
    let of_stream = object([("stream", count()), ("types", map(list(resource)))], []);
    let standing = object(
        [("state", one_of(&["onTrial", "heldBack", "rolledBack", "waiting"]))],
        [
            ("candidate", text()),
            ("reason", text()),
            ("stage", one_of(&["first", "share", "all"])),
            ("reached", count()),
        ],
    );
    let finding = object([("code", text()), ("resource", text()), ("message", text())], []);
    let proxy = object(
        [
            ("id", text()),
            ("mesh", text()),
            ("kind", one_of(&["virtualNode", "virtualGateway"])),
            ("name", text()),
            ("state", one_of(&states)),
            ("streams", list(named("Stream"))),
        ],
        [
            ("reason", text()),
            ("revision", count()),
            ("published", map(text())),
            ("problem", problem),
            ("rollout", standing),
            ("resources", list(of_stream)),
            ("lints", list(finding)),
        ],
    );
    let mark = object([("version", text()), ("atSeconds", number())], []);
    let nack = object(
        [
            ("version", text()),
            ("atSeconds", number()),
            ("code", json!({"type": "integer"})),
            ("message", text()),
            ("resources", list(text())),
        ],
        [],
    );
    let delivery = object(
        [],
        [
            ("sent", mark.clone()),
            ("acked", mark),
            ("nacked", nack),
            ("silentSinceSeconds", number()),
        ],
    );
    let stream = object(
        [
            ("proxy", text()),
            ("cluster", text()),
            ("userAgent", text()),
            ("stream", count()),
            ("protocol", one_of(&["state-of-the-world", "delta"])),
            ("connectedAtSeconds", number()),
            ("types", map(delivery)),
        ],
        [("disconnectedAtSeconds", number()), ("disconnectReason", text())],
    );
    vec![("Proxy", proxy), ("Stream", stream)]
}
