//! The bootstrap that stock Envoy starts with: who it is, where its configuration comes from, and what no
//! configuration can give it later (admin interface, statistics tags, watchdogs, runtime).
//!
//! Everything else comes over ADS. The bootstrap is JSON built as a value: no template, nothing to escape.

mod cluster;
pub mod merge;
mod node;
mod sinks;
mod tracing;

use std::{path::Path, time::Duration};

use cluster::Protocol;
use serde_json::{json, Value};

use super::{settings::Settings, stats_tags};
use crate::address::Address;

pub(crate) use node::HAS_SECRET_SERVER;

/// The static cluster that leads to the control plane: through the agent, whose socket it is.
pub const XDS_CLUSTER: &str = "ferromesh_xds";

/// The static cluster of a secret discovery service on this machine, by the name that App Mesh gave it: listeners and
/// clusters that the control plane sends refer to it.
pub const SDS_CLUSTER: &str = "static_cluster_sds_unix_socket";

/// Coming again when a stream has ended: soon, since the agent is always there.
const RECONNECT_BASE: Duration = Duration::from_millis(250);
const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// RE2 programs up to this size are accepted: App Mesh's value, ten times Envoy's default.
const RE2_PROGRAM_SIZE: u64 = 1000;

/// Upper bounds of the duration histogram's buckets, in milliseconds: finer than Envoy's below one second,
/// because that is where a mesh lives, and up to the longest timeouts that people set.
const DURATION_BUCKETS_MILLIS: [u32; 18] = [
    1, 2, 3, 5, 7, 10, 15, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
];

/// Builds the bootstrap. `instance` tells this run of the agent from others; `xds` is the agent's socket.
pub fn build(settings: &Settings, instance: &str, xds: &Path) -> Value {
    let options = &settings.bootstrap;
    let from_ads = json!({
        "ads": {},
        "resource_api_version": "V3",
        "initial_fetch_timeout": duration(options.initial_fetch_timeout),
    });
    let runtime = runtime(settings);
    let mut clusters = vec![cluster::unix(XDS_CLUSTER, xds, Protocol::Http2Watched)];
    if let Some(path) = &options.sds_socket {
        clusters.push(cluster::unix(SDS_CLUSTER, path, Protocol::Http2));
    }
    let tracer = settings.tracing.tracer.as_ref();
    let tracer = tracer.map(|tracer| tracing::tracer(tracer, &settings.node.identity));
    let (tracer, collector) = tracer.map_or((None, None), |(tracer, collector)| (Some(tracer), collector));
    clusters.extend(collector);
    let mut bootstrap = json!({
        "node": node::node(settings, instance, &runtime),
        "admin": admin(settings),
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{
                    "envoy_grpc": {
                        "cluster_name": XDS_CLUSTER,
                        "retry_policy": {
                            "retry_back_off": {
                                "base_interval": duration(RECONNECT_BASE),
                                "max_interval": duration(RECONNECT_MAX),
                            },
                        },
                    },
                }],
            },
            "cds_config": from_ads.clone(),
            "lds_config": from_ads,
        },
        "static_resources": { "clusters": clusters },
        "layered_runtime": { "layers": [
            { "name": "static_layer_0", "static_layer": runtime },
            // Empty, and last: lets an operator change a value through the admin interface.
            { "name": "admin_layer", "admin_layer": {} },
        ] },
        "stats_flush_interval": duration(settings.stats.flush_interval),
        "stats_config": {
            "use_all_default_tags": true,
            "stats_tags": stats_tags::all(&settings.node.identity, settings.stats.mesh_tags),
            "histogram_bucket_settings": [buckets()],
        },
        "watchdogs": {
            "main_thread_watchdog": watchdog(options.main_kill_timeout),
            "worker_watchdog": watchdog(options.worker_kill_timeout),
        },
    });
    if let Some(path) = &options.outlier_log {
        bootstrap["cluster_manager"] = json!({ "outlier_detection": { "event_log_path": path } });
    }
    if let Some(tracer) = tracer {
        bootstrap["tracing"] = tracer;
    }
    if let Some(address) = &settings.stats.dog_statsd {
        bootstrap["stats_sinks"] = json!([sinks::dog_statsd(address)]);
    }
    bootstrap
}

fn buckets() -> Value {
    json!({
        "match": { "contains": stats_tags::DURATION_METRIC },
        "buckets": DURATION_BUCKETS_MILLIS,
    })
}

fn admin(settings: &Settings) -> Value {
    let mut admin = json!({ "address": address(&settings.admin.listen) });
    if let Some(path) = &settings.admin.access_log {
        admin["access_log"] = json!([{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path,
            },
        }]);
    }
    admin
}

