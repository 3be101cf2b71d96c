//! `ferromesh rollout`: what is on trial, held back or was rolled back, and what to do about it.

use serde_json::Value;

use super::{
    http::Client,
    output::{self, Table},
    paths,
    selection::text,
    Connection, MeshName, Query, WHICH_MESH,
};
use crate::{exit::Exit, timestamp};

/// The flags of `ferromesh rollout`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// What is on trial, held back or rolled back, in all meshes or one
    List(Look),
    /// The same with every verdict of a mesh
    Show(Look),
    /// Try again what was rolled back
    Retry(Candidate),
    /// Give every proxy at once what is on trial or was rolled back
    Skip(Candidate),
    /// Let a configuration be tried that removes much; `all` for every one of the mesh
    Approve(Candidate),
    /// Let nothing new go to proxies
    Pause(Mesh),
    /// Let changes go to proxies again
    Resume(Mesh),
}

#[derive(Clone, Debug, clap::Args)]
struct Look {
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    query: Query,
}

#[derive(Clone, Debug, clap::Args)]
struct Candidate {
    /// The candidate, as `ferromesh rollout list` names it
    candidate: String,
    #[command(flatten)]
    mesh: Mesh,
}

#[derive(Clone, Debug, clap::Args)]
struct Mesh {
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
    match arguments.action {
        Action::List(look) => show(look, false).await,
        Action::Show(look) => show(look, true).await,
        Action::Retry(of) => of.turn("retry", "is tried again").await,
        Action::Skip(of) => of.turn("skip", "goes to every proxy").await,
        Action::Approve(of) => of.turn("approve", "approved").await,
        Action::Pause(mesh) => mesh.turn("pause", "paused").await,
        Action::Resume(mesh) => mesh.turn("resume", "resumed").await,
    }
}

impl Candidate {
    async fn turn(&self, verb: &str, done: &str) -> anyhow::Result<Exit> {
        let path = format!("{}/{verb}", paths::component(&self.candidate));
        let done = format!("{} {done}", self.candidate);
        self.mesh.turn(&path, &done).await
    }
}

impl Mesh {
    async fn turn(&self, path: &str, done: &str) -> anyhow::Result<Exit> {
        let client = Client::new(&self.connection)?;
        let Some(mesh) = &self.mesh.name else {
            return Ok(Exit::usage([WHICH_MESH]));
        };
        let path = format!("/v1/rollouts/{}/{path}", paths::component(mesh));
        let answered = client.post(&path).await;
        output::finish(answered, "", |_| output::write(&format!("rollout/{mesh} {done}\n")))
    }
}

async fn show(look: Look, with_verdicts: bool) -> anyhow::Result<Exit> {
    let client = Client::new(&look.query.connection)?;
    let found = match &look.mesh.name {
        Some(mesh) => {
            let path = format!("/v1/rollouts/{}", paths::component(mesh));
            client.get(&path).await.map(|mesh| vec![mesh])
        }
        None => client.list_at_once("/v1/rollouts", "rollouts").await,
    };
    output::finish(found, "", |meshes| {
        output::print(look.query.format.output, meshes, || table(meshes, with_verdicts))
    })
}

fn table(meshes: &[Value], with_verdicts: bool) -> Table {
    let mut table = Table::new(&["MESH", "CANDIDATE", "STATE", "REACHED", "PROXIES", "AT", "REASON"]);
    for mesh in meshes {
        let name = text(mesh, "mesh").unwrap_or_default();
        let is_paused = mesh.get("isPaused").and_then(Value::as_bool) == Some(true);
        let mut row = |of: &Value, state: String, at: &str| {
            let cell = |member: &str| text(of, member).unwrap_or_default().to_owned();
            let count = |member: &str| of.get(member).and_then(Value::as_u64).map(|count| count.to_string());
            let proxies = of
                .get("proxies")
                .and_then(Value::as_array)
                .map(|proxies| proxies.len().to_string());
            let reached = match (count("reached"), count("streams")) {
                (Some(reached), Some(streams)) => format!("{reached}/{streams}"),
                (reached, _) => reached.unwrap_or_default(),
            };
            let at = of.get(at).and_then(Value::as_f64).map(timestamp::rfc3339);
            table.row([
                name.to_owned(),
                cell("id"),
                state,
                reached,
                proxies.unwrap_or_else(|| cell("proxy")),
                at.unwrap_or_default(),
                cell("reason"),
            ]);
        };
        if let Some(trial) = mesh.get("trial").filter(|trial| trial.is_object()) {
            let stage = text(trial, "stage").unwrap_or_default();
            let paused = if is_paused { ", paused" } else { "" };
            row(trial, format!("on trial: {stage}{paused}"), "stageBeganAtSeconds");
        } else if is_paused {
            row(&Value::Null, "paused".to_owned(), "");
        }
        let list = |member: &str| mesh.get(member).and_then(Value::as_array).into_iter().flatten();
        for held in list("heldBack") {
            row(held, "held back".to_owned(), "");
        }
        for rejected in list("rolledBack") {
            let is_newest = rejected.get("isNewest").and_then(Value::as_bool) == Some(true);
            if is_newest || with_verdicts {
                row(rejected, "rolled back".to_owned(), "atSeconds");
            }
        }
        if with_verdicts {
            for verdict in list("verdicts") {
                let outcome = text(verdict, "outcome").unwrap_or_default();
                row(verdict, format!("was {outcome}"), "atSeconds");
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_somebody_stands_in_the_list_and_what_is_over_does_not() {
        let mesh = json!({
            "mesh": "m", "isPaused": true,
            "trial": {"id": "a", "stage": "first", "reached": 1, "streams": 50, "stageBeganAtSeconds": 1.0, "proxies": ["x"]},
            "heldBack": [{"id": "b", "proxy": "mesh/m/virtualNode/n", "reason": "too much"}],
            "rolledBack": [
                {"id": "c", "reason": "no", "atSeconds": 1.0, "proxies": ["x", "y"], "isNewest": true},
                {"id": "d", "reason": "old", "atSeconds": 1.0, "proxies": [], "isNewest": false},
            ],
            "verdicts": [{"id": "e", "outcome": "accepted", "reached": 3, "atSeconds": 1.0, "proxies": []}],
        });
        let lines = table(std::slice::from_ref(&mesh), false).lines();
        let has = |lines: &[String], words: &str| lines.iter().any(|line| line.contains(words));
        assert!(
            has(&lines, "on trial: first, paused") && has(&lines, "1/50"),
            "{lines:?}"
        );
        assert!(has(&lines, "too much") && has(&lines, "rolled back"), "{lines:?}");
        assert!(!has(&lines, "old") && !has(&lines, "was accepted"), "{lines:?}");
        let lines = table(&[mesh], true).lines();
        assert!(has(&lines, "old") && has(&lines, "was accepted"), "{lines:?}");
    }
}
