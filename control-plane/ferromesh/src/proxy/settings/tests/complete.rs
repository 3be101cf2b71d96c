//! No variable of App Mesh's agent is ignored: each is read, or stands in the table of those that do nothing.

use std::{cell::RefCell, collections::BTreeSet};

use super::super::refused::VARIABLES;
use super::*;

/// Every variable that App Mesh's agent and its documentation have for Envoy and the agent.
const OF_THE_AGENT: &[&str] = &[
    // Which proxy this is, and where its configuration comes from.
    "APPMESH_RESOURCE_ARN",
    "APPMESH_RESOURCE_NAME",
    "APPMESH_VIRTUAL_NODE_NAME",
    "APPMESH_RESOURCE_CLUSTER",
    "APPMESH_VIRTUAL_NODE_CLUSTER",
    "AWS_REGION",
    "APPMESH_XDS_ENDPOINT",
    "APPMESH_SIGNING_NAME",
    "APPMESH_PREVIEW",
    "APPMESH_DUALSTACK_ENDPOINT",
    "APPMESH_FIPS_ENDPOINT",
    "APPMESH_SDS_SOCKET_PATH",
    // Envoy.
    "ENVOY_LOG_LEVEL",
    "ENVOY_CONFIG_FILE",
    "ENVOY_RESOURCES_CONFIG_FILE",
    "ENVOY_CONCURRENCY",
    "ENVOY_INITIAL_FETCH_TIMEOUT",
    "ENVOY_ADMIN_ACCESS_PORT",
    "ENVOY_ADMIN_ACCESS_LOG_FILE",
    "ENVOY_ADMIN_ACCESS_ENABLE_IPV6",
    "ENVOY_ADMIN_MODE",
    "ENVOY_SKIP_DEPRECATED_LOGS",
    "DISABLE_HOT_RESTART",
    "APPMESH_SET_TRACING_DECISION",
    "ENVOY_NO_EXTENSION_LOOKUP_BY_NAME",
    "ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT",
    "ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS",
    "MAX_REQUESTS_PER_IO_CYCLE",
    "ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH",
    // Tracing.
    "ENABLE_ENVOY_XRAY_TRACING",
    "XRAY_DAEMON_PORT",
    "AWS_XRAY_DAEMON_ADDRESS",
    "XRAY_SAMPLING_RATE",
    "XRAY_SAMPLING_RULE_MANIFEST",
    "XRAY_SEGMENT_NAME",
    "ENABLE_ENVOY_DATADOG_TRACING",
    "DATADOG_TRACER_PORT",
    "DATADOG_TRACER_ADDRESS",
    "DD_SERVICE",
    "ENABLE_ENVOY_JAEGER_TRACING",
    "JAEGER_TRACER_PORT",
    "JAEGER_TRACER_ADDRESS",
    "JAEGER_TRACER_VERSION",
    "ENVOY_TRACING_CFG_FILE",
    // Statistics.
    "ENABLE_ENVOY_STATS_TAGS",
    "ENVOY_STATS_CONFIG_FILE",
    "ENVOY_STATS_FLUSH_INTERVAL",
    "ENVOY_STATS_SINKS_CFG_FILE",
    "ENABLE_ENVOY_DOG_STATSD",
    "STATSD_PORT",
    "STATSD_ADDRESS",
    "STATSD_SOCKET_PATH",
    "APPMESH_METRIC_EXTENSION_VERSION",
    // The agent.
    "APPNET_ENVOY_RESTART_COUNT",
    "PID_POLL_INTERVAL_MS",
    "LISTENER_DRAIN_WAIT_TIME_S",
    "HC_POLL_INTERVAL_MS",
    "HC_DISCONNECTED_TIMEOUT_S",
    "APPNET_AGENT_ADMIN_MODE",
    "APPNET_AGENT_HTTP_PORT",
    "APPNET_AGENT_HTTP_BIND_ADDRESS",
    "APPNET_AGENT_ADMIN_UDS_PATH",
    "APPNET_AGENT_LOGGING_RESET_TIMEOUT",
    "APPNET_ENVOY_LOG_DESTINATION",
    "APPNET_ENVOY_LOG_NAME",
    "APPNET_AGENT_MAX_LOG_FILE_SIZE",
    "APPNET_AGENT_MAX_RETENTION_COUNT",
    "APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S",
    "APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S",
    "ENABLE_STATS_SNAPSHOT",
    // Relay.
    "APPNET_ENABLE_RELAY_MODE_FOR_XDS",
    "APPNET_MANAGEMENT_DOMAIN_NAME",
    "APPNET_MANAGEMENT_PORT",
    "APPNET_RELAY_LISTENER_UDS_PATH",
    "RELAY_STREAM_IDLE_TIMEOUT",
    "RELAY_BUFFER_LIMIT_BYTES",
    // What it runs on.
    "APPMESH_PLATFORM_K8S_VERSION",
    "APPMESH_PLATFORM_K8S_POD_UID",
    "APPMESH_PLATFORM_APP_MESH_CONTROLLER_VERSION",
    "ECS_CONTAINER_INSTANCE_ARN",
];

/// The variables that are looked up when others are what they are.
fn looked_up(pairs: &[(&str, &str)]) -> BTreeSet<String> {
    let seen = RefCell::new(BTreeSet::new());
    let look_up = |name: &str| {
        seen.borrow_mut().insert(name.to_owned());
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let _ = Settings::read(&look_up, Overrides::default());
    seen.into_inner()
}

#[test]
fn every_variable_of_the_agent_is_read() {
    let mut seen = looked_up(&MINIMUM);
    // These are looked at only where they can count.
    seen.extend(looked_up(&[]));
    seen.extend(looked_up(&[("APPNET_AGENT_ADMIN_MODE", "uds")]));
    let missed: Vec<_> = OF_THE_AGENT.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn what_does_nothing_says_why_and_is_a_variable_of_the_agent() {
    for (name, _, why) in VARIABLES {
        assert!(OF_THE_AGENT.contains(name), "{name}");
        assert!(why.len() > 20, "{name}: {why}");
    }
}
