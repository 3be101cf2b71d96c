//! The tracer of a bootstrap, and the cluster that leads to its collector.
//!
//! It stands in the bootstrap's own `tracing`, which holds for every connection manager that the control plane sends and
//! that names no tracer of its own. Envoy calls the field deprecated and goes on to support it; only there can the
//! environment of one proxy choose.

use serde_json::{json, Value};

use super::cluster::{self, Protocol};
use crate::{
    identity::{Identity, ProxyKind},
    proxy::settings::tracing::{Collector, OpenTelemetry, OtlpProtocol, Tracer, XRay, XRaySampling, ZipkinForm},
};

const TYPES: &str = "type.googleapis.com/envoy.config.trace.v3";
const DETECTORS: &str = "envoy.tracers.opentelemetry.resource_detectors";
const DETECTOR_TYPES: &str = "type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3";

/// How long spans may take to a collector: what is late is dropped, no request waits for it.
const EXPORT_TIMEOUT: &str = "1s";

/// `tracing` of the bootstrap, and the collector's cluster if the tracer has one.
pub(super) fn tracer(tracer: &Tracer, identity: &Identity) -> (Value, Option<Value>) {
    let (name, config, cluster) = match tracer {
        Tracer::XRay(x_ray) => ("envoy.tracers.xray", self::x_ray(x_ray, identity), None),
        Tracer::Datadog { collector, service } => {
            const CLUSTER: &str = "datadog_agent";
            let config = json!({
                "@type": format!("{TYPES}.DatadogConfig"),
                "collector_cluster": CLUSTER,
                "service_name": service,
            });
            (
                "envoy.tracers.datadog",
                config,
                Some(to(CLUSTER, collector, Protocol::Http1)),
            )
        }
        Tracer::Jaeger { collector, form } => {
            const CLUSTER: &str = "jaeger";
            let config = json!({
                "@type": format!("{TYPES}.ZipkinConfig"),
                "collector_cluster": CLUSTER,
                "collector_endpoint": "/api/v2/spans",
                "collector_endpoint_version": match form {
                    ZipkinForm::Proto => "HTTP_PROTO",
                    ZipkinForm::Json => "HTTP_JSON",
                },
                // Each hop has a span of its own, as Jaeger wants it.
                "shared_span_context": false,
            });
            (
                "envoy.tracers.zipkin",
                config,
                Some(to(CLUSTER, collector, Protocol::Http1)),
            )
        }
        Tracer::OpenTelemetry(tracer) => {
            let (config, cluster) = open_telemetry(tracer, identity);
            ("envoy.tracers.opentelemetry", config, Some(cluster))
        }
    };
    (json!({ "http": { "name": name, "typed_config": config } }), cluster)
}

fn x_ray(x_ray: &XRay, identity: &Identity) -> Value {
    let mut config = json!({
        "@type": format!("{TYPES}.XRayConfig"),
        "daemon_endpoint": {
            "protocol": "UDP",
            "address": x_ray.daemon.ip().to_string(),
            "port_value": x_ray.daemon.port(),
        },
        "segment_name": x_ray.segment,
        "segment_fields": {
            "origin": "AWS::AppMesh::Proxy",
            // For gateways too: X-Ray's console knows no other name.
            "aws": { "app_mesh": { "mesh_name": identity.mesh, "virtual_node_name": identity.name } },
        },
    });
    match &x_ray.sampling {
        XRaySampling::Default => {}
        XRaySampling::Rate(hundredths) => {
            let rate = f64::from(*hundredths) / 100.0;
            let rules = json!({ "version": 2, "default": { "fixed_target": 1, "rate": rate }, "rules": [] });
            config["sampling_rule_manifest"] = json!({ "inline_string": rules.to_string() });
        }
        XRaySampling::Manifest(path) => config["sampling_rule_manifest"] = json!({ "filename": path }),
    }
    config
}

fn open_telemetry(tracer: &OpenTelemetry, identity: &Identity) -> (Value, Value) {
    const CLUSTER: &str = "opentelemetry_collector";
    let kind = match identity.kind {
        ProxyKind::VirtualNode => "appmesh.virtual_node",
        ProxyKind::VirtualGateway => "appmesh.virtual_gateway",
    };
    let mut detectors = vec![json!({
        "name": format!("{DETECTORS}.static_config"),
        "typed_config": {
            "@type": format!("{DETECTOR_TYPES}.StaticConfigResourceDetectorConfig"),
            "attributes": { "appmesh.mesh": identity.mesh, kind: identity.name },
        },
    })];
    if tracer.has_resource_attributes {
        // Reads OTEL_RESOURCE_ATTRIBUTES, which Envoy inherits, and complains where it is not set.
        detectors.push(json!({
            "name": format!("{DETECTORS}.environment"),
            "typed_config": { "@type": format!("{DETECTOR_TYPES}.EnvironmentResourceDetectorConfig") },
        }));
    }
    let mut config = json!({
        "@type": format!("{TYPES}.OpenTelemetryConfig"),
        "service_name": tracer.service,
        "resource_detectors": detectors,
    });
    let collector = &tracer.collector;
    let protocol = match tracer.protocol {
        OtlpProtocol::Grpc => {
            config["grpc_service"] = json!({ "envoy_grpc": { "cluster_name": CLUSTER }, "timeout": EXPORT_TIMEOUT });
            Protocol::Http2
        }
        OtlpProtocol::Http => {
            let host = if collector.host.contains(':') {
                format!("[{}]", collector.host)
            } else {
                collector.host.clone()
            };
            let uri = format!("http://{host}:{}/v1/traces", collector.port);
            config["http_service"] =
                json!({ "http_uri": { "uri": uri, "cluster": CLUSTER, "timeout": EXPORT_TIMEOUT } });
            Protocol::Http1
        }
    };
    (config, to(CLUSTER, collector, protocol))
}

fn to(name: &str, collector: &Collector, protocol: Protocol) -> Value {
    cluster::tcp(name, &collector.host, collector.port, protocol)
}
