//! `ferromesh audit`: who did what.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use super::{
    http::Client,
    output::{self, Table},
    paths, selection, Connection, Format,
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
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

/// Seconds of an age.
fn age(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?}: expected a number with s, m, h or d, like 24h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).ok_or_else(wrong)
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.connection)?;
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
    output::print(arguments.format.output, &json!({ "records": records }), || {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        assert_eq!((age("90s"), age("2h"), age("7d")), (Ok(90), Ok(7200), Ok(604_800)));
        for wrong in ["", "h", "5", "-1h", "5y", "é"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
