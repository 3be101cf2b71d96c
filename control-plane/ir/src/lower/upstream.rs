//! Targets: which listener of a virtual node a caller means, and the cluster for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ferromesh_model::resource::{
    AwsCloudMapServiceDiscovery, DnsResponseType, HealthCheckPolicy, Listener, PortMapping, PortProtocol,
    ServiceDiscovery, VirtualNodeConnectionPool, VirtualNodeSpec,
};

use super::{address_family, count, health, millis, port, registered_family, Lowering};
use crate::cluster::{
    Cluster, ClusterId, Discovery, DnsAnswer, HealthCheck, Limits, OutlierDetection, Probe, UpstreamProtocol,
};
use crate::lint::Code;
use crate::registry::Query;

/// Time allowed for a connection to another node.
const EGRESS_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time allowed for a connection to the application beside the proxy.
const INGRESS_CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// What a caller wants of a target.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Port that the route names.
    pub port: Option<i64>,
    /// Port and protocol that the client dialled.
    pub dialled: PortMapping,
}

impl Lowering<'_> {
    /// The cluster for a target. A target that cannot be found gets one without tasks, which answers 503: its share of the
    /// traffic fails visibly, the other targets' shares do not change.
    pub fn target(&mut self, node: &str, wanted: Wanted, resource: &str) -> ClusterId {
        let Some(spec) = self.mesh.virtual_node(node) else {
            self.lint(
                Code::TargetMissing,
                resource,
                format!("target virtual node {node} does not exist: its share is answered with 503"),
            );
            return self.nowhere(node, wanted);
        };
        match choose_listener(spec, wanted) {
            Ok(listener) => {
                let listener = listener.clone();
                self.note_protocol(node, &listener, wanted, resource);
                self.node_cluster(node, spec, &listener)
            }
            Err(problem) => {
                self.lint(
                    Code::TargetWithoutListener,
                    resource,
                    format!("target virtual node {node} {problem}: its share is answered with 503"),
                );
                self.nowhere(node, wanted)
            }
        }
    }

    fn note_protocol(&mut self, node: &str, listener: &Listener, wanted: Wanted, resource: &str) {
        let (have, want) = (listener.port_mapping.protocol, wanted.dialled.protocol);
        if have != want {
            self.lint(
                Code::TargetProtocol,
                resource,
                format!(
                    "target virtual node {node} speaks {} on port {}, the route is for {}",
                    have.as_str(),
                    listener.port_mapping.port,
                    want.as_str()
                ),
            );
        }
    }

    fn nowhere(&mut self, node: &str, wanted: Wanted) -> ClusterId {
        let id = ClusterId::Node {
            node: node.to_owned(),
            protocol: wanted.dialled.protocol,
            port: port(wanted.port.unwrap_or(wanted.dialled.port)),
        };
        let cluster = self.plain_cluster(id.clone(), Discovery::Nowhere, UpstreamProtocol::Http1);
        self.clusters.entry(id.clone()).or_insert(Arc::new(cluster));
        id
    }

    fn node_cluster(&mut self, node: &str, spec: &VirtualNodeSpec, listener: &Listener) -> ClusterId {
        let mapping = listener.port_mapping;
        let id = ClusterId::Node {
            node: node.to_owned(),
            protocol: mapping.protocol,
            port: port(mapping.port),
        };
        let tls = self.towards(node, spec, listener);
        let discovery = self.discovery(node, spec, listener);
        let mut cluster = self.plain_cluster(id.clone(), discovery, upstream_protocol(mapping.protocol));
        let host = match &cluster.discovery {
            Discovery::Dns { hostname, .. } => Some(hostname.clone()),
            Discovery::Registry(query) => Some(query.host()),
            _ => None,
        };
        if let (Some(check), Some(host)) = (&listener.health_check, host) {
            let check = health_check(check, &host, mapping.port);
            match health::problem(&check, cluster.protocol) {
                None => cluster.health_check = Some(check),
                Some(problem) => self.lint(
                    Code::HealthCheckLeftOut,
                    format!("virtualNode/{node}"),
                    format!("the health check of port {} is left out: {problem}", mapping.port),
                ),
            }
        }
        cluster.outlier_detection = listener.outlier_detection.map(|spec| OutlierDetection {
            consecutive_5xx: count(spec.max_server_errors),
            interval: spec.interval.as_std().unwrap_or_default(),
            base_ejection: spec.base_ejection_duration.as_std().unwrap_or_default(),
            max_ejection_percent: count(spec.max_ejection_percent),
        });
        cluster.tls = tls;
        self.put_cluster(Arc::new(cluster));
        id
    }

    /// Adds a cluster that another backend may have, too.
    pub(super) fn put_cluster(&mut self, cluster: Arc<Cluster>) {
        let id = &cluster.id;
        match (self.clusters.get_mut(id), id) {
            // A cluster that another backend already had to close (TLS) stays closed.
            (Some(known), ClusterId::Node { .. }) if known.discovery == Discovery::Nowhere => {}
            (Some(known), ClusterId::Node { node, port, .. })
                if known.tls != cluster.tls && cluster.discovery != Discovery::Nowhere =>
            {
                // One cluster cannot do both, and which of them is meant nobody can know.
                let known = Arc::make_mut(known);
                known.discovery = Discovery::Nowhere;
                known.tls = None;
                known.health_check = None;
                self.lint(
                    Code::TlsPolicies,
                    format!("virtualNode/{node}"),
                    format!(
                        "backends of {} have different TLS policies for port {port}: calls to it are answered with 503",
                        self.name
                    ),
                );
            }
            _ => {
                self.clusters.insert(id.clone(), cluster);
            }
        }
    }

    fn discovery(&mut self, node: &str, spec: &VirtualNodeSpec, listener: &Listener) -> Discovery {
        let resource = format!("virtualNode/{node}");
        match &spec.service_discovery {
            Some(ServiceDiscovery::Dns(dns)) if !health::is_host(&dns.hostname) => {
                let message = format!(
                    "host name {:?} cannot be looked up: calls to it are answered with 503",
                    dns.hostname
                );
                self.lint(Code::HostName, resource, message);
                Discovery::Nowhere
            }
            Some(ServiceDiscovery::Dns(dns)) => Discovery::Dns {
                hostname: dns.hostname.clone(),
                port: port(listener.port_mapping.port),
                answer: match dns.response_type {
                    Some(DnsResponseType::Endpoints) => DnsAnswer::Tasks,
                    Some(DnsResponseType::Loadbalancer) | None => DnsAnswer::LoadBalancer,
                },
                family: address_family(dns.ip_preference.or_else(|| self.mesh_preference())),
            },
            Some(ServiceDiscovery::AwsCloudMap(map)) => Discovery::Registry(self.query(map, listener)),
            None => {
                self.lint(
                    Code::NoDiscovery,
                    resource,
                    "it has no service discovery: calls to it are answered with 503",
                );
                Discovery::Nowhere
            }
        }
    }

    fn query(&self, map: &AwsCloudMapServiceDiscovery, listener: &Listener) -> Query {
        let attributes = map.attributes.iter();
        Query {
            namespace: map.namespace_name.clone(),
            service: map.service_name.clone(),
            attributes: attributes
                .map(|attribute| (attribute.key.clone(), attribute.value.clone()))
                .collect(),
            port: port(listener.port_mapping.port),
            family: registered_family(map.ip_preference.or_else(|| self.mesh_preference())),
        }
    }

    /// A cluster with the limits of calls to other nodes.
    pub fn plain_cluster(&self, id: ClusterId, discovery: Discovery, protocol: UpstreamProtocol) -> Cluster {
        Cluster {
            id,
            discovery,
            protocol,
            tls: None,
            connect_timeout: EGRESS_CONNECT_TIMEOUT,
            limits: self.limits,
            retry_budget: self.options.retry_budget,
            exact_budget: None,
            health_check: None,
            outlier_detection: None,
        }
    }

    /// The cluster of the application beside the proxy.
    pub fn application(&mut self, listener: &Listener) -> ClusterId {
        let mapping = listener.port_mapping;
        let id = ClusterId::Application {
            protocol: mapping.protocol,
            port: port(mapping.port),
        };
        let cluster = Cluster {
            id: id.clone(),
            discovery: Discovery::Static(SocketAddr::new(self.loopback(), port(mapping.port))),
            protocol: upstream_protocol(mapping.protocol),
            tls: None,
            connect_timeout: INGRESS_CONNECT_TIMEOUT,
            limits: application_limits(self.options.limits, listener.connection_pool.as_ref()),
            retry_budget: None,
            exact_budget: None,
            health_check: None,
            outlier_detection: None,
        };
        self.clusters.insert(id.clone(), Arc::new(cluster));
        id
    }
}

