//! The four clients, each a program that takes a file of steps and prints a line of JSON about each.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};
use ferromesh_integration::rig::{aws, paths};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::table::Step;

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `aws`, version 1, with a flag for each member of the input.
    CommandLine,
    /// The same with inputs made of the skeletons that it prints.
    Skeletons,
    /// Python's.
    Boto3,
    /// `@aws-sdk/client-app-mesh`.
    JavaScript,
    /// `aws-sdk-appmesh`.
    Rust,
}

/// What a client says of one step.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Said {
    /// The answer as the client shows it.
    Answer { output: Value },
    /// The pages that its paginator brought.
    Pages { pages: Vec<Value> },
    /// The name of the client's own class of the error.
    Refusal {
        refused: String,
        status: Option<u16>,
        message: Option<String>,
    },
    /// Neither: the client could not read the answer, or has no class for the error.
    Broken { broken: String },
}

impl Client {
    pub const ALL: [Self; 4] = [Self::CommandLine, Self::Boto3, Self::JavaScript, Self::Rust];

    /// Takes the steps against the server at `endpoint`.
    pub async fn take(self, endpoint: &str, folder: &Path, steps: &[Step]) -> Result<Vec<Said>> {
        let mut lines = self.lines(endpoint, folder, steps).await?;
        if self == Self::Boto3 {
            lines.remove(0);
        }
        ensure!(lines.len() == steps.len(), "{self}: {} lines", lines.len());
        lines
            .into_iter()
            .map(|line| serde_json::from_value(line.clone()).with_context(|| format!("{self} says {line}")))
            .collect()
    }

    /// What it prints.
    pub async fn lines(self, endpoint: &str, folder: &Path, steps: &[Step]) -> Result<Vec<Value>> {
        let file = folder.join(format!("{self}-steps.json"));
        let told: Vec<Value> = steps.iter().map(Step::told).collect();
        std::fs::write(&file, serde_json::to_vec(&told)?)?;
        let mut command = self.command()?;
        command.arg(&file);
        if std::env::var_os("FERROMESH_FULL").is_some() {
            command.env("FERROMESH_AWS_COMMAND", paths::aws()?);
        }
        let output = with_environment(&mut command, endpoint)
            .output()
            .await
            .with_context(|| format!("{self} does not start: {command:?}"))?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{self}: {} {error}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .with_context(|| format!("{self}: {text}"))
    }

    fn command(self) -> Result<Command> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        Ok(match self {
            Self::CommandLine | Self::Skeletons => {
                let mut command = Command::new(paths::python()?);
                command.arg(source.join("command_line.py"));
                if self == Self::Skeletons {
                    command.env("FERROMESH_SKELETONS", "1");
                }
                command
            }
            Self::Boto3 => {
                let mut command = Command::new(paths::python()?);
                command.arg(source.join("boto3_client.py"));
                command
            }
            Self::JavaScript => {
                let mut command = Command::new("node");
                command
                    .arg(source.join("javascript/client.mjs"))
                    .env("FERROMESH_JAVASCRIPT_SDK", prepared("FERROMESH_JAVASCRIPT_SDK")?);
                command
            }
            Self::Rust => Command::new(prepared("FERROMESH_RUST_SDK")?),
        })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::CommandLine => "aws",
            Self::Skeletons => "skeletons",
            Self::Boto3 => "boto3",
            Self::JavaScript => "javascript",
            Self::Rust => "rust",
        })
    }
}

/// What `cargo xtask env` made and this variable names.
fn prepared(variable: &str) -> Result<PathBuf> {
    match std::env::var_os(variable).map(PathBuf::from) {
        Some(path) if path.exists() => Ok(path),
        Some(path) => bail!("{variable} names {}, which does not exist", path.display()),
        None => bail!("{variable} is not set; run `cargo xtask test`, which makes everything the tests need"),
    }
}

/// Endpoint and dummy credentials, and nothing of the machine's own AWS settings.
pub fn with_environment<'a>(command: &'a mut Command, endpoint: &str) -> &'a mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    aws::with_dummy_credentials(command)
        .env("AWS_ENDPOINT_URL_APP_MESH", endpoint)
        .env("AWS_REGION", "us-east-1")
        // A retry would hide what the server did.
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_PAGER", "")
}
