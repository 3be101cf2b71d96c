//! Egress of virtual nodes: backends by port and name, and what the mesh lets out besides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferromesh_model::resource::{
    Backend, ClientPolicy, ClientPolicyTls, EgressFilterType, PortMapping, PortProtocol, VirtualNodeSpec,
};

use crate::cluster::{ClusterId, Discovery, UpstreamProtocol};
use crate::guard::Guards;
use crate::lint::Code;
use crate::listener::{AccessLog, Chain, Direction, Listener, Network, Tcp, EGRESS_PORT};
use crate::lower::{gateway, part, port, Lowering};
use crate::matcher::{Match, PathMatch};
use crate::options::AwsEgress;
use crate::route::{Action, Domain, Forward, Label, Route, RouteTable, TableId, Target, VirtualHost};
use crate::tls::Accepts;
use crate::Reporter;

/// Port of the chains that let `*.amazonaws.com` and everything else out over TLS.
const HTTPS: u16 = 443;

impl Lowering<'_> {
    pub(super) fn egress(
        &mut self,
        spec: &VirtualNodeSpec,
        log: Option<&AccessLog>,
        tables: &mut Vec<RouteTable>,
    ) -> Option<Listener> {
        let allow_all = self
            .mesh
            .spec()
            .egress_filter
            .is_some_and(|filter| filter.r#type == EgressFilterType::AllowAll);
        let mut ports: BTreeMap<u16, EgressPort> = BTreeMap::new();
        for (service, policy) in backends(spec) {
            self.client_policy = policy;
            self.backend(&service, &mut ports);
        }
        self.client_policy = None;

        let mut chains = Vec::new();
        for (number, egress_port) in ports {
            let network = match egress_port {
                EgressPort::Tcp(tcp) => Network::Tcp(Tcp {
                    access_log: log.cloned(),
                    ..tcp
                }),
                EgressPort::Http {
                    protocol, mut hosts, ..
                } => {
                    let id = TableId {
                        direction: Direction::Egress,
                        port: number,
                    };
                    if allow_all {
                        hosts.push(self.pass_through());
                    }
                    tables.push(RouteTable {
                        id,
                        ignore_host_port: false,
                        hosts,
                    });
                    Network::Http(self.http(id, protocol, Reporter::Source, log))
                }
            };
            chains.push(Chain {
                port: number,
                server_names: Vec::new(),
                accepts: Accepts::AsItComes,
                network,
            });
        }
        let otherwise = self.ways_out(allow_all, &mut chains, log);
        (!chains.is_empty() || otherwise.is_some()).then(|| Listener {
            direction: Direction::Egress,
            bind: self.bind(),
            port: EGRESS_PORT,
            redirected: true,
            chains,
            otherwise,
        })
    }

    /// Adds the chains for what is no backend; gives what happens to connections without a chain.
    fn ways_out(&mut self, allow_all: bool, chains: &mut Vec<Chain>, log: Option<&AccessLog>) -> Option<Network> {
        let https_is_backend = chains.iter().any(|chain| chain.port == HTTPS);
        if self.options.aws_egress == AwsEgress::Allowed {
            let network = self.original_destination(ClusterId::AmazonAws, log);
            chains.push(Chain {
                port: HTTPS,
                server_names: vec!["*.amazonaws.com".into()],
                accepts: Accepts::AsItComes,
                network,
            });
        }
        if !allow_all {
            return None;
        }
        let network = self.original_destination(ClusterId::AllowAll, log);
        if !https_is_backend {
            // Without it a connection to port 443 for any other name would find the port, then no name, and be closed.
            chains.push(Chain {
                port: HTTPS,
                server_names: Vec::new(),
                accepts: Accepts::AsItComes,
                network: network.clone(),
            });
        }
        Some(network)
    }

    fn original_destination(&mut self, id: ClusterId, log: Option<&AccessLog>) -> Network {
        let cluster = self.plain_cluster(id.clone(), Discovery::OriginalDestination, UpstreamProtocol::Downstream);
        self.clusters.insert(id.clone(), Arc::new(cluster));
        Network::Tcp(Tcp {
            direction: Direction::Egress,
            port: None,
            clusters: vec![(id, 1)],
            idle_timeout: None,
            access_log: log.cloned(),
        })
    }

    fn backend(&mut self, service: &str, ports: &mut BTreeMap<u16, EgressPort>) {
        let resource = format!("virtualNode/{}", self.name);
        let mappings = self.backend_ports(service);
        if mappings.is_empty() {
            self.lint(
                Code::BackendUnreachable,
                &resource,
                format!("backend {service} has no provider with listeners: it cannot be called"),
            );
        }
        for mapping in mappings {
            let number = port(mapping.port);
            if mapping.protocol == PortProtocol::Tcp {
                self.tcp_backend(service, mapping, number, ports);
            } else {
                self.http_backend(service, mapping, number, ports);
            }
        }
    }

    fn tcp_backend(&mut self, service: &str, mapping: PortMapping, number: u16, ports: &mut BTreeMap<u16, EgressPort>) {
        let resource = format!("virtualNode/{}", self.name);
        if ports.contains_key(&number) {
            self.lint(
                Code::BackendPortTaken,
                resource,
                format!("backend {service} cannot be called on port {number}: another backend has it, and bytes name no service"),
            );
            return;
        }
        match self.tcp_targets(service, mapping) {
            Some(targets) => {
                ports.insert(
                    number,
                    EgressPort::Tcp(Tcp {
                        direction: Direction::Egress,
                        port: Some(number),
                        clusters: targets.clusters,
                        idle_timeout: targets.idle_timeout,
                        access_log: None,
                    }),
                );
            }
            None => self.lint(
                Code::BackendWithoutRoute,
                resource,
                format!("backend {service} has no route on port {number}: it cannot be called"),
            ),
        }
    }

    fn http_backend(
        &mut self,
        service: &str,
        mapping: PortMapping,
        number: u16,
        ports: &mut BTreeMap<u16, EgressPort>,
    ) {
        let resource = format!("virtualNode/{}", self.name);
        if !gateway::hops::is_host(service) {
            self.lint(
                Code::BackendNameNotHost,
                resource,
                format!("backend {service:?} cannot be called: its name cannot be a host"),
            );
            return;
        }
        let egress_port = ports.entry(number).or_insert(EgressPort::Http {
            protocol: mapping.protocol,
            hosts: Vec::new(),
            taken: BTreeSet::new(),
        });
        let EgressPort::Http { hosts, taken, .. } = egress_port else {
            self.lint(
                Code::BackendPortTaken,
                resource,
                format!("backend {service} cannot be called on port {number}: a tcp backend has it"),
            );
            return;
        };
        let domains: Vec<Domain> = part::domains(service, number)
            .into_iter()
            .filter(|domain| taken.insert(domain.clone()))
            .collect();
        if domains.is_empty() {
            self.lint(
                Code::BackendNameTaken,
                resource,
                format!("backend {service} cannot be called on port {number}: another backend has its name"),
            );
            return;
        }
        hosts.push(self.backend_host(service, mapping, domains));
    }

    /// Hosts that are no backend, on a backend's port, where the mesh lets everything out.
    fn pass_through(&mut self) -> Arc<VirtualHost> {
        let id = ClusterId::AllowAll;
        let cluster = self.plain_cluster(id.clone(), Discovery::OriginalDestination, UpstreamProtocol::Downstream);
        self.clusters.insert(id.clone(), Arc::new(cluster));
        Arc::new(VirtualHost {
            name: "*".into(),
            domains: vec![Domain::Any],
            routes: vec![Route {
                label: Label::default(),
                matcher: Match::path(PathMatch::Prefix("/".into())),
                action: Action::Forward(Forward {
                    targets: vec![Target { cluster: id, weight: 1 }],
                    host: None,
                    path: None,
                    // Not ours to judge.
                    timeout: std::time::Duration::ZERO,
                    idle_timeout: None,
                    retry: None,
                    mirror: None,
                }),
                policy: None,
                guards: Guards::default(),
            }],
        })
    }
}

/// What one port of the egress listener does.
enum EgressPort {
    Http {
        protocol: PortProtocol,
        hosts: Vec<Arc<VirtualHost>>,
        /// Their domains.
        taken: BTreeSet<Domain>,
    },
    Tcp(Tcp),
}

/// The backends in the order of the spec, each once, with the TLS policy of calls to it: its own, else the default one.
fn backends(spec: &VirtualNodeSpec) -> Vec<(String, Option<ClientPolicyTls>)> {
    let tls = |policy: &ClientPolicy| policy.tls.clone();
    let defaults = spec.backend_defaults.as_ref();
    let by_default = defaults.and_then(|defaults| defaults.client_policy.as_ref());
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for Backend::VirtualService(backend) in &spec.backends {
        if seen.insert(&backend.virtual_service_name) {
            let policy = backend.client_policy.as_ref().or(by_default);
            found.push((backend.virtual_service_name.clone(), policy.and_then(tls)));
        }
    }
    found
}
