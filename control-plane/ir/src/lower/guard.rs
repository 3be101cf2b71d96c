//! Guards, mirrors and budgets: settings of a route that Envoy carries out itself.

use std::sync::Arc;
use std::time::Duration;

use ferromesh_model::policy::{
    host_and_port, BudgetMode, ExtAuthz, GlobalRateLimit, Jwt, JwtRequirement, OnFailure, ServiceAt,
};
use ferromesh_model::resource::{PortMapping, PortProtocol};
use ferromesh_policy::mesh::UpstreamConfig;

use super::part::Exact;
use super::settings::{Named, Settings};
use super::upstream::Wanted;
use super::Lowering;
use crate::cluster::{AddressFamily, ClusterId, Discovery, DnsAnswer, RetryBudget, UpstreamProtocol};
use crate::guard::{Authorization, AuthorizationProtocol, GlobalLimit, Guard, Guards};
use crate::lint::Code;
use crate::route::{Mirror, Target};

/// Time for an answer of an authorization service: Envoy's.
const AUTHORIZATION_TIMEOUT_MILLIS: u32 = 200;
/// Time for an answer of a rate limit service: Envoy's.
const LIMIT_TIMEOUT_MILLIS: u32 = 20;

/// Where requests enter, and so must show who they are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Here.
    Here,
    /// At an earlier proxy.
    Earlier,
}

