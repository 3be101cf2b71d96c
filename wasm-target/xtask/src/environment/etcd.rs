//! The store of several control planes in the tests: Debian's `etcd-server`.

use std::path::PathBuf;

use anyhow::Result;

use super::program::{alone, Program};

const ETCD: Program = Program {
    name: "etcd",
    kind: "etcd",
    variable: "FERROMESH_ETCD",
    folder: "etcd",
    path: "etcd",
    megabytes: 8,
    otherwise: "`apt-get install etcd-server`, or set FERROMESH_ETCD to the path of an etcd of version 3.4 or later",
    fetch: |scratch, path| alone("etcd-server", "usr/bin/etcd", scratch, path),
};

/// Gives the path of an etcd that starts.
///
/// # Errors
/// There is none and none can be fetched.
pub fn prepare() -> Result<PathBuf> {
    ETCD.prepare()
}
