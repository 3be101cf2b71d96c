//! A virtual service: the ports it is called on, and its routes.

use std::time::Duration;

use ferromesh_model::mesh::Route as RouteResource;
use ferromesh_model::resource::{
    HttpTimeout, PortMapping, PortProtocol, RouteSpec, VirtualServiceProvider, WeightedTarget,
};

use super::guard::Entrance;
use super::policy::Refused;
use super::rank::Rank;
use super::retry::{self, Regardless};
use super::upstream::Wanted;
use super::{conditions, count, Lowering};
use crate::guard::Guards;
use crate::lint::Code;
use crate::matcher::{Match, PathMatch};
use crate::options::DefaultRetry;
use crate::route::{Action, Forward, Label, Retry, Route, Target};
use crate::ProxyKind;

/// Name of the implicit route of a service whose provider is a virtual node.
pub const IMPLICIT_ROUTE: &str = "default";

/// A route before it is divided by method.
struct Planned<'r> {
    label: Label,
    /// Router and route, for policies.
    origin: Option<(&'r str, &'r str)>,
    resource: String,
    matcher: Match,
    targets: &'r [WeightedTarget],
    timeout: Option<HttpTimeout>,
    retry: Option<Retry>,
    regardless: Regardless,
}

impl Lowering<'_> {
    /// The ports on which a virtual service is called: its router's listeners, or its node's.
    pub fn service_ports(&self, service: &str) -> Vec<PortMapping> {
        let provider = self
            .mesh
            .virtual_service(service)
            .and_then(|spec| spec.provider.as_ref());
        match provider {
            None => Vec::new(),
            Some(VirtualServiceProvider::VirtualRouter(provider)) => self
                .mesh
                .virtual_router(&provider.virtual_router_name)
                .map(|router| {
                    router
                        .spec
                        .listeners
                        .iter()
                        .map(|listener| listener.port_mapping)
                        .collect()
                })
                .unwrap_or_default(),
            Some(VirtualServiceProvider::VirtualNode(provider)) => self
                .mesh
                .virtual_node(&provider.virtual_node_name)
                .map(|node| node.listeners.iter().map(|listener| listener.port_mapping).collect())
                .unwrap_or_default(),
        }
    }

    /// A virtual service's routes on one of its ports, in the order in which they are tried.
    pub fn service_routes(&mut self, service: &str, dialled: PortMapping) -> Vec<Route> {
        let provider = self
            .mesh
            .virtual_service(service)
            .and_then(|spec| spec.provider.as_ref());
        match provider {
            None => Vec::new(),
            Some(VirtualServiceProvider::VirtualNode(provider)) => {
                self.implicit_route(service, &provider.virtual_node_name, dialled)
            }
            Some(VirtualServiceProvider::VirtualRouter(provider)) => {
                let name = provider.virtual_router_name.as_str();
                match self.mesh.virtual_router(name) {
                    Some(router) => self.router_routes(service, name, &router.routes, dialled),
                    None => Vec::new(),
                }
            }
        }
    }

    fn implicit_route(&mut self, service: &str, node: &str, dialled: PortMapping) -> Vec<Route> {
        let target = WeightedTarget {
            port: Some(dialled.port),
            virtual_node: node.to_owned(),
            weight: 1,
        };
        let planned = Planned {
            label: Label {
                gateway_route: None,
                virtual_service: Some(service.to_owned()),
                route: Some(IMPLICIT_ROUTE.to_owned()),
            },
            origin: None,
            resource: format!("virtualService/{service}"),
            matcher: Match::path(PathMatch::Prefix("/".into())),
            targets: std::slice::from_ref(&target),
            timeout: None,
            retry: None,
            regardless: regardless(dialled.protocol),
        };
        let planned = Planned {
            retry: self.default_retry(),
            ..planned
        };
        self.plan(service, dialled, planned)
    }

    fn router_routes(
        &mut self,
        service: &str,
        router: &str,
        routes: &[RouteResource],
        dialled: PortMapping,
    ) -> Vec<Route> {
        let mut ranked = Vec::new();
        for route in routes {
            let resource = format!("virtualRouter/{router}/route/{}", route.name);
            let Some(planned) = self.plan_route(service, router, route, dialled, resource.clone()) else {
                continue;
            };
            match planned {
                Ok(planned) => {
                    let rank = Rank::new(route.spec.priority, &planned.matcher, route.created_at, &route.name);
                    ranked.push((rank, planned));
                }
                Err(problem) => self.lint(Code::RouteLeftOut, resource, format!("it is left out: {problem}")),
            }
        }
        ranked.sort_by(|(a, _), (b, _)| a.compare(b));
        ranked
            .into_iter()
            .flat_map(|(_, planned)| self.plan(service, dialled, planned))
            .collect()
    }

    /// `None` if the route is for another port, or for bytes.
    fn plan_route<'r>(
        &mut self,
        service: &str,
        router: &'r str,
        route: &'r RouteResource,
        dialled: PortMapping,
        resource: String,
    ) -> Option<Result<Planned<'r>, String>> {
        let spec: &RouteSpec = &route.spec;
        let label = Label {
            gateway_route: None,
            virtual_service: Some(service.to_owned()),
            route: Some(route.name.clone()),
        };
        let (for_port, protocol, matcher) = if let Some(http) = spec.http_route.as_ref().or(spec.http2_route.as_ref()) {
            let protocol = if spec.http_route.is_some() {
                PortProtocol::Http
            } else {
                PortProtocol::Http2
            };
            (http.r#match.port, protocol, conditions::http_route(&http.r#match))
        } else if let Some(grpc) = &spec.grpc_route {
            (
                grpc.r#match.port,
                PortProtocol::Grpc,
                conditions::grpc_route(&grpc.r#match),
            )
        } else {
            self.lint(
                Code::RouteNotForHttp,
                resource,
                format!("it is left out on port {}: it is not for HTTP", dialled.port),
            );
            return None;
        };
        if for_port.is_some_and(|port| port != dialled.port) {
            return None;
        }
        if protocol != dialled.protocol {
            self.lint(
                Code::RouteProtocol,
                resource.clone(),
                format!(
                    "it is for {}, the router's listener on port {} is for {}",
                    protocol.as_str(),
                    dialled.port,
                    dialled.protocol.as_str()
                ),
            );
        }
        Some(matcher.map(|matcher| self.planned(router, route, label, resource, matcher, protocol)))
    }

    fn planned<'r>(
        &self,
        router: &'r str,
        route: &'r RouteResource,
        label: Label,
        resource: String,
        matcher: Match,
        protocol: PortProtocol,
    ) -> Planned<'r> {
        let spec = &route.spec;
        let http = spec.http_route.as_ref().or(spec.http2_route.as_ref());
        let grpc = spec.grpc_route.as_ref();
        let retry = match (
            http.and_then(|http| http.retry_policy.as_ref()),
            grpc.and_then(|grpc| grpc.retry_policy.as_ref()),
        ) {
            (Some(policy), _) => retry::http(policy),
            (None, Some(policy)) => retry::grpc(policy),
            (None, None) => self.default_retry(),
        };
        Planned {
            label,
            origin: Some((router, &route.name)),
            resource,
            matcher,
            targets: http
                .map(|http| http.action.weighted_targets.as_slice())
                .or(grpc.map(|grpc| grpc.action.weighted_targets.as_slice()))
                .unwrap_or_default(),
            timeout: http
                .and_then(|http| http.timeout)
                .or(grpc.and_then(|grpc| grpc.timeout)),
            retry,
            regardless: regardless(protocol),
        }
    }

    fn default_retry(&self) -> Option<Retry> {
        (self.options.default_retry == DefaultRetry::Enabled).then(retry::default_policy)
    }

    /// The Envoy routes of one route.
    fn plan(&mut self, service: &str, dialled: PortMapping, planned: Planned<'_>) -> Vec<Route> {
        let settings = self.settings(Some(service), planned.origin);
        let targets: Vec<Target> = planned
            .targets
            .iter()
            .map(|target| Target {
                cluster: self.target(
                    &target.virtual_node,
                    Wanted {
                        port: target.port,
                        dialled,
                    },
                    &planned.resource,
                ),
                weight: count(target.weight),
            })
            .collect();
        if targets.iter().all(|target| target.weight == 0) {
            self.lint(
                Code::NoWeight,
                &planned.resource,
                "the sum of its weights is 0: its requests are answered with 503",
            );
            return vec![Route {
                label: planned.label,
                matcher: planned.matcher,
                action: Action::Respond(503),
                policy: None,
                guards: Guards::default(),
            }];
        }
        let mut retry = settings.retries(planned.retry);
        let tries_others = retry.is_some() && self.tries_others(&settings, &targets, &planned.resource);
        if tries_others {
            retry = retry.map(|retry| self.elsewhere(retry, &targets, &planned.resource));
        }
        if retry.is_some() {
            self.note_budgets(&settings, service, &targets, &planned.resource);
        }
        if retry
            .as_ref()
            .is_some_and(|retry| retry.hedged && retry.per_try_timeout.is_none())
        {
            self.lint(
                Code::HedgingWithoutTime,
                &planned.resource,
                "its hedging has no effect: it has no time for one attempt (perRetryTimeout)",
            );
        }
        let (timeout, idle_timeout) = timeouts(planned.timeout, self.options.request_timeout);
        let forward = Forward {
            targets,
            host: None,
            path: None,
            timeout,
            idle_timeout,
            retry: None,
            mirror: self.mirror(&settings, dialled, &planned.resource),
        };
        let entrance = match self.kind {
            ProxyKind::VirtualGateway => Entrance::Here,
            ProxyKind::VirtualNode => Entrance::Earlier,
        };
        self.note_switched_off(&settings, entrance, &planned.resource);
        let guards = self.guards(&settings, entrance, &planned.resource);
        let key = settings.retry.idempotency_key_header.as_deref();
        let regardless = settings.regardless(planned.regardless);
        let mut variants = retry::by_method(planned.matcher.clone(), retry, regardless, key);
        // At the edge of the mesh nobody has retried yet, whatever a client says.
        if entrance == Entrance::Earlier && settings.is_first_hop_only() {
            variants = retry::unless_marked(&planned.matcher, variants);
        }
        variants
            .into_iter()
            .map(|(matcher, retry)| {
                let (label, targets) = (&planned.label, &forward.targets);
                let decided = self.route_policy(&settings, label, targets, retry.as_ref(), &planned.resource);
                let (action, policy) = match decided {
                    Ok(policy) => {
                        let retry = retry.map(Box::new);
                        let forward = forward.clone();
                        (Action::Forward(Forward { retry, ..forward }), policy)
                    }
                    Err(Refused) => (Action::Respond(503), None),
                };
                Route {
                    label: planned.label.clone(),
                    matcher,
                    action,
                    policy,
                    guards: guards.clone(),
                }
            })
            .collect()
    }
}

fn regardless(protocol: PortProtocol) -> Regardless {
    match protocol {
        PortProtocol::Grpc => Regardless::Always,
        PortProtocol::Http | PortProtocol::Http2 | PortProtocol::Tcp => Regardless::IfIdempotent,
    }
}

/// Request and idle timeout.
pub fn timeouts(spec: Option<HttpTimeout>, default: Duration) -> (Duration, Option<Duration>) {
    let of = |duration: Option<ferromesh_model::resource::Duration>| duration.and_then(|duration| duration.as_std());
    (
        of(spec.and_then(|spec| spec.per_request)).unwrap_or(default),
        of(spec.and_then(|spec| spec.idle)),
    )
}
