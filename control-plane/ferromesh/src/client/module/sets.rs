//! `ferromesh module list`, `show`, `rollout`, `rollback`, `delete`: the control plane's module sets.

use serde_json::{json, Value};

use crate::{
    client::{
        http::Client,
        output::{self, Table},
        paths,
        selection::text,
        Connection, MeshName, Query, WHICH_MESH,
    },
    exit::Exit,
    timestamp,
};

/// The flags of `ferromesh module show`.
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    /// The set [default: what the mesh has chosen]
    #[arg(value_name = "VERSION")]
    set: Option<String>,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    query: Query,
}

/// The flags of `ferromesh module rollout`.
#[derive(Clone, Debug, clap::Args)]
pub struct Rollout {
    /// The set, or built-in for the one that the server came with
    #[arg(value_name = "VERSION")]
    set: String,
    #[command(flatten)]
    turn: Rollback,
}

/// The flags of `ferromesh module rollback`.
#[derive(Clone, Debug, clap::Args)]
pub struct Rollback {
    /// Why, for the mesh's history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    query: Query,
}

/// The flags of `ferromesh module delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct Delete {
    /// The set
    #[arg(value_name = "VERSION")]
    set: String,
    #[command(flatten)]
    connection: Connection,
}

/// Shows all sets.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn list(query: &Query) -> anyhow::Result<Exit> {
    query.show("/v1/modules", "", table).await
}

/// Shows a set, or what a mesh has chosen.
///
/// # Errors
/// As [`list`].
pub async fn show(arguments: &Show) -> anyhow::Result<Exit> {
    let query = &arguments.query;
    match (&arguments.set, &arguments.mesh.name) {
        (Some(version), _) => query.show(&of_set(version), &named(version), table_of_set).await,
        (None, Some(mesh)) => {
            let about = format!("mesh/{mesh}");
            query.show(&of_mesh(mesh), &about, table_of_choice).await
        }
        (None, None) => Ok(Exit::usage(["which module set? name it, or a mesh with --mesh"])),
    }
}

/// Gives a mesh a set.
///
/// # Errors
/// As [`list`].
pub async fn roll_out(arguments: &Rollout) -> anyhow::Result<Exit> {
    let Rollback { reason, mesh, query } = &arguments.turn;
    let Some(mesh) = &mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let mut wish = json!({ "version": arguments.set });
    if let Some(reason) = reason {
        wish["reason"] = json!(reason);
    }
    let answered = Client::new(&query.connection)?.put(&of_mesh(mesh), &wish).await;
    query.finish(answered, &format!("mesh/{mesh}"), table_of_choice)
}

/// Gives a mesh the set that it had before.
///
/// # Errors
/// As [`list`].
pub async fn roll_back(arguments: &Rollback) -> anyhow::Result<Exit> {
    let Some(mesh) = &arguments.mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let path = format!("{}/rollback", of_mesh(mesh));
    let wish = match &arguments.reason {
        Some(reason) => json!({ "reason": reason }),
        None => json!({}),
    };
    let answered = Client::new(&arguments.query.connection)?.ask(&path, &wish).await;
    let about = format!("mesh/{mesh}");
    arguments.query.finish(answered, &about, table_of_choice)
}

/// Deletes a set.
///
/// # Errors
/// As [`list`].
pub async fn delete(arguments: &Delete) -> anyhow::Result<Exit> {
    let version = &arguments.set;
    let answered = Client::new(&arguments.connection)?.delete(&of_set(version)).await;
    output::finish(answered, &named(version), |_| {
        output::write(&format!("{} deleted\n", named(version)))
    })
}

fn named(version: &str) -> String {
    format!("module set {version}")
}

fn of_set(version: &str) -> String {
    format!("/v1/modules/{}", paths::component(version))
}

fn of_mesh(mesh: &str) -> String {
    format!("/v1/meshes/{}/module", paths::component(mesh))
}

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    text(value, name).unwrap_or_default()
}

fn time(value: &Value, name: &str) -> String {
    let seconds = value.get(name).and_then(Value::as_f64);
    seconds.map_or_else(String::new, timestamp::rfc3339)
}

/// The keys of who signed a set's modules.
fn signers(set: &Value) -> String {
    let modules = set.get("modules").and_then(Value::as_object);
    let signed = modules.into_iter().flat_map(|modules| modules.values());
    let signed = signed.filter_map(|module| text(module.get("signature")?, "keyId"));
    let mut ids: Vec<&str> = signed.collect();
    ids.sort_unstable();
    ids.dedup();
    ids.join(",")
}

