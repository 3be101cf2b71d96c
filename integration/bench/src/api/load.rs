//! Many calls through a number of connections, each of which makes one call after the other.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use anyhow::Result;
use serde_json::{json, Value};

use super::server::Server;

/// The mesh of all virtual nodes.
pub const MESH: &str = "bench";

/// Calls about virtual nodes with these numbers.
pub struct Load {
    what: What,
    numbers: Range<usize>,
    connections: usize,
}

#[derive(Clone, Copy)]
enum What {
    Create,
    Describe,
}

impl Load {
    /// Creates them.
    pub fn create(numbers: Range<usize>) -> Self {
        Self {
            what: What::Create,
            numbers,
            connections: 1,
        }
    }

    /// Describes them.
    pub fn describe(numbers: Range<usize>) -> Self {
        Self {
            what: What::Describe,
            ..Self::create(numbers)
        }
    }

    /// Through this many connections.
    pub fn through(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// What it is called.
    pub fn case(&self) -> String {
        let what = match self.what {
            What::Create => "create",
            What::Describe => "describe",
        };
        let plural = if self.connections == 1 { "" } else { "s" };
        format!("{what}, {} connection{plural}", self.connections)
    }

    /// Makes the calls, each of which must be accepted; how many there were.
    pub async fn run(&self, server: &Server) -> Result<usize> {
        let next = Arc::new(AtomicUsize::new(self.numbers.start));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..self.connections {
            let (next, end, what) = (next.clone(), self.numbers.end, self.what);
            // A client of its own has a connection of its own.
            let client = server.another_client()?;
            tasks.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return anyhow::Ok(());
                    }
                    match what {
                        What::Create => {
                            client
                                .put(&format!("meshes/{MESH}/virtualNodes"), &node(number))
                                .await?
                        }
                        What::Describe => client.get(&format!("meshes/{MESH}/virtualNodes/node-{number}")).await?,
                    };
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(self.numbers.len())
    }
}

/// A virtual node as a service has it: a listener with a health check and a timeout, DNS, two backends; and the token that
/// every AWS client makes up.
fn node(number: usize) -> Value {
    let backend = |number: usize| json!({"virtualService": {"virtualServiceName": format!("service-{number}.local")}});
    json!({
        "virtualNodeName": format!("node-{number}"),
        "clientToken": format!("00000000-0000-4000-8000-{number:012}"),
        "spec": {
            "listeners": [{
                "portMapping": {"port": 8080, "protocol": "http"},
                "healthCheck": {
                    "protocol": "http", "path": "/ping", "port": 8080, "intervalMillis": 5000, "timeoutMillis": 2000,
                    "healthyThreshold": 2, "unhealthyThreshold": 3
                },
                "timeout": {"http": {"perRequest": {"value": 15, "unit": "s"}}}
            }],
            "serviceDiscovery": {"dns": {"hostname": format!("node-{number}.local")}},
            "backends": [backend(number + 1), backend(number + 2)]
        }
    })
}
