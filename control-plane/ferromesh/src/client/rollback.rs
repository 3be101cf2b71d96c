//! `ferromesh rollback`: shows what is known of a policy's canaries over all proxies, and takes verdicts back.

use serde_json::Value;

use super::{
    http::Client,
    output::{self, Table},
    paths,
    selection::text,
    Connection, MeshName, Query, WHICH_MESH,
};
use crate::{exit::Exit, timestamp};

/// The flags of `ferromesh rollback`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Show verdicts, and what is being compared
    Show(Show),
    /// Give the canaries their requests again, and forget what was known of them
    Clear(Clear),
}

#[derive(Clone, Debug, clap::Args)]
struct Show {
    /// Name of the policy
    policy: String,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    query: Query,
}

#[derive(Clone, Debug, clap::Args)]
struct Clear {
    /// Name of the policy
    policy: String,
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
    let (policy, mesh, connection) = match &arguments.action {
        Action::Show(show) => (&show.policy, &show.mesh, &show.query.connection),
        Action::Clear(clear) => (&clear.policy, &clear.mesh, &clear.connection),
    };
    let client = Client::new(connection)?;
    let Some(mesh) = &mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let answered = match &arguments.action {
        Action::Show(_) => client.get(&paths::rollback(mesh, policy)).await,
        Action::Clear(_) => client.post(&paths::clear_rollback(mesh, policy)).await,
    };
    let label = format!("policy/{policy}");
    output::finish(answered, &label, |answer| match &arguments.action {
        Action::Clear(_) => output::write(&format!("{label} cleared\n")),
        Action::Show(show) => output::print(show.query.format.output, answer, || table(answer)),
    })
}

/// Verdicts first, then what is being compared.
fn table(answer: &Value) -> Table {
    let mut table = Table::new(&[
        "SERVICE", "ROUTE", "CANARY", "BASELINE", "STATE", "CAUSE", "AT", "UNTIL", "REQUESTS", "ERRORS", "SLOW",
    ]);
    let list = |member: &str| answer.get(member).and_then(Value::as_array).into_iter().flatten();
    for verdict in list("rollbacks") {
        let is_in_effect = verdict.get("inEffect").and_then(Value::as_bool) == Some(true);
        let state = if is_in_effect { "rolled back" } else { "ended" };
        row(&mut table, verdict, state, verdict.get("counts"));
    }
    for comparison in list("comparisons") {
        row(&mut table, comparison, "compared", comparison.get("compared"));
    }
    table
}

fn row(table: &mut Table, of: &Value, state: &str, counts: Option<&Value>) {
    let cell = |member: &str| text(of, member).unwrap_or_default().to_owned();
    let time = |member: &str| {
        let millis = of.get(member).and_then(Value::as_f64);
        millis
            .map(|millis| timestamp::rfc3339(millis / 1000.0))
            .unwrap_or_default()
    };
    // The canary's and the baseline's.
    let both = |member: &str| {
        let count = |side: &str| counts?.get(side)?.get(member)?.as_u64();
        match (count("canary"), count("baseline")) {
            (Some(canary), Some(baseline)) => format!("{canary}/{baseline}"),
            _ => String::new(),
        }
    };
    table.row([
        cell("virtualService"),
        cell("route"),
        cell("canary"),
        cell("baseline"),
        state.to_owned(),
        cell("cause"),
        time("atUnixMillis"),
        time("untilUnixMillis"),
        both("requests"),
        both("errors"),
        both("slow"),
    ]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn verdicts_stand_above_what_is_compared() {
        let counts = json!({
            "canary": {"requests": 10, "errors": 5, "slow": 0},
            "baseline": {"requests": 90, "errors": 0, "slow": 1},
        });
        let of = json!({"virtualService": "s", "route": "r", "canary": "green", "baseline": "blue"});
        let mut verdict = of.clone();
        for (member, value) in [
            ("counts", counts.clone()),
            ("cause", json!("errors")),
            ("atUnixMillis", json!(1000)),
            ("inEffect", json!(true)),
        ] {
            verdict[member] = value;
        }
        let mut comparison = of;
        comparison["compared"] = counts;
        let lines = table(&json!({"rollbacks": [verdict], "comparisons": [comparison]})).lines();
        let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let expected = "s r green blue rolled back errors 1970-01-01T00:00:01Z - 10/90 5/0 0/1";
        assert_eq!(words[1], expected.split(' ').collect::<Vec<_>>());
        assert_eq!(
            words[2],
            "s r green blue compared - - - 10/90 5/0 0/1"
                .split(' ')
                .collect::<Vec<_>>()
        );
    }
}
