//! A Python with grpcio, as a child process that is told what to do line by line.

#[path = "../../../../integration/src/rig/program.rs"]
mod program;

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::server::PATIENCE;

/// A Python with grpcio.
fn interpreter() -> PathBuf {
    program::find("FERROMESH_PYTHON", "venv/bin/python", None).unwrap_or_else(|problem| panic!("{problem}"))
}

pub struct Script {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts a script of this folder.
    pub fn start(name: &str, environment: &[(&str, String)]) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/grpc").join(name);
        let mut child = Command::new(interpreter())
            .arg(path)
            .env("no_proxy", "127.0.0.1")
            // What it has to say of refused resources is what the tests ask it for.
            .env("GRPC_VERBOSITY", "NONE")
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        }
    }

    /// Stops or continues the process, as a signal does: its connections stay open, and nobody answers on them.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    pub async fn tell(&mut self, command: Value) {
        let line = format!("{command}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    pub async fn ask(&mut self, command: Value) -> Value {
        self.tell(command).await;
        let line = tokio::time::timeout(2 * PATIENCE, self.output.next_line()).await;
        let line = line.expect("an answer in time").unwrap();
        serde_json::from_str(&line.expect("the script goes on; its errors are above")).unwrap()
    }
}
