//! A request's way through one proxy.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::choice::{self, Choice, Circumstances};
use super::connection::{connect, Connection};
use super::reason::{self, Failed};
use super::{arrive, rewritten_path, virtual_host, Request};
use crate::cluster::{Cluster, ClusterId, Discovery};
use crate::guard::Guards;
use crate::listener::{Http, Listener, Network, Tcp};
use crate::route::{Action, Domain, Forward, Label, Route, RouteTable, VirtualHost};
use crate::{Proxy, ProxyKind};

/// A request's way through one proxy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passage {
    /// The proxy: `virtualNode/front`.
    pub proxy: String,
    /// The listener: `egress, port 15001`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Its filter chains.
    pub chains: Vec<Candidate>,
    /// The virtual hosts of the chain's routes.
    pub hosts: Vec<Candidate>,
    /// The routes of the virtual host in the order in which they are tried.
    pub routes: Vec<Candidate>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// Something that could have taken the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// What it is.
    pub name: String,
    /// Whether it took it.
    pub chosen: bool,
    /// The conditions that do not hold; none where an earlier or more specific one took the request first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// What becomes of a request or connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Outcome {
    /// It goes on.
    Forward(Box<Forwarding>),
    /// The proxy answers.
    #[serde(rename_all = "camelCase")]
    Respond {
        /// HTTP status.
        status: u32,
        /// Why.
        because: String,
    },
    /// The connection is closed.
    #[serde(rename_all = "camelCase")]
    Close {
        /// Why.
        because: String,
    },
}

/// How it goes on.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Where to, by weight: of a ramp, what it has reached.
    pub targets: Vec<Share>,
    /// Which of them the filter chooses; absent where it has no choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// The host that the target sees; absent for bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path that the target sees; absent for bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Time for the whole exchange including retries, milliseconds; absent is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u64>,
    /// Time without bytes after which it is given up, milliseconds; absent is Envoy's own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_millis: Option<u64>,
    /// When it is tried again, in words; absent is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<String>,
    /// What it must pass before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
    /// Where copies go, with the share in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Share>,
    /// What the filter decides, as its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
}

/// A target with its share.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The target: `virtualNode/blue, http 8080`.
    pub target: String,
    /// Its cluster, as the proxy names it.
    pub cluster: String,
    /// Share of the requests in percent.
    pub percent: f64,
    /// How its tasks are found.
    pub discovery: String,
    /// Whether calls are encrypted.
    pub encrypted: bool,
    /// Which cluster it is, for those who follow it.
    #[serde(skip)]
    pub id: Option<ClusterId>,
}

/// A request's way through one proxy. `cluster_name` gives the name that a cluster has at the proxy.
pub fn pass(
    proxy: &Proxy,
    listener: Option<&Listener>,
    connection: &Connection,
    request: &Request,
    circumstances: &Circumstances,
    cluster_name: &dyn Fn(&Proxy, &ClusterId) -> String,
) -> Passage {
    let mut passage = Passage {
        proxy: match proxy.kind {
            ProxyKind::VirtualNode => format!("virtualNode/{}", proxy.name),
            ProxyKind::VirtualGateway => format!("virtualGateway/{}", proxy.name),
        },
        listener: listener.map(|listener| format!("{}, port {}", listener.direction.as_str(), listener.port)),
        chains: Vec::new(),
        hosts: Vec::new(),
        routes: Vec::new(),
        outcome: Outcome::Close {
            because: "the proxy does not listen there: the connection is refused".into(),
        },
    };
    let Some(listener) = listener else {
        return passage;
    };
    let connected = connect(listener, connection);
    passage.chains = connected.candidates;
    let sight = Sight {
        proxy,
        circumstances,
        cluster_name,
    };
    match connected.network {
        Err(because) => passage.outcome = Outcome::Close { because },
        Ok(Network::Tcp(tcp)) => passage.outcome = sight.bytes(tcp),
        Ok(Network::Http(http)) => sight.http(http, request, connected.decrypts, &mut passage),
    }
    passage
}

struct Sight<'p> {
    proxy: &'p Proxy,
    circumstances: &'p Circumstances,
    cluster_name: &'p dyn Fn(&Proxy, &ClusterId) -> String,
}

