//! `ferromesh apply`, `get`, `delete`, `certificate`, `ramp`, `rollback` and `status`: clients of the public API, with no door of their own; and
//! `ferromesh module`, a client of registries.

pub mod analyze;
pub mod apply;
pub mod audit;
pub mod certificate;
pub mod delete;
pub mod diff;
pub mod documents;
pub mod explain;
pub mod export;
pub mod get;
pub mod http;
pub mod identity;
pub mod import;
pub mod key;
pub mod module;
pub mod noun;
pub mod openapi;
pub mod output;
pub mod paths;
pub mod ramp;
pub mod rollback;
pub mod rollout;
pub mod selection;
pub mod share;
pub mod status;
pub mod time_span;
pub mod token;

use serde_json::Value;

use crate::exit::Exit;

/// What a command says that needs a mesh and was told none.
const WHICH_MESH: &str = "which mesh? name it with --mesh or FERROMESH_MESH";

/// Where the server is.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// The control plane: http://host:port, https://host:port or unix:///path
    #[arg(
        long,
        value_name = "URL",
        env = "FERROMESH_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub server: http::Server,
    /// PEM file of the authorities that an https server is believed by [default: those of the system]
    #[arg(long, value_name = "FILE", env = "FERROMESH_CA")]
    pub ca: Option<std::path::PathBuf>,
}

/// Which mesh is meant.
#[derive(Clone, Debug, clap::Args)]
pub struct MeshName {
    /// Name of the mesh
    #[arg(id = "mesh", long = "mesh", short = 'm', value_name = "MESH", env = "FERROMESH_MESH")]
    pub name: Option<String>,
}

/// How results are printed.
#[derive(Clone, Debug, clap::Args)]
pub struct Format {
    /// Form of the output
    #[arg(long, short, value_enum, default_value = "table")]
    pub output: output::Form,
}

/// What every command takes that shows something the server has.
#[derive(Clone, Debug, clap::Args)]
pub struct Query {
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
    /// Where the server is.
    #[command(flatten)]
    pub connection: Connection,
}

impl Query {
    /// Gets `path` and prints the answer; `about` stands before an error, unless it is empty.
    ///
    /// # Errors
    /// The client cannot be made, or output cannot be written.
    pub async fn show(
        &self,
        path: &str,
        about: &str,
        table: impl FnOnce(&Value) -> output::Table,
    ) -> anyhow::Result<Exit> {
        let answered = http::Client::new(&self.connection)?.get(path).await;
        self.finish(answered, about, table)
    }

    /// Ends a command by printing an answer that it got.
    ///
    /// # Errors
    /// Output cannot be written.
    pub fn finish(
        &self,
        answered: Result<Value, http::CallError>,
        about: &str,
        table: impl FnOnce(&Value) -> output::Table,
    ) -> anyhow::Result<Exit> {
        output::finish(answered, about, |answer| {
            output::print(self.format.output, answer, || table(answer))
        })
    }
}
