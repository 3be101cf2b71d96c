//! `ferromesh certificate`: certificates and authorities for the ARNs that resources name.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value};

use super::{
    http::Client,
    output::{self, Table},
    paths, selection, Connection, Query,
};
use crate::exit::Exit;

/// The flags of `ferromesh certificate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Import a certificate with its key, or authorities, for an ARN
    Import(Import),
    /// List what was imported and issued
    List(Query),
    /// Show what there is for an ARN, without private keys
    Show(Show),
    /// Forget what was imported for an ARN
    Delete(One),
    /// Issue the built-in authority's certificate for an ARN anew
    Renew(One),
}

#[derive(Clone, Debug, clap::Args)]
struct Import {
    /// The ARN: a certificateArn or one of certificateAuthorityArns
    #[arg(long)]
    arn: String,
    /// PEM file with the certificate, followed by those that lead to its authority
    #[arg(long, value_name = "FILE", requires = "key", required_unless_present = "trust")]
    chain: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE", requires = "chain")]
    key: Option<PathBuf>,
    /// PEM file with the authorities that callers believe [default: the last certificate of the chain]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Debug, clap::Args)]
struct Show {
    /// The ARN
    #[arg(long)]
    arn: String,
    #[command(flatten)]
    query: Query,
}

#[derive(Clone, Debug, clap::Args)]
struct One {
    /// The ARN
    #[arg(long)]
    arn: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read, the client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let (connection, arn) = match &arguments.action {
        Action::Import(import) => (&import.connection, import.arn.as_str()),
        Action::List(query) => (&query.connection, ""),
        Action::Show(show) => (&show.query.connection, show.arn.as_str()),
        Action::Delete(one) | Action::Renew(one) => (&one.connection, one.arn.as_str()),
    };
    let client = Client::new(connection)?;
    let path = paths::certificate(arn);
    let (answered, done) = match &arguments.action {
        Action::Import(import) => (client.put(&path, &body(import)?).await, "imported"),
        Action::List(_) => (client.get(paths::CERTIFICATES).await, ""),
        Action::Show(_) => (client.get(&path).await, ""),
        Action::Delete(_) => (client.delete(&path).await, "deleted"),
        Action::Renew(_) => (client.post(&format!("{path}/renew")).await, "renewed"),
    };
    let label = if arn.is_empty() {
        "certificates".to_owned()
    } else {
        format!("certificate {arn}")
    };
    output::finish(answered, &label, |answer| match &arguments.action {
        Action::List(query) => {
            let all = answer.get("certificates").and_then(Value::as_array);
            let all = all.cloned().unwrap_or_default();
            output::print(query.format.output, answer, || table(&all))
        }
        Action::Show(show) => output::print(show.query.format.output, answer, || table(std::slice::from_ref(answer))),
        _ => output::write(&format!("{label} {done}\n")),
    })
}

fn body(import: &Import) -> anyhow::Result<Value> {
    let mut body = Map::new();
    for (member, file) in [
        ("certificateChain", &import.chain),
        ("privateKey", &import.key),
        ("trust", &import.trust),
    ] {
        if let Some(file) = file {
            body.insert(member.to_owned(), Value::String(read(file)?));
        }
    }
    Ok(Value::Object(body))
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn table(certificates: &[Value]) -> Table {
    let mut table = Table::new(&["ARN", "SOURCE", "KEY", "NOT AFTER", "NAMES"]);
    for one in certificates {
        let text = |member| selection::text(one, member).unwrap_or_default().to_owned();
        let names = one.get("subjectAlternativeNames").and_then(Value::as_array);
        let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
        table.row([
            text("arn"),
            text("source"),
            text("keyType"),
            text("notAfter"),
            names.join(","),
        ]);
    }
    table
}
