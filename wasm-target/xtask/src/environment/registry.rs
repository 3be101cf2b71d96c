//! An OCI registry, which the tests push modules to: Debian's `docker-registry`.

use std::path::PathBuf;

use anyhow::Result;

use super::program::{alone, Program};

const REGISTRY: Program = Program {
    name: "docker-registry",
    kind: "registry",
    variable: "FERROMESH_REGISTRY",
    folder: "registry",
    path: "bin/docker-registry",
    megabytes: 5,
    otherwise: "`apt-get install docker-registry`, or set FERROMESH_REGISTRY to the path of a registry (the program \
                `registry` of the distribution project)",
    fetch: |scratch, path| alone("docker-registry", "usr/bin/docker-registry", scratch, path),
};

/// Gives the path of a registry that starts.
///
/// # Errors
/// There is none and none can be fetched.
pub fn prepare() -> Result<PathBuf> {
    REGISTRY.prepare()
}
