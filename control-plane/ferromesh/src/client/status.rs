//! `ferromesh status`: which proxies are connected, and what they have taken.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    http::{CallError, Client},
    noun::Noun,
    output::{self, Table},
    selection::text,
    Connection, Format, MeshName,
};
use crate::{exit::Exit, timestamp};
use ferromesh_model::resource::Kind;

/// The flags of `ferromesh status`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// virtual-node (vn) or virtual-gateway (vg); all proxies without it
    #[arg(requires = "name")]
    kind: Option<Noun>,
    /// Its name
    name: Option<String>,
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
    let kind = match arguments.kind {
        None => None,
        Some(Noun::Resource(Kind::VirtualNode)) => Some("virtualNode"),
        Some(Noun::Resource(Kind::VirtualGateway)) => Some("virtualGateway"),
        Some(other) => {
            let problem = format!("{other} has no proxies: expected virtual-node or virtual-gateway");
            return Ok(Exit::usage([problem]));
        }
    };
    let client = Client::new(&arguments.connection)?;
    let proxies = match fetch(&client).await {
        Ok(proxies) => proxies,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(Exit::Failure);
        }
    };
    let is_meant = |proxy: &Value| {
        let matches =
            |member: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| text(proxy, member) == Some(wanted));
        matches("mesh", arguments.mesh.name.as_deref())
            && matches("kind", kind)
            && matches("name", arguments.name.as_deref())
    };
    let proxies: Vec<Value> = proxies.into_iter().filter(is_meant).collect();
    output::print(arguments.format.output, &proxies, || table(&proxies))?;
    Ok(Exit::Success)
}

async fn fetch(client: &Client) -> Result<Vec<Value>, CallError> {
    client.list_at_once("/v1/proxies", "proxies").await
}

fn table(proxies: &[Value]) -> Table {
    let mut table = Table::new(&[
        "MESH",
        "KIND",
        "NAME",
        "STATE",
        "ENVOYS",
        "CONNECTED",
        "LINTS",
        "REASON",
    ]);
    for proxy in proxies {
        let cell = |member: &str| text(proxy, member).unwrap_or_default().to_owned();
        let streams = proxy.get("streams").and_then(Value::as_array);
        let open: Vec<&Value> = streams
            .into_iter()
            .flatten()
            .filter(|stream| stream.get("disconnectedAtSeconds").is_none())
            .collect();
        let since = open
            .iter()
            .filter_map(|stream| stream.get("connectedAtSeconds")?.as_f64());
        table.row([
            cell("mesh"),
            cell("kind"),
            cell("name"),
            cell("state"),
            open.len().to_string(),
            since.reduce(f64::min).map(timestamp::rfc3339).unwrap_or_default(),
            codes(proxy),
            cell("reason"),
        ]);
    }
    table
}

/// The codes of a proxy's lints, each once; `--output json` has the sentences.
fn codes(proxy: &Value) -> String {
    let lints = proxy.get("lints").and_then(Value::as_array);
    let codes: BTreeSet<&str> = lints
        .into_iter()
        .flatten()
        .filter_map(|lint| text(lint, "code"))
        .collect();
    codes.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_names_the_codes_of_the_lints_once_each() {
        let lint = |code: &str| json!({"code": code, "resource": "virtualNode/n", "message": "it is so"});
        let proxy = json!({"mesh": "m", "kind": "virtualNode", "name": "n", "state": "current", "streams": [],
            "lints": [lint("FM125"), lint("FM101"), lint("FM125")]});
        let quiet = json!({"mesh": "m", "kind": "virtualNode", "name": "o", "state": "current", "streams": []});
        let lines = table(&[proxy, quiet]).lines();
        assert!(lines[1].contains(" FM101,FM125 "), "{lines:?}");
        assert!(!lines[2].contains("FM"), "{lines:?}");
    }
}