impl Lowering<'_> {
    /// What requests of a route must pass.
    pub fn guards(&mut self, settings: &Settings<'_>, entrance: Entrance, resource: &str) -> Guards {
        let enters = entrance == Entrance::Here;
        let global = settings
            .rate_limit
            .and_then(|(name, limits)| Some((name, limits.global.as_ref()?)));
        Guards {
            jwt: settings.jwt.filter(|_| enters).and_then(|jwt| self.jwt(jwt)),
            authorization: settings
                .ext_authz
                .filter(|_| enters)
                .and_then(|authz| self.authorization(authz, resource)),
            limit: global.map(|global| self.global_limit(global, resource)),
        }
    }

    fn jwt(&mut self, (policy, jwt): Named<'_, Jwt>) -> Option<Guard<Jwt>> {
        if jwt.require == Some(JwtRequirement::Off) {
            return None;
        }
        let known = self.tokens.get(policy).cloned();
        let spec = known.unwrap_or_else(|| Arc::new(jwt.clone()));
        self.tokens.insert(policy.to_owned(), spec.clone());
        self.key_servers(policy, &spec);
        Some(Guard {
            policy: policy.to_owned(),
            spec,
        })
    }

    fn authorization(&mut self, (policy, authz): Named<'_, ExtAuthz>, resource: &str) -> Option<Guard<Authorization>> {
        let (service, protocol) = match (&authz.grpc, &authz.http) {
            (Some(grpc), _) => (grpc, PortProtocol::Grpc),
            (None, Some(http)) => (http, PortProtocol::Http),
            // Switched off.
            (None, None) => return None,
        };
        if authz.enabled == Some(false) {
            return None;
        }
        let cluster = self.service_cluster(service, protocol, resource);
        let list = |headers: &Option<Vec<String>>| headers.clone().unwrap_or_default();
        let spec = Authorization {
            protocol: match protocol {
                PortProtocol::Grpc => AuthorizationProtocol::Grpc,
                _ => AuthorizationProtocol::Http {
                    host: match service {
                        ServiceAt::Address(address) => address.clone(),
                        ServiceAt::VirtualNode(node) => node.name.clone(),
                    },
                    path_prefix: authz.path_prefix.clone().unwrap_or_default(),
                    upstream_headers: list(&authz.upstream_headers),
                },
            },
            cluster,
            timeout: millis(authz.timeout_millis.unwrap_or(AUTHORIZATION_TIMEOUT_MILLIS)),
            allow_on_failure: authz.on_failure == Some(OnFailure::Allow),
            include_headers: authz.include_headers.clone(),
            exclude_headers: list(&authz.exclude_headers),
        };
        Some(Guard {
            policy: policy.to_owned(),
            spec: Arc::new(spec),
        })
    }

    fn global_limit(&mut self, (policy, global): Named<'_, GlobalRateLimit>, resource: &str) -> Guard<GlobalLimit> {
        let spec = GlobalLimit {
            cluster: self.service_cluster(&global.service, PortProtocol::Grpc, resource),
            domain: global.domain.clone(),
            timeout: millis(global.timeout_millis.unwrap_or(LIMIT_TIMEOUT_MILLIS)),
            allow_on_failure: global.on_failure == Some(OnFailure::Allow),
            limits: global.limits.clone(),
        };
        Guard {
            policy: policy.to_owned(),
            spec: Arc::new(spec),
        }
    }

    /// The cluster of a service that filters ask.
    fn service_cluster(&mut self, service: &ServiceAt, protocol: PortProtocol, resource: &str) -> ClusterId {
        match service {
            ServiceAt::VirtualNode(node) => {
                // Which port is meant if none is named: the node's only one, or its only one of this protocol.
                let port = node.port.unwrap_or_default();
                let dialled = PortMapping { port, protocol };
                let port = node.port;
                self.target(&node.name, Wanted { port, dialled }, resource)
            }
            ServiceAt::Address(address) => {
                // Checked when the policy was stored; otherwise nobody answers, and the guard refuses.
                let (host, port) = host_and_port(address).unwrap_or(("0.0.0.0", 1));
                let id = ClusterId::Service {
                    host: host.to_owned(),
                    port,
                    protocol,
                };
                let discovery = match host.parse() {
                    Ok(ip) => Discovery::Static(std::net::SocketAddr::new(ip, port)),
                    Err(_) => Discovery::Dns {
                        hostname: host.to_owned(),
                        port,
                        answer: DnsAnswer::Tasks,
                        family: AddressFamily::Auto,
                    },
                };
                let upstream = match protocol {
                    PortProtocol::Grpc => UpstreamProtocol::Http2,
                    _ => UpstreamProtocol::Http1,
                };
                let cluster = self.plain_cluster(id.clone(), discovery, upstream);
                self.clusters.insert(id.clone(), Arc::new(cluster));
                id
            }
        }
    }

    /// Where copies of a route's requests go.
    pub fn mirror(&mut self, settings: &Settings<'_>, dialled: PortMapping, resource: &str) -> Option<Mirror> {
        let mirror = settings.mirror?;
        let wanted = Wanted {
            port: mirror.port,
            dialled,
        };
        let cluster = self.target(&mirror.virtual_node, wanted, resource);
        // Checked to be 0 to 100 when the policy was stored; a cast beyond that saturates.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let per_million = (mirror.percent.unwrap_or(100.0) * 1e4).round() as u32;
        Some(Mirror {
            cluster,
            per_million: per_million.min(1_000_000),
        })
    }

    /// Notes what a route with retries asks of its targets' budgets. Routes share clusters: of several native budgets the
    /// most generous holds, of several exact ones the first.
    pub fn note_budgets(&mut self, settings: &Settings<'_>, service: &str, targets: &[Target], resource: &str) {
        let default = self.options.retry_budget;
        let native = settings.native_budget(default);
        for target in targets {
            if settings.budget_mode() == BudgetMode::Exact {
                let exact = UpstreamConfig {
                    name: service.to_owned(),
                    budget: settings.window(),
                };
                self.want_exact_budget(&target.cluster, &exact, resource);
            }
            if let Some(wanted) = native.or(default) {
                self.want_budget(&target.cluster, wanted);
            }
        }
    }

    pub(super) fn want_budget(&mut self, cluster: &ClusterId, wanted: RetryBudget) {
        let budget = self.retry_budgets.entry(cluster.clone()).or_insert(wanted);
        budget.percent = budget.percent.max(wanted.percent);
        budget.min_concurrency = budget.min_concurrency.max(wanted.min_concurrency);
    }

    pub(super) fn want_exact_budget(&mut self, cluster: &ClusterId, exact: &UpstreamConfig, resource: &str) {
        let first = self.exact_budgets.entry(cluster.clone());
        let first = first.or_insert_with(|| exact.clone());
        if self.is_part {
            // Which is the first, whoever takes the part finds out.
            self.exact_wanted.push(Exact {
                cluster: cluster.clone(),
                config: exact.clone(),
                resource: resource.to_owned(),
            });
        } else if first != exact {
            let message = format!(
                "its exact budget has no effect on a target that it shares with virtual service {}, whose budget holds",
                first.name
            );
            self.lint(Code::SharedBudget, resource, message);
        }
    }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}
