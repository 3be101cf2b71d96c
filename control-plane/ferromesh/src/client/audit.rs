//! `ferromesh audit`: who did what.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use super::{
    http::Client,
    output::{self, Table},
    paths, selection, time_span, Query,
};
use crate::{exit::Exit, timestamp::rfc3339};

/// The flags of `ferromesh audit`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Only what concerns this mesh
    #[arg(long, short, value_name = "MESH", env = "FERROMESH_MESH")]
    mesh: Option<String>,
    /// Only what this principal did
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// How far back: 30m, 24h, 7d
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
    since: u64,
    /// Most records, the oldest first
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: usize,
    #[command(flatten)]
    query: Query,
}

fn age(text: &str) -> Result<u64, String> {
    time_span::seconds(text).ok_or_else(|| format!("{text:?}: expected a number with s, m, h or d, like 24h"))
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.query.connection)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut query = format!("since={}", now.saturating_sub(arguments.since));
    for (name, value) in [("mesh", &arguments.mesh), ("principal", &arguments.principal)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", paths::component(value)));
        }
    }
    let (mut records, mut token) = (Vec::new(), None::<String>);
    while records.len() < arguments.limit {
        let page = (arguments.limit - records.len()).min(1000);
        let mut path = format!("/v1/audit?{query}&limit={page}");
        if let Some(token) = &token {
            path.push_str(&format!("&nextToken={}", paths::component(token)));
        }
        let mut answer = match client.get(&path).await {
            Ok(answer) => answer,
            Err(error) => {
                eprintln!("error: {error}");
                return Ok(Exit::Failure);
            }
        };
        if let Some(Value::Array(more)) = answer.get_mut("records").map(Value::take) {
            records.extend(more);
        }
        token = answer.get("nextToken").and_then(Value::as_str).map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    output::print(arguments.query.format.output, &json!({ "records": records }), || {
        table(&records)
    })?;
    Ok(Exit::Success)
}

fn table(records: &[Value]) -> Table {
    let mut table = Table::new(&["TIME", "PRINCIPAL", "OPERATION", "OUTCOME", "COUNT", "WHAT"]);
    for record in records {
        let text = |member| selection::text(record, member).unwrap_or_default().to_owned();
        let number = |value: Option<&Value>| {
            value
                .and_then(Value::as_u64)
                .map(|number| number.to_string())
                .unwrap_or_default()
        };
        let changes = record.get("changes").and_then(Value::as_array);
        let mut what: Vec<String> = changes
            .into_iter()
            .flatten()
            .map(|changed| change(changed, &number))
            .collect();
        if what.is_empty() {
            let paths = record.get("paths").and_then(Value::as_array);
            what.extend(paths.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
        table.row([
            record
                .get("at")
                .and_then(Value::as_f64)
                .map(rfc3339)
                .unwrap_or_default(),
            text("principal"),
            text("operation"),
            text("outcome"),
            number(record.get("count")),
            what.join(" "),
        ]);
    }
    table
}

fn change(changed: &Value, number: &impl Fn(Option<&Value>) -> String) -> String {
    let text = |member| selection::text(changed, member).unwrap_or_default();
    let (before, after) = (number(changed.get("before")), number(changed.get("after")));
    match text("what") {
        "updated" if !after.is_empty() => format!("{} {before}→{after}", text("resource")),
        what => format!("{} {what}", text("resource")),
    }
}