fn choose_listener(spec: &VirtualNodeSpec, wanted: Wanted) -> Result<&Listener, String> {
    let ports = || {
        let ports: Vec<String> = spec
            .listeners
            .iter()
            .map(|listener| listener.port_mapping.port.to_string())
            .collect();
        ports.join(", ")
    };
    if let Some(port) = wanted.port {
        return spec
            .listeners
            .iter()
            .find(|listener| listener.port_mapping.port == port)
            .ok_or_else(|| format!("has no listener on port {port} (it has {})", ports()));
    }
    match spec.listeners.as_slice() {
        [] => Err("has no listeners".into()),
        [only] => Ok(only),
        several => {
            let same_protocol: Vec<&Listener> = several
                .iter()
                .filter(|listener| listener.port_mapping.protocol == wanted.dialled.protocol)
                .collect();
            let same_port = several.iter().find(|listener| listener.port_mapping == wanted.dialled);
            match (same_protocol.as_slice(), same_port) {
                ([only], _) => Ok(only),
                (_, Some(listener)) => Ok(listener),
                _ => Err(format!("listens on ports {}, and the target names none", ports())),
            }
        }
    }
}

fn upstream_protocol(protocol: PortProtocol) -> UpstreamProtocol {
    match protocol {
        PortProtocol::Http => UpstreamProtocol::Http1,
        PortProtocol::Http2 | PortProtocol::Grpc => UpstreamProtocol::Http2,
        PortProtocol::Tcp => UpstreamProtocol::Tcp,
    }
}

