//! Agents with a state folder of their own, which outlives them.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use ferromesh_integration::{
    rig::{envoy::Admin, eventually, ports, status, Process, Rig, PATIENCE},
    scale::is_full,
    two_colours::SERVICE,
};
use serde_json::{json, Value};

/// The second gateway of a mesh, and how its agents are started.
pub struct Gateway {
    pub name: &'static str,
    /// Where it serves.
    pub port: u16,
    pub state: PathBuf,
    /// What agents are told of where control planes are.
    pub endpoints: String,
    /// More variables of agents.
    pub variables: Vec<(&'static str, String)>,
}

/// An agent with its Envoy. Both are killed when it is dropped.
pub struct Agent {
    pub process: Process,
    pub admin: Admin,
    pub port: u16,
}

impl Gateway {
    /// A gateway of the mesh `colours`.
    pub async fn make(rig: &Rig, name: &'static str) -> Self {
        let port = ports::free().expect("a port");
        let gateway = json!({"virtualGatewayName": name, "spec": spec(port)});
        rig.put("meshes/colours/virtualGateways", &gateway)
            .await
            .expect("a gateway");
        let route = json!({"gatewayRouteName": "all", "spec": {"httpRoute": {
            "match": {"prefix": "/"},
            "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
        }}});
        let routes = format!("meshes/colours/virtualGateway/{name}/gatewayRoutes");
        rig.put(&routes, &route).await.expect("a gateway route");
        Self {
            name,
            port,
            state: rig.file(&format!("state-{name}")),
            endpoints: rig.address(),
            variables: Vec::new(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Starts an agent, and does not wait for anything.
    pub fn start(&self, rig: &Rig) -> Agent {
        let (admin, port) = (ports::free().expect("a port"), ports::free().expect("a port"));
        let command = self.command(rig, admin, port);
        Agent {
            process: rig.spawn(&format!("agent-{}", self.name), command).expect("an agent"),
            admin: Admin::at(format!("127.0.0.1:{admin}")),
            port,
        }
    }

    /// `ferromesh proxy`, with Envoy's admin interface and its own on these ports.
    pub fn command(&self, rig: &Rig, admin: u16, port: u16) -> Command {
        let resource = format!("mesh/colours/virtualGateway/{}", self.name);
        let mut command = rig.proxy_command(&resource).expect("a command");
        command
            .env("APPMESH_XDS_ENDPOINT", &self.endpoints)
            .env("FERROMESH_STATE_DIR", &self.state)
            .env("APPNET_ENVOY_RESTART_COUNT", "10")
            .env("ENVOY_ADMIN_ACCESS_PORT", admin.to_string())
            .env("APPNET_AGENT_HTTP_PORT", port.to_string())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Waits until it serves; how long that took.
    pub async fn until_serving(&self, agent: &Agent) -> Duration {
        let begun = Instant::now();
        let served = eventually("an answer", PATIENCE, async || {
            (status(&self.url()).await == Some(200)).then_some(())
        });
        served
            .await
            .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
        begun.elapsed()
    }

    /// Envoy was started during an outage: it serves within five seconds. Usual runs share the machine with others.
    pub async fn until_serving_in_time(&self, agent: &Agent) {
        let took = self.until_serving(agent).await;
        println!("{}: serves after {took:?}", self.name);
        let limit = Duration::from_secs(if is_full() { 5 } else { 30 });
        assert!(took < limit, "{took:?}\n{}", agent.process.log());
    }

    /// What its agents keep.
    pub fn last_good(&self) -> PathBuf {
        self.state.join("relay/last-good")
    }

    /// Waits until a whole configuration is kept: Envoy acknowledges it type by type.
    pub async fn until_kept(&self) {
        const TYPES: [&[u8]; 3] = [
            b".v3.Listener\x12",
            b".v3.RouteConfiguration\x12",
            b".v3.TypedExtensionConfig\x12",
        ];
        eventually("the last good configuration is on disk", PATIENCE, async || {
            let bytes = std::fs::read(self.last_good()).ok()?;
            let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
            TYPES.into_iter().all(has).then_some(())
        })
        .await
        .expect("a file");
    }
}

/// A gateway that listens on a port.
pub fn spec(port: u16) -> Value {
    json!({"listeners": [{"portMapping": {"port": port, "protocol": "http"}}]})
}

/// `GET /status` of an agent.
pub async fn told(port: u16) -> Option<Value> {
    let answer = reqwest::Client::builder().no_proxy().build().ok()?;
    let answer = answer
        .get(format!("http://127.0.0.1:{port}/status"))
        .send()
        .await
        .ok()?;
    answer.json().await.ok()
}

/// Waits until Envoy's stream is answered from there; what the agent then says.
pub async fn until_source(port: u16, source: &str) -> Value {
    let mut last = None;
    let waited = eventually("the source of the configuration", PATIENCE, async || {
        last = told(port).await;
        let is_so = last.as_ref()?["configurationSource"] == source;
        if !is_so {
            // The agent answers ten calls a second.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        is_so.then(|| last.clone())?
    });
    let waited = waited.await;
    waited.unwrap_or_else(|error| panic!("{error:#}: expected {source}, {last:?}"))
}

/// The process id of an agent's Envoy.
pub async fn envoy_pid(port: u16) -> Option<u32> {
    told(port).await?["envoyPid"].as_str()?.parse().ok()
}
