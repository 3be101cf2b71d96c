//! The two ends of a case's network, each a namespace with a runtime whose sockets belong to it.
//!
//! `mesh` (10.77.0.1, fd77::1) is the task: the proxy, its application on the loopback addresses, and App Mesh's
//! redirection if the proxy is a node's. `world` (10.77.0.2 to 10.77.0.9, fd77::2 to fd77::9) is everything else: clients of the
//! proxy, and the nodes that it calls.

use std::{future::Future, process::Command};

use anyhow::{ensure, Context, Result};
use tokio::runtime::Runtime;

use crate::rig::Namespace;

/// The last octets of the world's addresses.
const WORLD: std::ops::RangeInclusive<u8> = 2..=9;

/// A namespace and a runtime in it.
#[derive(Debug)]
pub struct Place {
    runtime: Option<Runtime>,
    pub namespace: Namespace,
}

/// Both ends, joined.
#[derive(Debug)]
pub struct Places {
    pub mesh: Place,
    pub world: Place,
}

impl Places {
    /// Makes both.
    ///
    /// # Errors
    /// The machine allows no network namespaces.
    pub fn make() -> Result<Self> {
        let (mesh, world) = (Namespace::create("mesh")?, Namespace::create("world")?);
        mesh.connect([10, 77, 0, 1].into(), &world, [10, 77, 0, 2].into())?;
        let places = Self {
            mesh: Place::of(mesh)?,
            world: Place::of(world)?,
        };
        for (place, octets) in [(&places.mesh, 1..=1), (&places.world, WORLD)] {
            let first = octets.start();
            let device = place.ip(&format!("-o -4 address show to 10.77.0.{first}"))?;
            let device = device.split_whitespace().nth(1).context("no device")?.to_owned();
            for octet in octets.clone() {
                // Without duplicate address detection, which takes a second.
                place.ip(&format!("-6 address add fd77::{octet}/64 dev {device} nodad"))?;
            }
            for octet in octets.skip(1) {
                place.ip(&format!("address add 10.77.0.{octet}/24 dev {device}"))?;
            }
        }
        Ok(places)
    }
}

impl Place {
    fn of(namespace: Namespace) -> Result<Self> {
        let runtime = namespace.inside(|| {
            // Its workers are started by this thread and so belong to the namespace as well.
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
        })?;
        Ok(Self {
            runtime: Some(runtime?),
            namespace,
        })
    }

    /// Runs `ip` here and gives what it says.
    fn ip(&self, arguments: &str) -> Result<String> {
        let output = self
            .namespace
            .inside(|| Command::new("ip").args(arguments.split(' ')).output())??;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "ip {arguments}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Does some work here: every socket that it opens belongs to the namespace.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let runtime = self.runtime.as_ref().context("the place is gone")?;
        Ok(runtime.spawn(work).await?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Waiting for a runtime's end is not allowed where another one runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
