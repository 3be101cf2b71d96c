//! `/v1/modules` and `/v1/meshes/{mesh}/module`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, map, name, named, number, object, one_of, text};
use crate::ErrorKind::{Conflict, LimitExceeded, NotFound, ResourceInUse};

pub(super) fn operations() -> Vec<Described> {
    const SET: &str = "/v1/modules/{version}";
    const OF_MESH: &str = "/v1/meshes/{mesh}/module";
    const BACK: &str = "/v1/meshes/{mesh}/module/rollback";
    let module = object(
        [
            ("name", text()),
            ("sha256", text()),
            ("size", count()),
            ("path", text()),
        ],
        [],
    );
    let listed = object([("modules", list(module)), ("sets", list(named("ModuleSet")))], []);
    let added = object(
        [("wasm", json!({"type": "string", "contentEncoding": "base64"}))],
        [("sha256", text()), ("signature", text())],
    );
    let new_set = object([("version", name()), ("modules", map(added))], []);
    let wish = object([("version", name())], [("reason", text())]);
    vec![
        Described::new(
            "GET",
            "/v1/modules",
            "ListModules",
            "Lists the built-in filter modules, and the module sets that meshes can choose",
        )
        .answers(listed),
        Described::new(
            "POST",
            "/v1/modules",
            "AddModuleSet",
            "Judges a set of filter modules and keeps it; no mesh gets it before it is chosen",
        )
        .body(new_set)
        .answers(named("ModuleSet"))
        .errors(&[Conflict, LimitExceeded]),
        Described::new("GET", SET, "GetModuleSet", "A module set")
            .answers(named("ModuleSet"))
            .errors(&[NotFound]),
        Described::new(
            "DELETE",
            SET,
            "DeleteModuleSet",
            "Forgets a module set that no mesh uses",
        )
        .answers(named("ModuleSet"))
        .errors(&[NotFound, ResourceInUse]),
        Described::new("GET", OF_MESH, "GetMeshModule", "The module set that a mesh has chosen")
            .answers(named("MeshModule"))
            .errors(&[NotFound]),
        Described::new("PUT", OF_MESH, "PutMeshModule", "Chooses a module set for a mesh")
            .body(wish)
            .answers(named("MeshModule"))
            .errors(&[NotFound]),
        Described::new(
            "POST",
            BACK,
            "RollBackMeshModule",
            "Gives a mesh the module set that it had before",
        )
        .body(object([], [("reason", text())]))
        .answers(named("MeshModule"))
        .errors(&[NotFound]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let signature = object([("keyId", text()), ("trustedComment", text())], []);
    let module = object(
        [
            ("sha256", text()),
            ("size", count()),
            ("path", text()),
            ("memoryMaximum", count()),
            ("imports", list(text())),
        ],
        [("signature", signature)],
    );
    let set = object(
        [
            ("version", text()),
            ("builtIn", boolean()),
            ("modules", map(module)),
            ("usedBy", list(text())),
        ],
        [("addedAt", number()), ("addedBy", text())],
    );
    let turn = object(
        [
            ("at", number()),
            ("by", text()),
            ("what", one_of(&["rollout", "rollback"])),
            ("from", text()),
            ("to", text()),
        ],
        [("reason", text())],
    );
    let of_mesh = object(
        [("mesh", text()), ("version", text()), ("history", list(turn))],
        [("previous", text())],
    );
    vec![("ModuleSet", set), ("MeshModule", of_mesh)]
}
