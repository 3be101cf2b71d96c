//! `ferromesh status`: which proxies are connected, and what they have taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

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

/// How often `--watch` looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The flags of `ferromesh status`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// virtual-node (vn) or virtual-gateway (vg); all proxies without it
    #[arg(requires = "name")]
    kind: Option<Noun>,
    /// Its name
    name: Option<String>,
    /// Go on, and print every proxy whose state changes, until interrupted
    #[arg(long, short)]
    watch: bool,
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
    let is_meant = |proxy: &Value| {
        let matches =
            |member: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| text(proxy, member) == Some(wanted));
        matches("mesh", arguments.mesh.name.as_deref())
            && matches("kind", kind)
            && matches("name", arguments.name.as_deref())
    };
    let mut before: Option<BTreeMap<String, String>> = None;
    loop {
        match fetch(&client).await {
            Ok(proxies) => {
                let proxies: Vec<Value> = proxies.into_iter().filter(is_meant).collect();
                let states = states(&proxies);
                match &before {
                    None => output::print(arguments.format.output, &proxies, || table(&proxies))?,
                    Some(before) => output::write(&news(before, &states))?,
                }
                before = Some(states);
            }
            // Who watches sees a control plane go and come again.
            Err(error) if before.is_some() => eprintln!("error: {error}"),
            Err(error) => {
                eprintln!("error: {error}");
                return Ok(Exit::Failure);
            }
        }
        if !arguments.watch {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Each proxy with its state and the reason, in words.
fn states(proxies: &[Value]) -> BTreeMap<String, String> {
    let of = |proxy: &Value| {
        let cell = |member: &str| text(proxy, member).unwrap_or_default().to_owned();
        let rollout = proxy.get("rollout").and_then(|rollout| text(rollout, "state"));
        let words = [cell("state"), rollout.unwrap_or_default().to_owned(), cell("reason")];
        let words = words.into_iter().filter(|word| !word.is_empty());
        (cell("id"), words.collect::<Vec<_>>().join(" "))
    };
    proxies.iter().map(of).collect()
}

/// A line for each proxy that has come, gone, or is in another state.
fn news(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = timestamp::rfc3339(at.as_secs_f64());
    let changed = now.iter().filter(|(id, state)| before.get(*id) != Some(state));
    let gone = before.keys().filter(|id| !now.contains_key(*id));
    let changed = changed.map(|(id, state)| format!("{at} {id} {state}\n"));
    changed.chain(gone.map(|id| format!("{at} {id} forgotten\n"))).collect()
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
    fn only_what_has_changed_is_news() {
        let of = |state: &str| json!({"id": "mesh/m/virtualNode/n", "state": state, "reason": "why"});
        let (before, same, now) = (
            states(&[of("current")]),
            states(&[of("current")]),
            states(&[of("silent")]),
        );
        assert_eq!(news(&before, &same), "");
        assert!(news(&before, &now).ends_with(" mesh/m/virtualNode/n silent why\n"));
        assert!(news(&before, &BTreeMap::new()).ends_with(" mesh/m/virtualNode/n forgotten\n"));
    }

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
