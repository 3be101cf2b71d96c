//! Prometheus, which scrapes Envoys in the tests of their statistics: Debian's. Installed it would start a service that
//! listens on port 9090 of every address of the machine.

use std::path::PathBuf;

use anyhow::Result;

use super::program::{alone, Program};

const PROMETHEUS: Program = Program {
    name: "prometheus",
    kind: "Prometheus",
    variable: "FERROMESH_PROMETHEUS",
    folder: "prometheus",
    path: "bin/prometheus",
    megabytes: 20,
    otherwise: "`apt-get install prometheus`, or set FERROMESH_PROMETHEUS to its path",
    fetch: |scratch, path| alone("prometheus", "usr/bin/prometheus", scratch, path),
};

/// Gives the path of a Prometheus that starts.
///
/// # Errors
/// There is none and none can be fetched.
pub fn prepare() -> Result<PathBuf> {
    PROMETHEUS.prepare()
}
