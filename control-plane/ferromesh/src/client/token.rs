//! `ferromesh token`: join tokens, by which a proxy comes to its first certificate.

use serde_json::{json, Value};

use super::{
    http::{CallError, Client},
    output::{self, Form, Table},
    paths, selection, Connection, Format,
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
    List(List),
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
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
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
            let answer = Client::new(&create.connection)?.ask(PATH, &body).await;
            finish(answer, |answer| {
                if create.format.output != Form::Table {
                    return output::print(create.format.output, answer, || table(&json!({})));
                }
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
        Action::List(list) => {
            let answer = Client::new(&list.connection)?.get(PATH).await;
            finish(answer, |answer| {
                output::print(list.format.output, answer, || table(answer))
            })
        }
        Action::Delete(delete) => {
            let path = format!("{PATH}/{}", paths::component(&delete.id));
            let answer = Client::new(&delete.connection)?.delete(&path).await;
            finish(answer, |_| {
                output::write(&format!("join token {} deleted\n", delete.id))
            })
        }
    }
}

/// A time with its unit.
fn seconds(text: &str) -> Result<u64, String> {
    let form = || "expected a whole number with s, m, h or d after it, such as 30m".to_owned();
    let unit = text.chars().last().ok_or_else(form)?;
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(form()),
    };
    number.and_then(|number| number.checked_mul(seconds)).ok_or_else(form)
}

fn finish(answer: Result<Value, CallError>, show: impl FnOnce(&Value) -> anyhow::Result<()>) -> anyhow::Result<Exit> {
    match answer {
        Ok(answer) => {
            show(&answer)?;
            Ok(Exit::Success)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(Exit::Failure)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("2h"), Ok(7200));
        assert_eq!(seconds("7d"), Ok(604_800));
        for text in ["", "1", "h", "1.5h", "-1m", "1w", "1é", "99999999999999999999d"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }
}
