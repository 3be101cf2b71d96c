//! `ferromesh token`: join tokens, by which a proxy comes to its first certificate.

use serde_json::{json, Value};

use super::{
    http::Client,
    output::{self, Form, Table},
    paths, selection, time_span, Connection, Query,
};
use crate::{exit::Exit, timestamp::rfc3339};

const PATH: &str = "/v1/join-tokens";

/// The flags of `ferromesh token`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Make a join token for one proxy; it is shown once
    Create(Create),
    /// List join tokens, without their secrets
    List(Query),
    /// Delete a join token
    Delete(Delete),
}

#[derive(Clone, Debug, clap::Args)]
struct Create {
    /// The proxy: mesh/MESH/virtualNode/NAME or mesh/MESH/virtualGateway/NAME
    #[arg(long, value_name = "PROXY")]
    node: String,
    /// How long it is taken: 90s, 30m, 12h or 7d, from 60s to 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    ttl: u64,
    /// How many certificates are issued for it, 1 to 100000: one for each start of a proxy without a kept certificate
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    #[command(flatten)]
    query: Query,
}

#[derive(Clone, Debug, clap::Args)]
struct Delete {
    /// Id of the token
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
        Action::Create(create) => {
            let body = json!({ "proxy": create.node, "ttlSeconds": create.ttl, "uses": create.uses });
            let answer = Client::new(&create.query.connection)?.ask(PATH, &body).await;
            if create.query.format.output != Form::Table {
                return create.query.finish(answer, "", table);
            }
            output::finish(answer, "", |answer| {
                let text = |member| selection::text(answer, member).unwrap_or_default();
                output::write(&format!("FERROMESH_JOIN_TOKEN={}\n", text("token")))?;
                eprintln!(
                    "join token {} for {} made; this is the only time that it is shown",
                    text("id"),
                    text("proxy")
                );
                Ok(())
            })
        }
        Action::List(query) => query.show(PATH, "", table).await,
        Action::Delete(delete) => {
            let path = format!("{PATH}/{}", paths::component(&delete.id));
            let answer = Client::new(&delete.connection)?.delete(&path).await;
            output::finish(answer, "", |_| {
                output::write(&format!("join token {} deleted\n", delete.id))
            })
        }
    }
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    time_span::seconds(text).ok_or("expected a whole number with s, m, h or d after it, such as 30m")
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new(&["PROXY", "ID", "CREATED", "EXPIRES", "USES", "USED"]);
    for token in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
        let text = |member| selection::text(token, member).unwrap_or_default().to_owned();
        let time = |member| {
            token
                .get(member)
                .and_then(Value::as_f64)
                .map(rfc3339)
                .unwrap_or_default()
        };
        let count = |member| token.get(member).map(Value::to_string).unwrap_or_default();
        table.row([
            text("proxy"),
            text("id"),
            time("createdAt"),
            time("expiresAt"),
            count("uses"),
            count("used"),
        ]);
    }
    table
}
