//! Where bytes go: TCP listeners and routes of virtual nodes.

use std::time::Duration;

use ferromesh_model::resource::{PortMapping, TcpTimeout, VirtualServiceProvider, WeightedTarget};

use super::upstream::Wanted;
use super::{count, Lowering};
use crate::cluster::ClusterId;
use crate::lint::Code;

/// Where the bytes of one port go.
pub struct TcpTargets {
    /// Clusters by weight.
    pub clusters: Vec<(ClusterId, u32)>,
    /// Time without bytes after which a connection is closed.
    pub idle_timeout: Option<Duration>,
}

impl Lowering<'_> {
    /// Where connections to a virtual service's TCP port go; `None` if nowhere.
    pub fn tcp_targets(&mut self, service: &str, dialled: PortMapping) -> Option<TcpTargets> {
        match self.mesh.virtual_service(service)?.provider.as_ref()? {
            VirtualServiceProvider::VirtualNode(provider) => {
                let target = WeightedTarget {
                    port: Some(dialled.port),
                    virtual_node: provider.virtual_node_name.clone(),
                    weight: 1,
                };
                self.weighted(&[target], dialled, &format!("virtualService/{service}"), None)
            }
            VirtualServiceProvider::VirtualRouter(provider) => {
                let name = &provider.virtual_router_name;
                let router = self.mesh.virtual_router(name)?;
                // Bytes carry nothing to match on: the first route by priority, age and name takes them all.
                let mut routes: Vec<_> = router
                    .routes
                    .iter()
                    .filter_map(|route| Some((route, route.spec.tcp_route.as_ref()?)))
                    .filter(|(_, tcp)| {
                        let port = tcp.r#match.and_then(|matched| matched.port);
                        port.is_none_or(|port| port == dialled.port)
                    })
                    .collect();
                routes.sort_by(|(a, _), (b, _)| {
                    let priority = |route: &ferromesh_model::mesh::Route| route.spec.priority.unwrap_or(i64::MAX);
                    (priority(a).cmp(&priority(b)))
                        .then_with(|| a.created_at.total_cmp(&b.created_at))
                        .then_with(|| a.name.cmp(&b.name))
                });
                let (first, tcp) = routes.first()?;
                for (other, _) in routes.iter().skip(1) {
                    self.lint(
                        Code::RouteNeverTaken,
                        format!("virtualRouter/{name}/route/{}", other.name),
                        format!("route {} takes every connection on port {}", first.name, dialled.port),
                    );
                }
                let resource = format!("virtualRouter/{name}/route/{}", first.name);
                self.weighted(&tcp.action.weighted_targets, dialled, &resource, tcp.timeout)
            }
        }
    }

    fn weighted(
        &mut self,
        targets: &[WeightedTarget],
        dialled: PortMapping,
        resource: &str,
        timeout: Option<TcpTimeout>,
    ) -> Option<TcpTargets> {
        let clusters: Vec<_> = targets
            .iter()
            // Envoy's TCP proxy takes no weight of 0.
            .filter(|target| target.weight > 0)
            .map(|target| {
                let wanted = Wanted {
                    port: target.port,
                    dialled,
                };
                (
                    self.target(&target.virtual_node, wanted, resource),
                    count(target.weight),
                )
            })
            .collect();
        (!clusters.is_empty()).then(|| TcpTargets {
            clusters,
            idle_timeout: tcp_idle(timeout),
        })
    }
}

/// The idle timeout of a TCP listener or route.
pub fn tcp_idle(timeout: Option<TcpTimeout>) -> Option<Duration> {
    timeout.and_then(|timeout| timeout.idle).and_then(|idle| idle.as_std())
}
