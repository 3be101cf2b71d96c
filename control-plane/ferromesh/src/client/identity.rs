//! `ferromesh identity`: certificates of proxies that count no more.

use serde_json::{json, Value};

use super::{
    http::Client,
    output::{self, Table},
    paths, selection, Connection, Query,
};
use crate::{exit::Exit, timestamp::rfc3339};

const PATH: &str = "/v1/identity/revocations";

/// The flags of `ferromesh identity`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Revoke a certificate, or all of a proxy up to now with its join tokens; open streams are cut within seconds
    Revoke(Revoke),
    /// List what is revoked
    List(Query),
    /// Take a revocation back
    Restore(Restore),
}

#[derive(Clone, Debug, clap::Args)]
struct Revoke {
    /// Serial number of the certificate, hexadecimal
    #[arg(value_name = "SERIAL", required_unless_present = "node", conflicts_with = "node")]
    serial: Option<String>,
    /// The proxy: mesh/MESH/virtualNode/NAME or mesh/MESH/virtualGateway/NAME
    #[arg(long, value_name = "PROXY")]
    node: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Debug, clap::Args)]
struct Restore {
    /// The serial number or the proxy that was revoked
    #[arg(value_name = "SERIAL|PROXY")]
    id: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.action {
        Action::Revoke(revoke) => {
            let (body, label) = match (&revoke.serial, &revoke.node) {
                (Some(serial), _) => (json!({ "serial": serial }), format!("certificate {serial}")),
                (None, node) => {
                    let node = node.as_deref().unwrap_or_default();
                    (json!({ "proxy": node }), format!("certificates of {node}"))
                }
            };
            let answer = Client::new(&revoke.connection)?.ask(PATH, &body).await;
            output::finish(answer, "", |_| output::write(&format!("{label} revoked\n")))
        }
        Action::List(query) => query.show(PATH, "", table).await,
        Action::Restore(restore) => {
            let path = format!("{PATH}/{}", paths::component(&restore.id));
            let answer = Client::new(&restore.connection)?.delete(&path).await;
            output::finish(answer, "", |_| {
                output::write(&format!("{} is no longer revoked\n", restore.id))
            })
        }
    }
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(&["SERIAL", "PROXY", "REVOKED"]);
    let revocations = answer.get("revocations").and_then(Value::as_array);
    for revocation in revocations.into_iter().flatten() {
        let text = |member| selection::text(revocation, member).unwrap_or_default().to_owned();
        let time = revocation.get("createdAt").and_then(Value::as_f64).map(rfc3339);
        table.row([text("serial"), text("proxy"), time.unwrap_or_default()]);
    }
    table
}
