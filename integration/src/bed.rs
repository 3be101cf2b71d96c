//! A stock Envoy whose whole configuration is in one file: a filter of ours (or several) in front of upstream servers.
//!
//! No control plane: what a test says about a filter is about that filter and Envoy alone. [`Setup`] says what differs
//! from the usual; the usual is one worker, one route to all targets by their weights, and the filter's own policy.

use std::path::Path;

use anyhow::{anyhow, Result};
use serde_json::{json, Map, Value};

use crate::{
    load::Load,
    rig::{paths, Envoy},
    upstream::Upstream,
};

const TYPES: &str = "type.googleapis.com";
const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Where a request may go.
#[derive(Clone, Debug)]
struct Target {
    name: String,
    port: u16,
    weight: u32,
}

/// An Envoy that is not started yet.
#[derive(Clone, Debug)]
pub struct Setup {
    workers: usize,
    filters: Vec<Value>,
    attempt_filters: Vec<Value>,
    targets: Vec<Target>,
    routes: Option<Vec<Value>>,
    route: Map<String, Value>,
    host: Map<String, Value>,
    manager: Map<String, Value>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// One worker, no filter and no target.
    pub fn new() -> Self {
        Self {
            workers: 1,
            filters: Vec::new(),
            attempt_filters: Vec::new(),
            targets: Vec::new(),
            routes: None,
            route: Map::new(),
            host: Map::new(),
            manager: Map::new(),
        }
    }

    /// A setup whose only filter is a built module, with one policy for every request.
    ///
    /// # Errors
    /// The module is not built.
    pub fn with_policy(module: &str, policy: &Value) -> Result<Self> {
        Self::new().module(module, &plugin(policy))
    }

    /// Envoy's worker threads, and so the filter's VMs.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// One more filter: a built module with a plugin configuration.
    ///
    /// # Errors
    /// The module is not built.
    pub fn module(self, module: &str, configuration: &Value) -> Result<Self> {
        let file = paths::module(module)?;
        Ok(self.filter(module, &file, configuration))
    }

    /// One more filter: a module file with a plugin configuration and a VM of its own.
    pub fn filter(mut self, name: &str, file: &Path, configuration: &Value) -> Self {
        self.filters.push(wasm(name, file, configuration));
        self
    }

    /// A filter that sees every attempt: a built module among the upstream filters of all targets.
    ///
    /// # Errors
    /// The module is not built.
    pub fn attempt_filter(mut self, module: &str, configuration: &Value) -> Result<Self> {
        let file = paths::module(module)?;
        let name = format!("{module}-upstream");
        self.attempt_filters.push(wasm(&name, &file, configuration));
        Ok(self)
    }

    /// One more target, with its weight in Envoy's own split.
    pub fn target(mut self, upstream: &Upstream, weight: u32) -> Self {
        self.targets.push(Target {
            name: upstream.name().to_owned(),
            port: upstream.port(),
            weight,
        });
        self
    }

    /// Routes in place of the one to all targets. [`split`] and [`prefix`] make them.
    pub fn routes(mut self, routes: Vec<Value>) -> Self {
        self.routes = Some(routes);
        self
    }

    /// A member of the usual route's action, such as `retry_policy`.
    pub fn action(mut self, name: &str, value: Value) -> Self {
        self.route.insert(name.to_owned(), value);
        self
    }

    /// A member of the virtual host.
    pub fn host(mut self, name: &str, value: Value) -> Self {
        self.host.insert(name.to_owned(), value);
        self
    }

    /// A member of the connection manager.
    pub fn manager(mut self, name: &str, value: Value) -> Self {
        self.manager.insert(name.to_owned(), value);
        self
    }

    /// The action that splits by the targets' weights and takes the filter's number.
    pub fn split(&self) -> Value {
        let clusters: Vec<Value> = self
            .targets
            .iter()
            .map(|target| json!({"name": target.name, "weight": target.weight}))
            .collect();
        let mut action = json!({"weighted_clusters": {"header_name": "x-ferromesh-pick", "clusters": clusters}});
        for (name, value) in &self.route {
            action[name] = value.clone();
        }
        action
    }

    /// Starts it.
    ///
    /// # Errors
    /// Envoy does not come up; its log is in the error.
    pub async fn start(self) -> Result<Bed> {
        let envoy = Envoy::start_with_workers(&self.configuration().to_string(), self.workers).await?;
        let address = envoy.admin().listener("front").await?;
        Ok(Bed { envoy, address })
    }