impl Sight<'_> {
    fn bytes(&self, tcp: &Tcp) -> Outcome {
        Outcome::Forward(Box::new(Forwarding {
            targets: self.shares(tcp.clusters.iter().map(|(id, weight)| (id, *weight))),
            idle_timeout_millis: tcp.idle_timeout.map(millis),
            ..Forwarding::default()
        }))
    }

    fn http(&self, http: &Http, request: &Request, encrypted: bool, passage: &mut Passage) {
        let seen = match arrive(http, request, encrypted) {
            Ok(seen) => seen,
            Err(because) => {
                passage.outcome = Outcome::Respond { status: 400, because };
                return;
            }
        };
        let Some(table) = self.proxy.route_tables.iter().find(|table| table.id == http.table) else {
            let because = "there are no routes for the port".into();
            passage.outcome = Outcome::Respond { status: 404, because };
            return;
        };
        let host = virtual_host(table, &seen.host);
        passage.hosts = hosts(table, host, &seen.host);
        let Some(host) = host else {
            passage.outcome = Outcome::Respond {
                status: 404,
                because: format!("no virtual host is for {:?}", seen.host),
            };
            return;
        };
        let chosen = super::route(&host.routes, &seen);
        let position = chosen.map(|(position, _)| position);
        passage.routes = host
            .routes
            .iter()
            .enumerate()
            .map(|(index, route)| Candidate {
                name: route_name(route),
                chosen: position == Some(index),
                failed: reason::failed(&route.matcher, &seen),
            })
            .collect();
        passage.outcome = match chosen {
            None => Outcome::Respond {
                status: 404,
                because: format!("virtual host {} has no route for it", host.name),
            },
            Some((_, route)) => self.met(route, &seen),
        };
    }

    fn met(&self, route: &Route, seen: &Request) -> Outcome {
        match &route.action {
            Action::Respond(status) => Outcome::Respond {
                status: *status,
                because: if route.label.route.is_none() && route.label.gateway_route.is_some() {
                    "the gateway route takes it, and its virtual service has no route for it".into()
                } else {
                    "the route answers itself, see its lints".into()
                },
            },
            Action::Forward(forward) => Outcome::Forward(Box::new(self.forward(route, forward, seen))),
        }
    }

    fn forward(&self, route: &Route, forward: &Forward, seen: &Request) -> Forwarding {
        let mut targets = self.shares(forward.targets.iter().map(|target| (&target.cluster, target.weight)));
        let policy = route.policy.as_ref();
        let choice =
            policy.and_then(|policy| choice::of(&policy.config, forward, seen, self.circumstances, &mut targets));
        Forwarding {
            targets,
            choice,
            host: Some(forward.host.clone().unwrap_or_else(|| seen.host.clone())),
            path: Some(rewritten_path(&seen.path, &route.matcher.path, forward.path.as_ref())),
            timeout_millis: (!forward.timeout.is_zero()).then(|| millis(forward.timeout)),
            idle_timeout_millis: forward.idle_timeout.map(millis),
            retries: forward.retry.as_ref().map(|retry| {
                let mut on: Vec<String> = retry.on.iter().map(|on| on.as_str().to_owned()).collect();
                on.extend(retry.status_codes.iter().map(u32::to_string));
                on.extend(retry.headers.iter().map(reason::describe_header));
                let each = retry
                    .per_try_timeout
                    .map(|limit| format!(", {} ms each", limit.as_millis()));
                format!("{} on {}{}", retry.max_retries, on.join(", "), each.unwrap_or_default())
            }),
            guards: guards(&route.guards),
            mirror: forward.mirror.as_ref().map(|mirror| Share {
                percent: f64::from(mirror.per_million) / 10_000.0,
                ..self.share(&mirror.cluster, 1, 1)
            }),
            policy: route
                .policy
                .as_ref()
                .and_then(|policy| serde_json::to_value(&policy.config).ok()),
        }
    }

    fn shares<'t>(&self, targets: impl Iterator<Item = (&'t ClusterId, u32)> + Clone) -> Vec<Share> {
        let sum = targets.clone().map(|(_, weight)| u64::from(weight)).sum::<u64>().max(1);
        targets.map(|(id, weight)| self.share(id, weight, sum)).collect()
    }

    fn share(&self, id: &ClusterId, weight: u32, sum: u64) -> Share {
        let cluster = self.proxy.clusters.iter().find(|cluster| cluster.id == *id);
        Share {
            target: target(id),
            cluster: (self.cluster_name)(self.proxy, id),
            percent: percent(weight.into(), sum),
            discovery: cluster.map_or_else(|| "not configured".into(), |cluster| discovery(cluster)),
            encrypted: cluster.is_some_and(|cluster| cluster.tls.is_some()),
            id: Some(id.clone()),
        }
    }
}

