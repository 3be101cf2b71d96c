//! `ferromesh get`: lists a kind, or shows one resource.

use ferromesh_model::resource::Kind;
use serde_json::Value;

use super::{
    http::Client,
    noun::Noun,
    output::{self, Table},
    paths,
    selection::{self, text, Parent, SelectionError},
    Connection, Format, MeshName,
};
use crate::{exit::Exit, timestamp};

/// The flags of `ferromesh get`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// mesh, virtual-node (vn), virtual-service (vs), virtual-router (vr), route, virtual-gateway (vg),
    /// gateway-route (gr) or policy
    kind: Noun,
    /// Name of one resource; all of the kind without it
    name: Option<String>,
    #[command(flatten)]
    parent: Parent,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.connection)?;
    match fetch(&client, &arguments).await {
        Ok(value) => {
            output::print(arguments.format.output, &value, || table(arguments.kind, &value))?;
            Ok(Exit::Success)
        }
        Err(SelectionError::Usage(problem)) => Ok(Exit::usage([problem])),
        Err(SelectionError::Call(error)) => {
            eprintln!("error: {error}");
            Ok(Exit::Failure)
        }
    }
}

async fn fetch(client: &Client, arguments: &Arguments) -> Result<Value, SelectionError> {
    let parent = arguments.parent.of(arguments.kind)?;
    let mesh = match arguments.kind {
        Noun::Resource(Kind::Mesh) => String::new(),
        _ => selection::mesh(client, &arguments.mesh).await?,
    };
    Ok(match (arguments.kind, arguments.name.as_deref()) {
        (Noun::Resource(kind), Some(name)) => {
            let key = selection::key(kind, &mesh, parent, name)?;
            client.get(&paths::item(&key)).await?
        }
        (Noun::Resource(kind), None) => Value::Array(list(client, kind, &mesh, parent).await?),
        (Noun::Policy, Some(name)) => client.get(&paths::policy(&mesh, name)).await?,
        (Noun::Policy, None) => Value::Array(client.list_at_once(&paths::policies(&mesh), "policies").await?),
    })
}

/// All resources of a kind; of routes those of one parent, or of all parents in the mesh.
async fn list(client: &Client, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Value>, SelectionError> {
    let member = kind.list_member();
    let parents = match (kind.parent(), parent) {
        (None, _) => return Ok(client.list(&paths::collection(kind, mesh, None), member).await?),
        (Some(_), Some(parent)) => vec![parent.to_owned()],
        (Some(holder), None) => {
            let holders = client
                .list(&paths::collection(holder, mesh, None), holder.list_member())
                .await?;
            let name = |item: &Value| text(item, holder.name_member()).map(str::to_owned);
            holders.iter().filter_map(name).collect()
        }
    };
    let mut items = Vec::new();
    for parent in parents {
        items.extend(
            client
                .list(&paths::collection(kind, mesh, Some(&parent)), member)
                .await?,
        );
    }
    Ok(items)
}

fn table(noun: Noun, value: &Value) -> Table {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    match noun {
        Noun::Policy => policies(items),
        Noun::Resource(kind) => resources(kind, items),
    }
}

fn resources(kind: Kind, items: &[Value]) -> Table {
    let parent = kind.parent();
    let mut table = Table::new(match parent {
        Some(Kind::VirtualRouter) => &["ROUTER", "NAME", "VERSION", "UPDATED", "OWNER"],
        Some(_) => &["GATEWAY", "NAME", "VERSION", "UPDATED", "OWNER"],
        None => &["NAME", "VERSION", "UPDATED", "OWNER"],
    });
    for item in items {
        // A described resource has its metadata in a member of its own, a listed one among the others.
        let metadata = item.get("metadata").unwrap_or(item);
        let updated = metadata.get("lastUpdatedAt").and_then(Value::as_f64);
        let name = |kind: Kind| text(item, kind.name_member()).unwrap_or_default().to_owned();
        let cells = parent.map(name).into_iter().chain([
            name(kind),
            metadata.get("version").map(Value::to_string).unwrap_or_default(),
            updated.map(timestamp::rfc3339).unwrap_or_default(),
            text(metadata, "resourceOwner").unwrap_or_default().to_owned(),
        ]);
        table.row(cells);
    }
    table
}

fn policies(items: &[Value]) -> Table {
    let mut table = Table::new(&["NAME", "TARGET", "SETTINGS"]);
    for item in items {
        let settings = item.get("spec").and_then(Value::as_object);
        let settings: Vec<&str> = settings
            .into_iter()
            .flat_map(|members| members.keys().map(String::as_str))
            .collect();
        table.row([
            text(item, "name").unwrap_or_default().to_owned(),
            item.get("target").map(target).unwrap_or_default(),
            settings.join(","),
        ]);
    }
    table
}

/// `{"route": {"router": "r", "name": "t"}}` as `route r/t`.
fn target(target: &Value) -> String {
    let Some((kind, of)) = target.as_object().and_then(|members| members.iter().next()) else {
        return target.to_string();
    };
    match of {
        Value::String(name) => format!("{kind} {name}"),
        Value::Object(members) if members.is_empty() => kind.clone(),
        Value::Object(_) => {
            let (router, name) = (text(of, "router"), text(of, "name"));
            format!("{kind} {}/{}", router.unwrap_or_default(), name.unwrap_or_default())
        }
        other => format!("{kind} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn listed_and_described_resources_make_the_same_row() {
        let listed = json!([{"meshName": "m", "virtualRouterName": "r", "routeName": "t", "version": 3,
            "lastUpdatedAt": 0.5, "resourceOwner": "1"}]);
        let described = json!({"meshName": "m", "virtualRouterName": "r", "routeName": "t", "spec": {},
            "metadata": {"version": 3, "lastUpdatedAt": 0.5, "resourceOwner": "1"}});
        let noun = Noun::Resource(Kind::Route);
        let lines = table(noun, &listed).lines();
        assert_eq!(lines, table(noun, &described).lines());
        assert_eq!(lines[1], "r       t     3        1970-01-01T00:00:00Z  1");
    }

    #[test]
    fn a_policys_target_is_readable() {
        assert_eq!(target(&json!({"route": {"router": "r", "name": "t"}})), "route r/t");
        assert_eq!(target(&json!({"mesh": {}})), "mesh");
        assert_eq!(target(&json!({"virtualNode": "n"})), "virtualNode n");
    }
}
