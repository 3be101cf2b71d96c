//! `ferromesh apply`: makes the server hold what the files say, all of it at once or nothing.
//!
//! The documents go out as one change set, so that their order means nothing and a mistake in one leaves everything as it
//! was. `--dry-run`, which is `ferromesh diff`, says what would change: resources, what the proxies would be sent, lints.

mod prune;
mod request;
mod shown;

use std::path::PathBuf;

use super::{
    documents::{self, Document},
    http::{CallError, Client},
    output::{self, Form},
    Connection, MeshName,
};
use crate::exit::Exit;
use request::Wanted;
pub use shown::finding;

/// Path of change sets.
const CHANGES: &str = "/v1/changes";

/// The flags of `ferromesh apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    what: What,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do what was asked without asking back: needed to delete with --prune
    #[arg(long)]
    yes: bool,
}

/// What is to be applied or compared.
#[derive(Clone, Debug, clap::Args)]
pub struct What {
    /// A file, a folder of .json, .yaml and .yml files, or - for standard input; may be given several times
    #[arg(long = "filename", short = 'f', value_name = "FILE|DIR", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Also delete what the meshes have and the files don't, all but the meshes themselves
    #[arg(long)]
    prune: bool,
    /// Whose Envoy configuration is compared
    #[arg(long, value_enum, default_value = "all")]
    proxies: Proxies,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
    /// Form of the output
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
}

/// Whose Envoy configuration is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Proxies {
    /// Every virtual node's and virtual gateway's.
    All,
    /// Those that are connected.
    Connected,
    /// Nobody's.
    None,
}

impl Proxies {
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Connected => "connected",
            Self::None => "none",
        }
    }
}

/// Runs `ferromesh apply`.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    if arguments.dry_run {
        return compare(arguments.what).await;
    }
    let client = Client::new(&arguments.what.connection)?;
    let Some(wanted) = wanted(&arguments.what, &client).await? else {
        return Ok(Exit::Failure);
    };
    if !wanted.pruned.is_empty() && !arguments.yes {
        eprintln!("error: --prune would delete what follows; nothing was changed, --yes does it:");
        for label in &wanted.pruned {
            eprintln!("  {label}");
        }
        return Ok(Exit::Failure);
    }
    send(&client, wanted, arguments.what.output).await
}

/// Runs `ferromesh diff`.
///
/// # Errors
/// As [`run`].
pub async fn compare(what: What) -> anyhow::Result<Exit> {
    let client = Client::new(&what.connection)?;
    let Some(wanted) = wanted(&what, &client).await? else {
        return Ok(Exit::Failure);
    };
    let body = wanted.dry_run(what.proxies.as_str());
    match client.ask(CHANGES, &body).await {
        Ok(answer) => {
            match what.output {
                Form::Table => output::write(&shown::difference(&answer, shown::Colours::of_terminal()))?,
                form => output::print(form, &answer, || output::Table::new(&[]))?,
            }
            Ok(Exit::Success)
        }
        Err(error) => Ok(refused(&wanted, &error)),
    }
}

/// Applies documents that were read elsewhere.
///
/// # Errors
/// Output cannot be written.
pub async fn all(client: &Client, documents: Vec<Document>) -> anyhow::Result<Exit> {
    send(client, Wanted::new(documents), Form::Table).await
}

/// What the files say; `None` if they cannot be read or compared with what is there, which has been said.
async fn wanted(what: &What, client: &Client) -> anyhow::Result<Option<Wanted>> {
    let documents = match documents::read(&what.files, what.mesh.name.as_deref()) {
        Ok(documents) => documents,
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            return Ok(None);
        }
    };
    let mut wanted = Wanted::new(documents);
    if what.prune {
        match prune::superfluous(client, &wanted).await {
            Ok(superfluous) => wanted.delete(superfluous),
            Err(error) => {
                eprintln!("error: what there is cannot be listed: {error}");
                return Ok(None);
            }
        }
    }
    Ok(Some(wanted))
}

async fn send(client: &Client, wanted: Wanted, form: Form) -> anyhow::Result<Exit> {
    match client.ask(CHANGES, &wanted.body()).await {
        Ok(answer) => {
            match form {
                Form::Table => output::write(&shown::applied(&answer))?,
                form => output::print(form, &answer, || output::Table::new(&[]))?,
            }
            for finding in shown::added(&answer) {
                eprintln!("{finding}");
            }
            Ok(Exit::Success)
        }
        Err(error) => Ok(refused(&wanted, &error)),
    }
}

/// Says what was refused, each mistake with the document that it is in.
fn refused(wanted: &Wanted, error: &CallError) -> Exit {
    let violations = error.violations();
    if violations.is_empty() {
        eprintln!("error: {error}");
        return Exit::Failure;
    }
    for violation in violations {
        let text = |member: &str| {
            violation
                .get(member)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
        };
        let index = violation.get("index").and_then(serde_json::Value::as_u64);
        let index = index
            .and_then(|index| usize::try_from(index).ok())
            .unwrap_or(usize::MAX);
        let place = wanted.place(index);
        let path = text("path")
            .strip_prefix(&format!("changes[{index}]"))
            .unwrap_or_default();
        let path = path.trim_start_matches('.');
        let separator = if path.is_empty() { "" } else { ": " };
        eprintln!(
            "error: {place} refused: {}: {path}{separator}{}",
            text("type"),
            text("message")
        );
    }
    eprintln!("error: nothing was changed");
    Exit::Failure
}