/// A share in percent, to three places.
pub(super) fn percent(weight: u64, sum: u64) -> f64 {
    (weight as f64 * 100_000.0 / sum as f64).round() / 1000.0
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The virtual hosts, and why those that did not take the request did not.
fn hosts(table: &RouteTable, chosen: Option<&VirtualHost>, host: &str) -> Vec<Candidate> {
    let candidate = |found: &Arc<VirtualHost>| {
        let names: Vec<String> = found.domains.iter().map(domain).collect();
        let alone = RouteTable {
            hosts: vec![Arc::new(VirtualHost {
                routes: Vec::new(),
                ..VirtualHost::clone(found)
            })],
            ..*table
        };
        let fits = virtual_host(&alone, host).is_some();
        let failed = (!fits).then(|| Failed::new(format!("host is {}", names.join(" or ")), Some(host)));
        Candidate {
            name: found.name.clone(),
            chosen: chosen.is_some_and(|chosen| chosen.name == found.name),
            failed: failed.into_iter().collect(),
        }
    };
    table.hosts.iter().map(candidate).collect()
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Exact(host) => host.clone(),
        Domain::Suffix(suffix) => format!("*{suffix}"),
        Domain::Any => "*".into(),
    }
}

fn route_name(route: &Route) -> String {
    let Label {
        gateway_route,
        virtual_service,
        route: name,
    } = &route.label;
    let parts: Vec<String> = [
        gateway_route.as_ref().map(|name| format!("gatewayRoute {name}")),
        virtual_service.as_ref().map(|name| format!("virtualService {name}")),
        name.as_ref().map(|name| format!("route {name}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let label = if parts.is_empty() {
        "every request".to_owned()
    } else {
        parts.join(", ")
    };
    format!("{label} ({})", reason::describe(&route.matcher))
}

fn guards(guards: &Guards) -> Vec<String> {
    let jwt = guards.jwt.as_ref().map(|guard| ("a token", &guard.policy));
    let authorization = guards
        .authorization
        .as_ref()
        .map(|guard| ("an authorization service", &guard.policy));
    let limit = guards
        .limit
        .as_ref()
        .map(|guard| ("a rate limit service", &guard.policy));
    let found = [jwt, authorization, limit].into_iter().flatten();
    found
        .map(|(what, policy)| format!("{what} (policy {policy})"))
        .collect()
}

/// A cluster as its mesh knows it.
pub(super) fn target(id: &ClusterId) -> String {
    match id {
        ClusterId::Node { node, protocol, port } => format!("virtualNode/{node}, {} {port}", protocol.as_str()),
        ClusterId::Application { protocol, port } => format!("the application, {} {port}", protocol.as_str()),
        ClusterId::Service { host, port, .. } => format!("{host}:{port}"),
        ClusterId::AmazonAws => "where the connection wanted to go (*.amazonaws.com)".into(),
        ClusterId::AllowAll => "where the connection wanted to go (egress ALLOW_ALL)".into(),
        other => format!("{other:?}"),
    }
}

fn discovery(cluster: &Cluster) -> String {
    match &cluster.discovery {
        Discovery::Static(address) => address.to_string(),
        Discovery::Dns { hostname, port, .. } => format!("DNS {hostname}:{port}"),
        Discovery::OriginalDestination => "the original destination".into(),
        Discovery::Nowhere => "nowhere: answered with 503".into(),
        other => format!("{other:?}"),
    }
}
