//! A policy among its mesh's resources: its target and the nodes that it names must exist, and its canary must fit the
//! route that it is for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Policy, PolicyTarget, ServiceAt};
use crate::record::Record;
use crate::resource::{Key, Kind, RouteSpec, WeightedTarget};
use crate::validate::{Lookup, Refusal, Rejection};
use crate::Violation;

impl Policy {
    /// Refuses a policy that does not fit the resources that are there.
    ///
    /// # Errors
    /// The mesh, the target or a node that it names does not exist; the target is a route, and the canary does not fit its
    /// weighted targets; or the lookup failed.
    pub fn check_among<L: Lookup>(&self, lookup: &L, account: &str) -> Result<(), Refusal<L::Error>> {
        let mesh_key = Key::mesh(&self.mesh);
        if lookup.record(&mesh_key).map_err(Refusal::Failed)?.is_none() {
            return Err(crate::validate::not_found(account, &mesh_key).into());
        }
        let key = self.target.key(&self.mesh);
        let Some(record) = lookup.record(&key).map_err(Refusal::Failed)? else {
            return Err(missing(&key, &format!("target.{}", self.target.member())).into());
        };
        for (node, path) in self.nodes() {
            let key = Key::in_mesh(&self.mesh, Kind::VirtualNode, node);
            if lookup.record(&key).map_err(Refusal::Failed)?.is_none() {
                return Err(missing(&key, path).into());
            }
        }
        let violations = self.check_route(&record);
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Rejection::Invalid(violations).into())
        }
    }

    /// The virtual nodes that its members name, and where.
    fn nodes(&self) -> Vec<(&str, &'static str)> {
        let spec = &self.spec;
        let authz = spec.ext_authz.as_ref();
        let global = spec.rate_limit.as_ref().and_then(|limits| limits.global.as_ref());
        let services = [
            (
                authz.and_then(|authz| authz.grpc.as_ref()),
                "spec.extAuthz.grpc.virtualNode",
            ),
            (
                authz.and_then(|authz| authz.http.as_ref()),
                "spec.extAuthz.http.virtualNode",
            ),
            (
                global.map(|global| &global.service),
                "spec.rateLimit.global.service.virtualNode",
            ),
        ];
        let named = services.into_iter().filter_map(|(service, path)| match service {
            Some(ServiceAt::VirtualNode(node)) => Some((node.name.as_str(), path)),
            Some(ServiceAt::Address(_)) | None => None,
        });
        let mirror = spec.mirror.iter();
        let mirror = mirror.map(|mirror| (mirror.virtual_node.as_str(), "spec.mirror.virtualNode"));
        named.chain(mirror).collect()
    }

    /// Whether its canary fits the route that is its target.
    fn check_route(&self, route: &Record) -> Vec<Violation> {
        let (Some(canary), PolicyTarget::Route { .. }) = (&self.spec.canary, &self.target) else {
            return Vec::new();
        };
        let Ok(spec) = RouteSpec::deserialize(&route.spec) else {
            return Vec::new();
        };
        let targets = weighted_targets(&spec);
        let weight = |target: &WeightedTarget| u32::try_from(target.weight.max(0)).unwrap_or(u32::MAX);
        let weights: Vec<u32> = targets.iter().map(weight).collect();
        if weights.iter().all(|weight| *weight == 0) {
            // Its requests are answered with 503 whatever the policy says.
            return Vec::new();
        }
        let found = canary.check_on(&names(targets), weights);
        found
            .into_iter()
            .map(|violation| violation.under("spec.canary"))
            .collect()
    }
}

fn weighted_targets(spec: &RouteSpec) -> &[WeightedTarget] {
    let http = spec.http_route.as_ref().or(spec.http2_route.as_ref());
    let http = http.map(|http| http.action.weighted_targets.as_slice());
    let grpc = spec.grpc_route.as_ref();
    http.or(grpc.map(|grpc| grpc.action.weighted_targets.as_slice()))
        .unwrap_or_default()
}

/// Names of a route's targets as the filter has them: the virtual node's, with the port where a node occurs twice.
fn names(targets: &[WeightedTarget]) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for target in targets {
        *times.entry(&target.virtual_node).or_default() += 1;
    }
    targets
        .iter()
        .map(|target| match (times.get(target.virtual_node.as_str()), target.port) {
            (Some(2..), Some(port)) => format!("{}:{port}", target.virtual_node),
            _ => target.virtual_node.clone(),
        })
        .collect()
}

fn missing(key: &Key, path: &str) -> Rejection {
    Rejection::Missing(format!("{} with name {} is missing ({path})", key.kind, key.name))
}
