//! `/v1/shares`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{list, named, number, object, text};
use crate::ErrorKind::NotFound;

pub(super) fn operations() -> Vec<Described> {
    const ITEM: &str = "/v1/shares/{mesh}/{account}";
    let account = json!({"type": "string", "pattern": "^[0-9]{12}$"});
    let summary = "Lists the meshes that the caller shares, and those that others share with the caller";
    vec![
        Described::new("GET", "/v1/shares", "ListShares", summary)
            .answers(object([("shares", list(named("Share")))], [])),
        Described::new("PUT", ITEM, "PutShare", "Lets another account use a mesh of the caller")
            .label("account", &account)
            .answers(named("Share"))
            .errors(&[NotFound]),
        Described::new(
            "DELETE",
            ITEM,
            "DeleteShare",
            "Ends the sharing; what the other account made stays",
        )
        .answers(named("Share"))
        .errors(&[NotFound]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let share = object(
        [
            ("mesh", text()),
            ("meshOwner", text()),
            ("account", text()),
            ("sharedAt", number()),
        ],
        [],
    );
    vec![("Share", share)]
}