fn address(listen: &Address) -> Value {
    match listen {
        Address::Tcp(tcp) => {
            json!({ "socket_address": { "address": tcp.ip().to_string(), "port_value": tcp.port() } })
        }
        // Only the owner: the admin interface can stop the proxy and shows its configuration.
        Address::Unix(path) => json!({ "pipe": { "path": path, "mode": 0o600 } }),
    }
}

fn runtime(settings: &Settings) -> Value {
    let mut runtime = json!({ "re2.max_program_size.error_level": RE2_PROGRAM_SIZE });
    if let Some(requests) = settings.bootstrap.requests_per_io_cycle {
        runtime["http.max_requests_per_io_cycle"] = json!(requests);
    }
    if let Some(hundredths) = settings.tracing.sampling {
        runtime["tracing.random_sampling"] = json!({ "numerator": hundredths, "denominator": "TEN_THOUSAND" });
    }
    runtime
}

/// A thread that stands still for the kill timeout ends Envoy, which is then started anew: nothing else helps
/// against a loop in a filter. Without a timeout Envoy only counts the misses.
fn watchdog(kill_timeout: Duration) -> Value {
    let mut watchdog = json!({ "miss_timeout": "0.2s", "megamiss_timeout": "1s" });
    if !kill_timeout.is_zero() {
        watchdog["kill_timeout"] = duration(kill_timeout);
    }
    watchdog
}

fn duration(duration: Duration) -> Value {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    json!(format!("{text}s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::Overrides;

    fn settings(more: &[(&str, &str)]) -> Settings {
        let look_up = |name: &str| {
            more.iter()
                .chain(&[
                    ("APPMESH_RESOURCE_ARN", "mesh/m/virtualGateway/g"),
                    ("APPMESH_XDS_ENDPOINT", "127.0.0.1:8080"),
                ])
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&look_up, Overrides::default()).unwrap().0
    }

    fn build(settings: &Settings) -> Value {
        super::build(settings, "run", Path::new("/run/agent.sock"))
    }

    #[test]
    fn durations_are_protobuf_json() {
        assert_eq!(duration(Duration::ZERO), "0s");
        assert_eq!(duration(Duration::from_millis(250)), "0.25s");
        assert_eq!(duration(Duration::from_secs(100)), "100s");
    }

    #[test]
    fn the_node_is_the_environments_word_for_word() {
        let arn = "arn:aws:appmesh:us-west-2:123456789012:mesh/m/virtualNode/n";
        let bootstrap = build(&settings(&[
            ("APPMESH_RESOURCE_ARN", arn),
            ("APPMESH_RESOURCE_CLUSTER", "c"),
        ]));
        assert_eq!(bootstrap["node"]["id"], arn);
        assert_eq!(bootstrap["node"]["cluster"], "c");
    }

    #[test]
    fn watchdogs_kill_unless_told_not_to() {
        let bootstrap = build(&settings(&[]));
        let watchdogs = &bootstrap["watchdogs"];
        assert_eq!(watchdogs["worker_watchdog"]["kill_timeout"], "5s");
        assert_eq!(watchdogs["main_thread_watchdog"]["kill_timeout"], "30s");
        let off = build(&settings(&[("FERROMESH_WORKER_KILL_TIMEOUT_S", "0")]));
        assert!(off["watchdogs"]["worker_watchdog"]["kill_timeout"].is_null());
    }

    #[test]
    fn a_name_is_resolved_and_an_address_is_not() {
        let kind = |address: &str| {
            let datadog = ("ENABLE_ENVOY_DATADOG_TRACING", "1");
            let bootstrap = build(&settings(&[datadog, ("DATADOG_TRACER_ADDRESS", address)]));
            bootstrap["static_resources"]["clusters"][1]["type"].clone()
        };
        assert_eq!(kind("localhost"), "STRICT_DNS");
        assert_eq!(kind("127.0.0.1"), "STATIC");
    }

    #[test]
    fn configuration_comes_through_the_agent_wherever_the_control_plane_is() {
        let bootstrap = build(&settings(&[("APPMESH_XDS_ENDPOINT", "unix:///x,localhost:1")]));
        let cluster = &bootstrap["static_resources"]["clusters"][0];
        assert_eq!(cluster["name"], XDS_CLUSTER);
        let endpoint = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        assert_eq!(endpoint["address"]["pipe"]["path"], "/run/agent.sock");
        assert_eq!(bootstrap["node"]["metadata"]["ferromesh"]["instance"], "run");
    }
}