    fn configuration(&self) -> Value {
        let usual = || vec![json!({"name": "all", "match": {"prefix": "/"}, "route": self.split()})];
        let mut host = json!({
            "name": "color",
            "domains": ["*"],
            "routes": self.routes.clone().unwrap_or_else(usual),
        });
        for (name, value) in &self.host {
            host[name] = value.clone();
        }
        let mut filters = self.filters.clone();
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": format!("{TYPES}/envoy.extensions.filters.http.router.v3.Router")},
        }));
        let mut manager = json!({
            "@type": format!("{TYPES}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "front",
            "http_filters": filters,
            "route_config": {"name": "front", "virtual_hosts": [host]},
        });
        for (name, value) in &self.manager {
            manager[name] = value.clone();
        }
        let clusters: Vec<Value> = self.targets.iter().map(|target| self.cluster(target)).collect();
        json!({
            "admin": {"address": loopback(0)},
            "static_resources": {
                "listeners": [{
                    "name": "front",
                    "address": loopback(0),
                    "filter_chains": [{"filters": [{
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }]}],
                }],
                "clusters": clusters,
            },
        })
    }

    fn cluster(&self, target: &Target) -> Value {
        // No limit of Envoy's own stands between the filter and what a test counts.
        let unlimited = json!({
            "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000, "max_retries": 100_000,
        });
        let mut cluster = json!({
            "name": target.name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [unlimited]},
            "load_assignment": {
                "cluster_name": target.name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": loopback(target.port)}}]}],
            },
        });
        if !self.attempt_filters.is_empty() {
            let mut filters = self.attempt_filters.clone();
            filters.push(json!({
                "name": "envoy.filters.http.upstream_codec",
                "typed_config": {"@type": format!("{TYPES}/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")},
            }));
            cluster["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": format!("{TYPES}/{OPTIONS}"),
                "explicit_http_config": {"http_protocol_options": {}},
                "http_filters": filters,
            }});
        }
        cluster
    }
}

/// A plugin configuration with one policy for every request; counters are written ten times a second.
pub fn plugin(policy: &Value) -> Value {
    json!({
        "mesh": "bed", "node": "front", "reporter": "gateway", "flushMillis": 100,
        "default": policy, "single": true,
    })
}

/// A route by prefix whose name finds its policy in the plugin's `routes`.
pub fn prefix(name: &str, prefix: &str, action: &Value) -> Value {
    json!({"name": name, "match": {"prefix": prefix}, "route": action})
}

/// A route that Envoy answers itself with 200, for what is decided before any target is.
pub fn answered(name: &str, prefix: &str) -> Value {
    json!({
        "name": name, "match": {"prefix": prefix},
        "direct_response": {"status": 200, "body": {"inline_string": "here\n"}},
    })
}

fn wasm(name: &str, file: &Path, configuration: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": format!("{TYPES}/envoy.extensions.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": name,
                "failure_policy": "FAIL_RELOAD",
                // Less than 5 ms lets Envoy 1.40 divide by zero.
                "reload_config": {"backoff": {"base_interval": "0.010s"}},
                "vm_config": {
                    "vm_id": format!("bed.{name}"),
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": file.display().to_string()}},
                },
                "configuration": {
                    "@type": format!("{TYPES}/google.protobuf.StringValue"),
                    "value": configuration.to_string(),
                },
            },
        },
    })
}

fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A running Envoy, ended when dropped.
#[derive(Debug)]
pub struct Bed {
    pub envoy: Envoy,
    address: String,
}

impl Bed {
    /// `host:port` of the listener.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A URL at the listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Load on the listener that notes which upstream answered.
    pub fn load(&self) -> Load {
        Load::to(self.url("/")).noting("x-colour")
    }

    /// How often a VM of a filter was started anew.
    ///
    /// # Errors
    /// The admin interface does not answer.
    pub async fn reloads(&self) -> Result<u64> {
        self.envoy.admin().sum("wasm.*vm_reload_success").await
    }

    /// Checks that nothing trapped: no VM was started anew, and Envoy's log tells of no failed callback.
    ///
    /// # Errors
    /// One did; the log's lines are in the error.
    pub async fn assert_no_trap(&self) -> Result<()> {
        let reloads = self.envoy.admin().sum("wasm.*vm_reload").await?;
        let log = self.envoy.log();
        let failed: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("Function:") && line.contains("failed"))
            .take(5)
            .collect();
        if reloads > 0 || !failed.is_empty() {
            return Err(anyhow!("{reloads} reloads; {failed:?}"));
        }
        Ok(())
    }

    /// Resident memory of Envoy, in bytes.
    ///
    /// # Errors
    /// Envoy has ended.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.envoy.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| anyhow!("no VmRSS for process {}", self.envoy.id()))
    }
}
