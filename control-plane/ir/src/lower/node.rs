//! Virtual nodes: ingress towards the application, egress towards its backends.

mod egress;

use std::collections::BTreeSet;
use std::sync::Arc;

use ferromesh_model::policy::Forwarded;
use ferromesh_model::resource::{
    HttpTimeout, Listener as ListenerSpec, ListenerTimeout, PortProtocol, VirtualNodeSpec,
};

use super::guard::Entrance;
use super::policy::Refused;
use super::service::timeouts;
use super::{access_log, port, tcp, Lowering};
use crate::cluster::Cluster;
use crate::lint::Code;
use crate::listener::{
    AccessLog, Chain, ClientAddress, ClientCertificate, Direction, Http, Listener, Network, Tcp, INGRESS_PORT,
};
use crate::matcher::{Match, PathMatch};
use crate::proxy::Plugin;
use crate::route::{Action, Domain, Forward, Label, Route, RouteTable, TableId, Target, VirtualHost};
use crate::{Proxy, ProxyKind, Reporter};

impl Lowering<'_> {
    pub(super) fn node(&mut self, spec: &VirtualNodeSpec) -> Proxy {
        let log = access_log::access_log(spec.logging.as_ref());
        self.note_log_format(spec.logging.as_ref());
        let mut listeners = Vec::new();
        let mut tables = Vec::new();
        if let Some(listener) = self.ingress(spec, log.as_ref(), &mut tables) {
            listeners.push(listener);
        }
        if let Some(listener) = self.egress(spec, log.as_ref(), &mut tables) {
            listeners.push(listener);
        }
        self.finish(ProxyKind::VirtualNode, listeners, tables)
    }

    /// Puts the parts together; plugins are those that the listeners name.
    pub(super) fn finish(&mut self, kind: ProxyKind, listeners: Vec<Listener>, route_tables: Vec<RouteTable>) -> Proxy {
        let reporters: BTreeSet<Reporter> = listeners
            .iter()
            .flat_map(|listener| &listener.chains)
            .filter_map(|chain| match &chain.network {
                Network::Http(http) => Some(http.reporter),
                Network::Tcp(_) => None,
            })
            .collect();
        Proxy {
            mesh: self.mesh.name().to_owned(),
            kind,
            name: self.name.to_owned(),
            listeners,
            route_tables,
            clusters: self.take_clusters(),
            plugins: reporters
                .into_iter()
                .map(|reporter| Plugin {
                    reporter,
                    config: self.plugin_config(reporter),
                })
                .collect(),
            comparisons: std::mem::take(&mut self.comparisons).into_values().collect(),
            lints: std::mem::take(&mut self.lints).into_iter().collect(),
        }
    }

    pub(super) fn take_clusters(&mut self) -> Vec<Arc<Cluster>> {
        let mut clusters = std::mem::take(&mut self.clusters);
        for (id, budget) in std::mem::take(&mut self.retry_budgets) {
            let other = clusters.get_mut(&id).filter(|known| known.retry_budget != Some(budget));
            if let Some(cluster) = other {
                Arc::make_mut(cluster).retry_budget = Some(budget);
            }
        }
        for (id, budget) in std::mem::take(&mut self.exact_budgets) {
            let other = clusters.get_mut(&id);
            if let Some(cluster) = other.filter(|known| known.exact_budget.as_ref() != Some(&budget)) {
                Arc::make_mut(cluster).exact_budget = Some(budget);
            }
        }
        clusters.into_values().collect()
    }

    fn ingress(
        &mut self,
        spec: &VirtualNodeSpec,
        log: Option<&AccessLog>,
        tables: &mut Vec<RouteTable>,
    ) -> Option<Listener> {
        let resource = format!("virtualNode/{}", self.name);
        let mut chains: Vec<Chain> = Vec::new();
        for listener in &spec.listeners {
            let mapping = listener.port_mapping;
            if chains.iter().any(|chain| i64::from(chain.port) == mapping.port) {
                self.lint(
                    Code::PortTwice,
                    &resource,
                    format!("port {} occurs twice: the first listener has it", mapping.port),
                );
                continue;
            }
            let tls = listener.tls.as_ref();
            let accepts = self.accepts(&resource, mapping.port, mapping.protocol, tls);
            chains.push(Chain {
                port: port(mapping.port),
                server_names: Vec::new(),
                accepts,
                network: self.ingress_network(listener, log, tables),
            });
        }
        (!chains.is_empty()).then(|| Listener {
            direction: Direction::Ingress,
            bind: self.bind(),
            port: INGRESS_PORT,
            redirected: true,
            chains,
            otherwise: None,
        })
    }

    fn ingress_network(
        &mut self,
        listener: &ListenerSpec,
        log: Option<&AccessLog>,
        tables: &mut Vec<RouteTable>,
    ) -> Network {
        let mapping = listener.port_mapping;
        let cluster = self.application(listener);
        if mapping.protocol == PortProtocol::Tcp {
            let timeout = match listener.timeout {
                Some(ListenerTimeout::Tcp(timeout)) => Some(timeout),
                _ => None,
            };
            return Network::Tcp(Tcp {
                direction: Direction::Ingress,
                port: Some(port(mapping.port)),
                clusters: vec![(cluster, 1)],
                idle_timeout: tcp::tcp_idle(timeout),
                access_log: log.cloned(),
            });
        }
        let timeout: Option<HttpTimeout> = match listener.timeout {
            Some(ListenerTimeout::Http(timeout) | ListenerTimeout::Http2(timeout) | ListenerTimeout::Grpc(timeout)) => {
                Some(timeout)
            }
            Some(ListenerTimeout::Tcp(_)) | None => None,
        };
        let (timeout, idle_timeout) = timeouts(timeout, self.options.request_timeout);
        let id = TableId {
            direction: Direction::Ingress,
            port: port(mapping.port),
        };
        let resource = format!("virtualNode/{}", self.name);
        let settings = self.arrival_settings();
        let forward = Action::Forward(Forward {
            targets: vec![Target { cluster, weight: 1 }],
            host: None,
            path: None,
            timeout,
            idle_timeout,
            // The caller retries; a second try here would multiply its attempts.
            retry: None,
            mirror: None,
        });
        self.note_switched_off(&settings, Entrance::Here, &resource);
        let (action, policy) = match self.ingress_policy(&settings, mapping) {
            Ok(policy) => (forward, policy),
            Err(Refused) => (Action::Respond(503), None),
        };
        let route = Route {
            matcher: Match::path(PathMatch::Prefix("/".into())),
            action,
            policy,
            guards: self.guards(&settings, Entrance::Here, &resource),
            label: Label::default(),
        };
        tables.push(RouteTable {
            id,
            ignore_host_port: false,
            hosts: vec![Arc::new(VirtualHost {
                name: "*".into(),
                domains: vec![Domain::Any],
                routes: vec![route],
            })],
        });
        let http = self.http(id, mapping.protocol, Reporter::Destination, log);
        Network::Http(believing(http, &settings.forwarded))
    }

    pub(super) fn http(
        &self,
        table: TableId,
        protocol: PortProtocol,
        reporter: Reporter,
        log: Option<&AccessLog>,
    ) -> Http {
        Http {
            direction: table.direction,
            protocol,
            port: table.port,
            table,
            reporter,
            client_address: ClientAddress::PassOn,
            trusted_hops: 0,
            client_certificate: ClientCertificate::default(),
            drops_retry_mark: false,
            websocket: self.options.websocket,
            normalize_paths: self.options.normalize_paths,
            access_log: log.cloned(),
        }
    }
}

/// With what is believed of clients.
pub(super) fn believing(http: Http, forwarded: &Forwarded) -> Http {
    let client_address = match forwarded.use_remote_address {
        None => http.client_address,
        Some(true) => ClientAddress::Append,
        Some(false) => ClientAddress::PassOn,
    };
    let details = forwarded.set_current_client_cert_details.iter().flatten();
    Http {
        client_address,
        trusted_hops: forwarded.xff_trusted_hops.unwrap_or_default(),
        client_certificate: ClientCertificate {
            forward: forwarded
                .forward_client_cert_details
                .unwrap_or(http.client_certificate.forward),
            details: details.copied().collect(),
        },
        ..http
    }
}
