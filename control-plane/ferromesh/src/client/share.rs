//! `ferromesh share`: lets other accounts use a mesh, shows which may, and ends it.

use serde_json::{json, Value};

use super::{
    http::Client,
    output::{self, Table},
    paths,
    selection::text,
    Connection, MeshName, Query, WHICH_MESH,
};
use crate::{exit::Exit, timestamp};

/// The flags of `ferromesh share`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Let another account use a mesh: make virtual nodes, services, routers and routes in it
    Add(Change),
    /// Show what this account shares, and what others share with it
    List(Query),
    /// End it; what the other account made in the mesh stays
    Remove(Change),
}

#[derive(Clone, Debug, clap::Args)]
struct Change {
    /// The other account, 12 digits
    account: String,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match &arguments.action {
        Action::List(query) => query.show("/v1/shares", "", table).await,
        Action::Add(change) => write(change, "shared with").await,
        Action::Remove(change) => write(change, "no longer shared with").await,
    }
}

async fn write(change: &Change, done: &str) -> anyhow::Result<Exit> {
    let client = Client::new(&change.connection)?;
    let Some(mesh) = &change.mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let path = paths::share(mesh, &change.account);
    let answered = match done {
        "shared with" => client.put(&path, &json!({})).await,
        _ => client.delete(&path).await,
    };
    output::finish(answered, &format!("mesh/{mesh}"), |_| {
        output::write(&format!("mesh/{mesh} {done} {}\n", change.account))
    })
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(&["MESH", "OWNER", "ACCOUNT", "SINCE"]);
    for share in answer.get("shares").and_then(Value::as_array).into_iter().flatten() {
        let since = share.get("sharedAt").and_then(Value::as_f64);
        let text = |member: &str| text(share, member).unwrap_or_default().to_owned();
        table.row([
            text("mesh"),
            text("meshOwner"),
            text("account"),
            since.map_or_else(String::new, timestamp::rfc3339),
        ]);
    }
    table
}
