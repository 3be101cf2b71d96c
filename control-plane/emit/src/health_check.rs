//! Active health checks.

use envoy_types::pb::envoy::config::core::v3::health_check::{
    GrpcHealthCheck, HealthChecker, HttpHealthCheck, TcpHealthCheck, TlsOptions,
};
use envoy_types::pb::envoy::config::core::v3::HealthCheck;
use envoy_types::pb::envoy::r#type::v3::CodecClientType;
use ferromesh_ir::cluster::{HealthCheck as Spec, Probe};
use ferromesh_ir::tls::Client;

use crate::pack;

/// A cluster's health check. The port is the endpoint's business.
pub fn health_check(spec: &Spec, tls: Option<&Client>) -> HealthCheck {
    let http = |host: &String, path: &String, codec: CodecClientType| {
        HealthChecker::HttpHealthCheck(HttpHealthCheck {
            host: host.clone(),
            path: path.clone(),
            codec_client_type: codec.into(),
            ..HttpHealthCheck::default()
        })
    };
    HealthCheck {
        timeout: Some(pack::duration(spec.timeout)),
        interval: Some(pack::duration(spec.interval)),
        // Envoy's own default of 60 s would let a task that starts after its caller look dead for a minute.
        no_traffic_interval: Some(pack::duration(spec.interval)),
        healthy_threshold: Some(pack::uint32(spec.healthy_threshold)),
        unhealthy_threshold: Some(pack::uint32(spec.unhealthy_threshold)),
        health_checker: Some(match &spec.probe {
            Probe::Http { host, path } => http(host, path, CodecClientType::Http1),
            Probe::Http2 { host, path } => http(host, path, CodecClientType::Http2),
            Probe::Grpc => HealthChecker::GrpcHealthCheck(GrpcHealthCheck::default()),
            Probe::Tcp => HealthChecker::TcpHealthCheck(TcpHealthCheck::default()),
        }),
        tls_options: tls.map(|_| tls_options(&spec.probe)),
        ..HealthCheck::default()
    }
}

/// A probe may speak another version of HTTP than the cluster: the server goes by what was agreed on in ALPN.
fn tls_options(probe: &Probe) -> TlsOptions {
    let alpn: &[&str] = match probe {
        Probe::Http { .. } => &["http/1.1"],
        Probe::Http2 { .. } | Probe::Grpc => &["h2"],
        Probe::Tcp => &[],
    };
    TlsOptions {
        alpn_protocols: alpn.iter().map(|protocol| (*protocol).to_owned()).collect(),
    }
}