fn users(set: &Value) -> String {
    let users = set.get("usedBy").and_then(Value::as_array).into_iter().flatten();
    users.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(&["VERSION", "MODULES", "ADDED", "BY", "SIGNED BY", "USED BY"]);
    for set in answer.get("sets").and_then(Value::as_array).into_iter().flatten() {
        let modules = set.get("modules").and_then(Value::as_object);
        let names = modules.into_iter().flat_map(|modules| modules.keys().cloned());
        table.row([
            member(set, "version").to_owned(),
            names.collect::<Vec<_>>().join(","),
            time(set, "addedAt"),
            member(set, "addedBy").to_owned(),
            signers(set),
            users(set),
        ]);
    }
    table
}

/// A set, module by module.
pub(super) fn table_of_set(set: &Value) -> Table {
    let mut table = Table::new(&["MODULE", "SHA256", "BYTES", "MEMORY", "IMPORTS", "SIGNED BY", "COMMENT"]);
    let modules = set.get("modules").and_then(Value::as_object);
    for (name, module) in modules.into_iter().flatten() {
        let number = |member: &str| module.get(member).and_then(Value::as_u64);
        let none = Value::Null;
        let signature = module.get("signature").unwrap_or(&none);
        let imports = module.get("imports").and_then(Value::as_array).map_or(0, Vec::len);
        table.row([
            name.clone(),
            member(module, "sha256").to_owned(),
            number("size").map_or_else(String::new, |bytes| bytes.to_string()),
            number("memoryMaximum").map_or_else(String::new, |bytes| format!("{} KiB", bytes >> 10)),
            imports.to_string(),
            member(signature, "keyId").to_owned(),
            member(signature, "trustedComment").to_owned(),
        ]);
    }
    table
}

/// What a mesh has, and had: the latest first.
fn table_of_choice(choice: &Value) -> Table {
    let mut table = Table::new(&["MESH", "VERSION", "PREVIOUS", "SINCE", "BY", "WHAT", "REASON"]);
    let history = choice.get("history").and_then(Value::as_array);
    let turns: Vec<&Value> = history.into_iter().flatten().rev().collect();
    let mesh = member(choice, "mesh");
    if turns.is_empty() {
        table.row([mesh.to_owned(), member(choice, "version").to_owned()]);
    }
    for (place, turn) in turns.into_iter().enumerate() {
        let previous = if place == 0 { member(choice, "previous") } else { "" };
        table.row([
            mesh.to_owned(),
            member(turn, "to").to_owned(),
            previous.to_owned(),
            time(turn, "at"),
            member(turn, "by").to_owned(),
            member(turn, "what").to_owned(),
            member(turn, "reason").to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_is_shown_with_its_latest_turn_first() {
        let choice = json!({"mesh": "m", "version": "1", "history": [
            {"at": 1.0, "by": "a", "what": "rollout", "from": "1", "to": "2"},
            {"at": 2.0, "by": "b", "what": "rollback", "from": "2", "to": "1", "reason": "it failed"},
        ]});
        let lines = table_of_choice(&choice).lines();
        assert!(
            lines[1].starts_with("m     1") && lines[1].contains("it failed"),
            "{lines:?}"
        );
        assert!(lines[2].starts_with("m     2"), "{lines:?}");
        let none = json!({"mesh": "m", "version": "built-in", "history": []});
        assert_eq!(table_of_choice(&none).lines()[1], "m     built-in");
    }

    #[test]
    fn a_set_is_shown_with_who_signed_it() {
        let set = json!({"version": "1", "usedBy": ["m", "n"], "modules": {
            "mesh": {"sha256": "aa", "size": 3, "memoryMaximum": 16_777_216, "imports": ["env.a"],
                "signature": {"keyId": "0123", "trustedComment": "1 of us"}},
            "mesh-lean": {"sha256": "bb", "size": 2, "memoryMaximum": 65_536, "imports": []},
        }});
        let lines = table(&json!({ "sets": [set] })).lines();
        assert!(
            lines[1].contains("mesh,mesh-lean") && lines[1].contains("0123") && lines[1].ends_with("m,n"),
            "{lines:?}"
        );
        let lines = table_of_set(&set).lines();
        assert!(
            lines[1].contains("16384 KiB") && lines[1].contains("1 of us"),
            "{lines:?}"
        );
        assert!(lines[2].contains("64 KiB"), "{lines:?}");
    }
}
