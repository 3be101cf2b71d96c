//! What the tests, the demo and the benchmarks need besides cargo: stock Envoy and the AWS clients, pinned.
//!
//! They learn where these are from environment variables, so that the programs themselves fetch nothing
//! and run as well in an environment that somebody else prepared.

mod debian;
mod envoy;
mod etcd;
pub mod go_control_plane;
mod javascript;
mod moto;
pub mod network;
mod program;
mod prometheus;
mod python;
mod registry;
mod rust_sdk;
mod schemathesis;
mod store;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::Cache;
use crate::progress;
use crate::workspace::Workspace;

/// Everything that has been prepared, under the names of the environment variables that say so.
pub struct Environment {
    variables: Vec<(&'static str, PathBuf)>,
}

impl Environment {
    /// Makes what is missing. Cheap when nothing is.
    ///
    /// # Errors
    /// When something can neither be found nor fetched; the message says what was tried and what to do.
    pub fn prepare(workspace: &Workspace) -> Result<Self> {
        let cache = Cache::open()?;
        let envoy = envoy::prepare(workspace, &cache)?;
        let python = python::prepare(workspace, &cache)?;
        Ok(Self {
            variables: vec![
                ("FERROMESH_ENVOY", envoy),
                ("FERROMESH_AWS", python.aws),
                ("FERROMESH_PYTHON", python.interpreter),
                ("FERROMESH_MODULES", workspace.modules()),
                ("FERROMESH_BIN", workspace.binary("ferromesh")),
                ("FERROMESH_EXAMPLES", workspace.examples()),
            ],
        })
    }

    /// Adds what only the tests need: a registry for modules, a store for the rate limit service, etcd, and Prometheus.
    ///
    /// # Errors
    /// As [`Environment::prepare`].
    pub fn with_registry(mut self) -> Result<Self> {
        self.variables.push(("FERROMESH_REGISTRY", registry::prepare()?));
        self.variables.push(("FERROMESH_REDIS", store::prepare()?));
        self.variables.push(("FERROMESH_ETCD", etcd::prepare()?));
        self.variables.push(("FERROMESH_PROMETHEUS", prometheus::prepare()?));
        Ok(self)
    }

    /// Adds the clients that only the tests need: the SDKs for JavaScript and Rust.
    ///
    /// # Errors
    /// As [`Environment::prepare`].
    pub fn with_sdks(mut self, workspace: &Workspace) -> Result<Self> {
        self.variables
            .push(("FERROMESH_JAVASCRIPT_SDK", javascript::prepare(workspace)?));
        self.variables
            .push(("FERROMESH_RUST_SDK", rust_sdk::prepare(workspace)?));
        Ok(self)
    }

    /// Adds what only the benchmark of the API needs: moto's server. Its control plane is the optimised build.
    ///
    /// # Errors
    /// As [`Environment::prepare`].
    pub fn with_moto(mut self, workspace: &Workspace) -> Result<Self> {
        self.variables.push(("FERROMESH_MOTO", moto::prepare(workspace)?));
        self.variables.retain(|(name, _)| *name != "FERROMESH_BIN");
        self.variables
            .push(("FERROMESH_BIN", workspace.target("release/ferromesh")));
        Ok(self)
    }

    /// Adds the tool that tests the API against its OpenAPI document.
    ///
    /// # Errors
    /// As [`Environment::prepare`].
    pub fn with_schemathesis(mut self, workspace: &Workspace) -> Result<Self> {
        self.variables
            .push(("FERROMESH_SCHEMATHESIS", schemathesis::prepare(workspace)?));
        Ok(self)
    }

    /// Where Envoy is.
    pub fn envoy(&self) -> &Path {
        let envoy = self.variables.iter().find(|(name, _)| *name == "FERROMESH_ENVOY");
        envoy.map_or(Path::new("envoy"), |(_, path)| path)
    }

    /// Tells a command where everything is.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, path) in &self.variables {
            command.env(name, path);
        }
        command
    }

    /// Prints the variables, ready for a shell.
    pub fn describe(&self) {
        progress::step("ready; to run things by hand:");
        for (name, path) in &self.variables {
            println!("export {name}={}", quoted(&path.to_string_lossy()));
        }
    }
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_variables_back_as_they_are() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
