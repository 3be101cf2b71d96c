//! `ferromesh ramp`: starts, pauses and resumes the ramp of a policy.

use ferromesh_model::policy::RampTurn;

use super::{http::Client, output, paths, Connection, MeshName, WHICH_MESH};
use crate::exit::Exit;

/// The flags of `ferromesh ramp`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// start (from the first step, now), pause or resume
    #[arg(value_parser = turn, value_name = "start|pause|resume")]
    turn: RampTurn,
    /// Name of the policy
    policy: String,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
}

fn turn(word: &str) -> Result<RampTurn, String> {
    RampTurn::from_word(word).ok_or_else(|| "it is not one of start, pause, resume".to_owned())
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.connection)?;
    let Some(mesh) = &arguments.mesh.name else {
        return Ok(Exit::usage([WHICH_MESH]));
    };
    let label = format!("policy/{}", arguments.policy);
    let done = match arguments.turn {
        RampTurn::Start => "started",
        RampTurn::Pause => "paused",
        RampTurn::Resume => "resumed",
    };
    let answered = client.post(&paths::ramp(mesh, &arguments.policy, arguments.turn)).await;
    output::finish(answered, &label, |_| output::write(&format!("{label} {done}\n")))
}