fn health_check(spec: &HealthCheckPolicy, hostname: &str, listener_port: i64) -> HealthCheck {
    let probed = spec.port.unwrap_or(listener_port);
    let host = format!("{hostname}:{probed}");
    let path = spec.path.clone().unwrap_or_else(|| "/".into());
    HealthCheck {
        probe: match spec.protocol {
            PortProtocol::Http => Probe::Http { host, path },
            PortProtocol::Http2 => Probe::Http2 { host, path },
            PortProtocol::Grpc => Probe::Grpc,
            PortProtocol::Tcp => Probe::Tcp,
        },
        port: (probed != listener_port).then(|| port(probed)),
        interval: millis(spec.interval_millis),
        timeout: millis(spec.timeout_millis),
        healthy_threshold: count(spec.healthy_threshold),
        unhealthy_threshold: count(spec.unhealthy_threshold),
    }
}

/// The connection pool protects the application, so it limits the cluster towards it.
fn application_limits(without: Limits, pool: Option<&VirtualNodeConnectionPool>) -> Limits {
    match pool {
        None => without,
        Some(VirtualNodeConnectionPool::Http(pool)) => Limits {
            max_connections: count(pool.max_connections),
            max_pending_requests: pool
                .max_pending_requests
                .map_or(Limits::NONE.max_pending_requests, count),
            ..without
        },
        Some(VirtualNodeConnectionPool::Http2(pool) | VirtualNodeConnectionPool::Grpc(pool)) => Limits {
            max_requests: count(pool.max_requests),
            ..without
        },
        Some(VirtualNodeConnectionPool::Tcp(pool)) => Limits {
            max_connections: count(pool.max_connections),
            ..without
        },
    }
}
