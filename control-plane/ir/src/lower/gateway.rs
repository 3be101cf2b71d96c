//! Virtual gateways: listeners, virtual hosts by host name, gateway routes in front of service routes.

pub(super) mod hops;

use std::collections::BTreeMap;
use std::sync::Arc;

use ferromesh_model::mesh::{GatewayRoute, VirtualGateway};
use ferromesh_model::resource::{
    GatewayRouteTarget, PortMapping, PortProtocol, VirtualGatewayConnectionPool, VirtualGatewayListener,
    VirtualGatewayPortProtocol,
};

use super::compose::{compose, Hop};
use super::node::believing;
use super::rank::Rank;
use super::{access_log, count, port, Lowering};
use crate::cluster::Limits;
use crate::lint::Code;
use crate::listener::{Chain, ClientAddress, ClientCertificate, Direction, Http, Listener, Network};
use crate::route::{Domain, Route, RouteTable, TableId, VirtualHost};
use crate::tls::Accepts;
use crate::{Proxy, ProxyKind, Reporter};

impl Lowering<'_> {
    pub(super) fn gateway(&mut self, gateway: &VirtualGateway) -> Proxy {
        let resource = format!("virtualGateway/{}", self.name);
        let defaults = gateway.spec.backend_defaults.as_ref();
        let policy = defaults.and_then(|defaults| defaults.client_policy.as_ref());
        self.client_policy = policy.and_then(|policy| policy.tls.clone());
        self.limits = self.gateway_limits(&gateway.spec.listeners, &resource);
        self.note_log_format(gateway.spec.logging.as_ref());

        let mut listeners = Vec::new();
        let mut route_tables = Vec::new();
        for spec in &gateway.spec.listeners {
            let mapping = spec.port_mapping;
            let duplicate = listeners
                .iter()
                .any(|known: &Listener| i64::from(known.port) == mapping.port);
            if duplicate {
                self.lint(
                    Code::PortTwice,
                    &resource,
                    format!("port {} occurs twice: the first listener has it", mapping.port),
                );
                continue;
            }
            let tls = spec.tls.as_ref();
            let accepts = self.accepts(&resource, mapping.port, protocol(mapping.protocol), tls);
            let id = TableId {
                direction: Direction::Ingress,
                port: port(mapping.port),
            };
            listeners.push(self.gateway_listener(spec, id, accepts, gateway));
            route_tables.push(RouteTable {
                id,
                ignore_host_port: true,
                hosts: self.gateway_hosts(spec, &gateway.routes),
            });
        }
        self.note_routes_without_listener(gateway);
        self.finish(ProxyKind::VirtualGateway, listeners, route_tables)
    }

    fn gateway_listener(
        &self,
        spec: &VirtualGatewayListener,
        id: TableId,
        accepts: Accepts,
        gateway: &VirtualGateway,
    ) -> Listener {
        let http = Http {
            direction: Direction::Ingress,
            protocol: protocol(spec.port_mapping.protocol),
            port: id.port,
            table: id,
            reporter: Reporter::Gateway,
            client_address: if self.options.append_client_address {
                ClientAddress::Append
            } else {
                ClientAddress::PassOn
            },
            trusted_hops: 0,
            client_certificate: ClientCertificate::default(),
            drops_retry_mark: true,
            websocket: self.options.websocket,
            normalize_paths: self.options.normalize_paths,
            access_log: access_log::access_log(gateway.spec.logging.as_ref()),
        };
        let http = believing(http, &self.settings(None, None).forwarded);
        Listener {
            direction: Direction::Ingress,
            bind: self.bind(),
            port: id.port,
            redirected: false,
            chains: vec![Chain {
                port: id.port,
                server_names: Vec::new(),
                accepts,
                network: Network::Http(http),
            }],
            otherwise: None,
        }
    }

    /// The gateway's connection pool sat on the hop between its two listeners. With one hop there is no such place; the
    /// pool now limits each cluster, of all listeners the most generous.
    fn gateway_limits(&mut self, listeners: &[VirtualGatewayListener], resource: &str) -> Limits {
        let without = self.options.limits;
        let pools: Vec<Limits> = listeners
            .iter()
            .map(|listener| match listener.connection_pool {
                None => without,
                Some(VirtualGatewayConnectionPool::Http(pool)) => Limits {
                    max_connections: count(pool.max_connections),
                    max_pending_requests: pool
                        .max_pending_requests
                        .map_or(Limits::NONE.max_pending_requests, count),
                    ..without
                },
                Some(VirtualGatewayConnectionPool::Http2(pool) | VirtualGatewayConnectionPool::Grpc(pool)) => Limits {
                    max_requests: count(pool.max_requests),
                    ..without
                },
            })
            .collect();
        if listeners.iter().any(|listener| listener.connection_pool.is_some()) {
            self.lint(
                Code::GatewayPoolPerTarget,
                resource,
                "its connection pools limit each target, not all of them together",
            );
        }
        let most = |of: fn(&Limits) -> u32, or: u32| pools.iter().map(of).max().unwrap_or(or);
        Limits {
            max_connections: most(|pool| pool.max_connections, without.max_connections),
            max_pending_requests: most(|pool| pool.max_pending_requests, without.max_pending_requests),
            max_requests: most(|pool| pool.max_requests, without.max_requests),
            max_retries: without.max_retries,
        }
    }

    /// Virtual hosts of one listener. A host name that gateway routes name has a virtual host of its own, and requests for
    /// it do not fall through to gateway routes without one: so it was in App Mesh.
    fn gateway_hosts(&mut self, listener: &VirtualGatewayListener, routes: &[GatewayRoute]) -> Vec<Arc<VirtualHost>> {
        let mut by_domain: BTreeMap<Domain, Vec<(Rank, Vec<Route>)>> = BTreeMap::new();
        for route in routes {
            if !applies(route, listener) {
                continue;
            }
            let resource = format!("virtualGateway/{}/gatewayRoute/{}", self.name, route.name);
            match self.hops(route, &resource) {
                Ok((rank, domain, hops, target)) => {
                    self.gateway_route = Some(route.name.clone());
                    let routes = self.behind(&hops, &target, &resource);
                    self.gateway_route = None;
                    by_domain.entry(domain).or_default().push((rank, routes));
                }
                Err(problem) => self.lint(
                    Code::GatewayRouteLeftOut,
                    resource,
                    format!("it is left out: {problem}"),
                ),
            }
        }
        by_domain
            .into_iter()
            .map(|(domain, mut ranked)| {
                ranked.sort_by(|(a, _), (b, _)| a.compare(b));
                Arc::new(VirtualHost {
                    name: match &domain {
                        Domain::Any => "*".into(),
                        Domain::Exact(host) => host.clone(),
                        Domain::Suffix(suffix) => format!("*{suffix}"),
                    },
                    domains: vec![domain],
                    routes: ranked.into_iter().flat_map(|(_, routes)| routes).collect(),
                })
            })
            .collect()
    }

    /// The service's routes behind the hops of one gateway route.
    fn behind(&mut self, hops: &[Hop], target: &GatewayRouteTarget, resource: &str) -> Vec<Route> {
        let service = target.virtual_service.virtual_service_name.as_str();
        let routes = match self.target_port(service, target.port) {
            Ok(dialled) => self.service_routes(service, dialled),
            Err(problem) => {
                self.lint(
                    Code::GatewayRouteWithoutService,
                    resource,
                    format!("virtual service {service} {problem}: answered with 404"),
                );
                Vec::new()
            }
        };
        let mut composed = Vec::new();
        for hop in hops {
            let (mut routes, problems) = compose(hop, &routes);
            composed.append(&mut routes);
            for problem in problems {
                self.lint(Code::ServiceRouteLeftOut, resource, problem);
            }
        }
        composed
    }

    fn target_port(&self, service: &str, wanted: Option<i64>) -> Result<PortMapping, String> {
        let ports = self.service_ports(service);
        let names = || {
            ports
                .iter()
                .map(|mapping| mapping.port.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let chosen = match (wanted, ports.as_slice()) {
            (_, []) => Err("has no provider with listeners".to_owned()),
            (Some(port), _) => ports
                .iter()
                .find(|mapping| mapping.port == port)
                .copied()
                .ok_or_else(|| format!("has no port {port} (it has {})", names())),
            (None, [only]) => Ok(*only),
            (None, _) => Err(format!("has ports {}, and the target names none", names())),
        }?;
        if chosen.protocol == PortProtocol::Tcp {
            return Err(format!("speaks tcp on port {}", chosen.port));
        }
        Ok(chosen)
    }

    fn note_routes_without_listener(&mut self, gateway: &VirtualGateway) {
        for route in &gateway.routes {
            if !gateway.spec.listeners.iter().any(|listener| applies(route, listener)) {
                self.lint(
                    Code::GatewayRouteWithoutListener,
                    format!("virtualGateway/{}/gatewayRoute/{}", self.name, route.name),
                    "the gateway has no listener of its protocol and port",
                );
            }
        }
    }
}

/// Whether a gateway route is for this listener: same protocol, and the same port if it names one.
fn applies(route: &GatewayRoute, listener: &VirtualGatewayListener) -> bool {
    let spec = &route.spec;
    let (port, of_protocol) = match listener.port_mapping.protocol {
        VirtualGatewayPortProtocol::Http => (
            spec.http_route.as_ref().map(|route| route.r#match.port),
            spec.http_route.is_some(),
        ),
        VirtualGatewayPortProtocol::Http2 => (
            spec.http2_route.as_ref().map(|route| route.r#match.port),
            spec.http2_route.is_some(),
        ),
        VirtualGatewayPortProtocol::Grpc => (
            spec.grpc_route.as_ref().map(|route| route.r#match.port),
            spec.grpc_route.is_some(),
        ),
    };
    of_protocol && port.flatten().is_none_or(|port| port == listener.port_mapping.port)
}

fn protocol(protocol: VirtualGatewayPortProtocol) -> PortProtocol {
    match protocol {
        VirtualGatewayPortProtocol::Http => PortProtocol::Http,
        VirtualGatewayPortProtocol::Http2 => PortProtocol::Http2,
        VirtualGatewayPortProtocol::Grpc => PortProtocol::Grpc,
    }
}
