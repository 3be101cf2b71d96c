//! Clusters.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::{thresholds, Thresholds};
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily, EdsClusterConfig, LbPolicy,
};
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster, OutlierDetection};
use envoy_types::pb::envoy::config::core::v3::{Http1ProtocolOptions, Http2ProtocolOptions};
use envoy_types::pb::envoy::config::endpoint::v3::endpoint::HealthCheckConfig;
use envoy_types::pb::envoy::config::endpoint::v3::{
    lb_endpoint, ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::Any;
use ferromesh_ir::cluster::{
    AddressFamily, Cluster as Spec, Discovery, DnsAnswer, OutlierDetection as OutlierSpec, UpstreamProtocol,
};
use ferromesh_ir::Proxy;

use crate::{health_check, names, pack, tls, upstream, Reference, ENDPOINT, EXTENSION_CONFIG};

/// A cluster. `with_filter`: whether our filter may stand before it.
pub fn cluster(proxy: &Proxy, spec: &Spec, with_filter: bool) -> Cluster {
    let name = names::cluster(proxy, &spec.id);
    let (discovery_type, family, address) = match &spec.discovery {
        Discovery::Static(address) => (
            DiscoveryType::Static,
            DnsLookupFamily::Auto,
            Some((address.ip().to_string(), address.port())),
        ),
        Discovery::Nowhere => (DiscoveryType::Static, DnsLookupFamily::Auto, None),
        // Its endpoints are a resource of their own.
        Discovery::Registry(_) => (DiscoveryType::Eds, DnsLookupFamily::Auto, None),
        Discovery::OriginalDestination => (DiscoveryType::OriginalDst, DnsLookupFamily::Auto, None),
        Discovery::Dns {
            hostname,
            port,
            answer,
            family,
        } => (
            match answer {
                DnsAnswer::LoadBalancer => DiscoveryType::LogicalDns,
                DnsAnswer::Tasks => DiscoveryType::StrictDns,
            },
            lookup_family(*family),
            Some((hostname.clone(), *port)),
        ),
    };
    let by_original_destination = spec.discovery == Discovery::OriginalDestination;
    let in_registry = matches!(spec.discovery, Discovery::Registry(_));
    Cluster {
        load_assignment: (!by_original_destination && !in_registry).then(|| load_assignment(&name, spec, address)),
        // Endpoints have the cluster's name.
        eds_cluster_config: in_registry.then(|| EdsClusterConfig {
            eds_config: Some(pack::ads()),
            service_name: String::new(),
        }),
        // Who is deregistered gets no request any more, however healthy it still looks.
        ignore_health_on_host_removal: in_registry && spec.health_check.is_some(),
        name,
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery_type.into())),
        lb_policy: if by_original_destination {
            LbPolicy::ClusterProvided.into()
        } else {
            LbPolicy::RoundRobin.into()
        },
        dns_lookup_family: family.into(),
        connect_timeout: Some(pack::duration(spec.connect_timeout)),
        circuit_breakers: Some(circuit_breakers(spec)),
        health_checks: spec
            .health_check
            .iter()
            .map(|check| health_check::health_check(check, spec.tls.as_ref()))
            .collect(),
        outlier_detection: spec.outlier_detection.map(outlier_detection),
        transport_socket: spec.tls.as_ref().map(tls::client),
        typed_extension_protocol_options: protocol_options(spec, with_filter),
        ..Cluster::default()
    }
}

fn lookup_family(family: AddressFamily) -> DnsLookupFamily {
    match family {
        AddressFamily::Auto => DnsLookupFamily::Auto,
        AddressFamily::V4Only => DnsLookupFamily::V4Only,
        AddressFamily::V6Only => DnsLookupFamily::V6Only,
        AddressFamily::V4Preferred => DnsLookupFamily::V4Preferred,
    }
}

fn load_assignment(name: &str, spec: &Spec, address: Option<(String, u16)>) -> ClusterLoadAssignment {
    let probed = spec.health_check.as_ref().and_then(|check| check.port);
    let endpoints = address.map(|(host, port)| LocalityLbEndpoints {
        lb_endpoints: vec![LbEndpoint {
            host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
                address: Some(pack::address(&host, port)),
                health_check_config: probed.map(|port| HealthCheckConfig {
                    port_value: port.into(),
                    ..HealthCheckConfig::default()
                }),
                ..Endpoint::default()
            })),
            ..LbEndpoint::default()
        }],
        ..LocalityLbEndpoints::default()
    });
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: endpoints.into_iter().collect(),
        ..ClusterLoadAssignment::default()
    }
}

fn circuit_breakers(spec: &Spec) -> CircuitBreakers {
    let limits = spec.limits;
    CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: Some(pack::uint32(limits.max_connections)),
            max_pending_requests: Some(pack::uint32(limits.max_pending_requests)),
            max_requests: Some(pack::uint32(limits.max_requests)),
            max_retries: Some(pack::uint32(limits.max_retries)),
            retry_budget: spec.retry_budget.map(|budget| thresholds::RetryBudget {
                budget_percent: Some(Percent { value: budget.percent }),
                min_retry_concurrency: Some(pack::uint32(budget.min_concurrency)),
                ..thresholds::RetryBudget::default()
            }),
            ..Thresholds::default()
        }],
        ..CircuitBreakers::default()
    }
}

fn outlier_detection(spec: OutlierSpec) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: Some(pack::uint32(spec.consecutive_5xx)),
        // Envoy refuses zero; its defaults are 10 s and 30 s.
        interval: (!spec.interval.is_zero()).then(|| pack::duration(spec.interval)),
        base_ejection_time: (!spec.base_ejection.is_zero()).then(|| pack::duration(spec.base_ejection)),
        max_ejection_percent: Some(pack::uint32(spec.max_ejection_percent)),
        // Envoy would also eject by comparing success rates, for which App Mesh has no field.
        enforcing_success_rate: Some(pack::uint32(0)),
        ..OutlierDetection::default()
    }
}

fn protocol_options(spec: &Spec, with_filter: bool) -> HashMap<String, Any> {
    let http_filters = if with_filter {
        upstream::filters(spec)
    } else {
        Vec::new()
    };
    let options = match spec.protocol {
        UpstreamProtocol::Tcp => return HashMap::new(),
        UpstreamProtocol::Http1 if http_filters.is_empty() => return HashMap::new(),
        UpstreamProtocol::Http1 => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())),
        }),
        UpstreamProtocol::Http2 => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
        }),
        UpstreamProtocol::Downstream => UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
            http_protocol_options: Some(Http1ProtocolOptions::default()),
            http2_protocol_options: Some(Http2ProtocolOptions::default()),
            http3_protocol_options: None,
        }),
    };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(options),
        http_filters,
        ..HttpProtocolOptions::default()
    };
    HashMap::from([(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
        pack::any(&options),
    )])
}

/// The secrets and the filter that a cluster names.
pub fn references(proxy: &Proxy, spec: &Spec, with_filter: bool) -> Vec<Reference> {
    let from = names::cluster(proxy, &spec.id);
    let filter = upstream::reference(spec).filter(|_| with_filter);
    let filter = filter.map(|name| Reference {
        type_url: EXTENSION_CONFIG,
        name,
        from: from.clone(),
    });
    let endpoints = matches!(spec.discovery, Discovery::Registry(_)).then(|| Reference {
        type_url: ENDPOINT,
        name: from.clone(),
        from: from.clone(),
    });
    let client = spec.tls.iter();
    client
        .flat_map(|client| tls::client_references(client, &from))
        .chain(filter)
        .chain(endpoints)
        .collect()
}
