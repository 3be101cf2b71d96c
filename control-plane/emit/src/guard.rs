//! Guards in front of routes: which filters a connection manager has for them, and what each route says to these.
//!
//! The filters are made of what the routes of the manager's table ask for. A route that has no part in a filter says so
//! itself: while new listeners and old routes are together, a guard is in front of too much rather than too little.

mod authorization;
mod jwt;
mod limit;

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{grpc_service, GrpcService};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{http_filter, HttpFilter};
use envoy_types::pb::google::protobuf::Any;
use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::guard::{Authorization, GlobalLimit, Guard, Guards, Jwt};
use ferromesh_ir::route::{Label, RouteTable};
use ferromesh_ir::Proxy;

use crate::{names, pack, policy};

/// All guards of a table's routes, by the names of their policies.
#[derive(Debug, Default)]
pub struct Table<'t> {
    jwt: BTreeMap<&'t str, &'t Arc<Jwt>>,
    authorization: BTreeMap<&'t str, &'t Arc<Authorization>>,
    limit: BTreeMap<&'t str, &'t Arc<GlobalLimit>>,
}

impl<'t> Table<'t> {
    /// The guards of a table.
    pub fn of(table: &'t RouteTable) -> Self {
        let mut found = Self::default();
        for route in table.hosts.iter().flat_map(|host| &host.routes) {
            note(&mut found.jwt, route.guards.jwt.as_ref());
            note(&mut found.authorization, route.guards.authorization.as_ref());
            note(&mut found.limit, route.guards.limit.as_ref());
        }
        found
    }

    /// The filters that stand before our own: who a request is from, and whether they may.
    pub fn before(&self, proxy: &Proxy) -> Vec<HttpFilter> {
        let jwt = jwt::filter(proxy, &self.jwt).into_iter();
        let authorization = self
            .authorization
            .iter()
            .map(|(name, spec)| authorization::filter(proxy, name, spec));
        jwt.chain(authorization).collect()
    }

    /// The filters that stand behind our own: what costs a call to a service, for requests that our own lets pass.
    pub fn behind(&self, proxy: &Proxy) -> Vec<HttpFilter> {
        self.limit
            .iter()
            .map(|(name, spec)| limit::filter(proxy, name, spec))
            .collect()
    }

    /// Whether what a route says is the same whatever other routes of the table have.
    pub fn leaves_routes_alone(&self) -> bool {
        self.authorization.is_empty()
    }

    /// What a route says to them.
    pub fn on_route(&self, guards: &Guards, label: &Label) -> Vec<(String, Any)> {
        let mut said = Vec::new();
        if let Some(jwt) = &guards.jwt {
            said.push((names::JWT.to_owned(), jwt::on_route(&jwt.policy)));
        }
        let asked = guards.authorization.as_ref().map(|guard| guard.policy.as_str());
        for name in self.authorization.keys().filter(|name| Some(**name) != asked) {
            said.push((names::authorization(name), policy::off()));
        }
        if let Some(guard) = &guards.limit {
            said.push((names::limit(&guard.policy), limit::on_route(&guard.spec, label)));
        }
        said
    }

    /// The clusters that the filters name.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterId> + '_ {
        let keys = self.jwt.iter().flat_map(|(policy, jwt)| jwt::clusters(policy, jwt));
        let authorization = self.authorization.values().map(|spec| spec.cluster.clone());
        let limit = self.limit.values().map(|spec| spec.cluster.clone());
        keys.chain(authorization).chain(limit)
    }
}

fn note<'t, T>(guards: &mut BTreeMap<&'t str, &'t Arc<T>>, guard: Option<&'t Guard<T>>) {
    if let Some(guard) = guard {
        guards.insert(&guard.policy, &guard.spec);
    }
}

fn http_filter(name: String, config: Any) -> HttpFilter {
    HttpFilter {
        name,
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    }
}

fn grpc(proxy: &Proxy, cluster: &ClusterId, timeout: std::time::Duration) -> GrpcService {
    GrpcService {
        timeout: Some(pack::duration(timeout)),
        target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(grpc_service::EnvoyGrpc {
            cluster_name: names::cluster(proxy, cluster),
            ..grpc_service::EnvoyGrpc::default()
        })),
        ..GrpcService::default()
    }
}
