//! Lowering: from a mesh's resources to what one Envoy must do.
//!
//! One file for each question: [`rank`] orders routes, `conditions` turns matches into [`crate::matcher`]s, `retry` and
//! `timeout` make App Mesh's defaults explicit, `upstream` finds a target's listener and makes its cluster, `tls` says
//! how both ends of a call are encrypted, `settings` merges our own policies, which become the filter's configuration in
//! `policy` and Envoy's own features in `guard`, `service` lowers a virtual service's routes,
//! [`compose`] puts them behind a gateway route, `gateway` and `node` put it all together. All of them read the mesh through
//! `view`, which notes what they look at ([`inputs`]).

mod access_log;
pub mod compose;
mod conditions;
pub mod expression;
mod gateway;
mod guard;
mod health;
pub mod inputs;
mod key_server;
mod node;
mod off;
mod other_target;
mod overall;
mod part;
mod policy;
pub mod rank;
mod retry;
mod service;
mod settings;
mod tcp;
mod tls;
mod upstream;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::Jwt;
use ferromesh_model::resource::{ClientPolicyTls, IpPreference};
use ferromesh_model::Violation;
use ferromesh_policy::mesh::UpstreamConfig;

pub use part::Memo;
pub use view::{shown, Lowered, Prepared};

use part::Exact;
use view::View;

use crate::cluster::{AddressFamily, Cluster, ClusterId, Limits, RetryBudget};
use crate::lint::Code;
use crate::listener::Bind;
use crate::rollback::Comparison;
use crate::{Lint, Options, Proxy, ProxyKind, Reporter};

/// Lowers a mesh to what the Envoy of one virtual node or virtual gateway must do.
///
/// Whatever cannot be delivered is left out so that it fails closed (no route, a 503, a closed port), and named in
/// [`Proxy::lints`]: one broken resource must not hold up the others.
///
/// For many proxies of one mesh: [`Prepared`].
///
/// # Errors
/// The mesh has no such virtual node or virtual gateway.
pub fn proxy(mesh: &Mesh, kind: ProxyKind, name: &str, options: &Options) -> Result<Proxy, Vec<Violation>> {
    Prepared::new(mesh)
        .proxy(kind, name, options)
        .map(|lowered| lowered.proxy)
}

/// One lowering under way.
struct Lowering<'a> {
    mesh: View<'a>,
    kind: ProxyKind,
    name: &'a str,
    options: &'a Options,
    /// Limits of clusters towards virtual nodes.
    limits: Limits,
    /// TLS policy of calls to the backend that is being lowered.
    client_policy: Option<ClientPolicyTls>,
    /// The gateway route that is being lowered.
    gateway_route: Option<String>,
    clusters: BTreeMap<ClusterId, Arc<Cluster>>,
    /// Comparisons that this proxy takes part in, by their keys.
    comparisons: BTreeMap<String, Comparison>,
    /// What routes with retries ask of their targets.
    retry_budgets: BTreeMap<ClusterId, RetryBudget>,
    exact_budgets: BTreeMap<ClusterId, UpstreamConfig>,
    /// Whether this is the lowering of a part of several proxies.
    is_part: bool,
    /// Of a part: who wants exact budgets.
    exact_wanted: Vec<Exact>,
    /// Token settings by the policy that they come from.
    tokens: BTreeMap<String, Arc<Jwt>>,
    lints: BTreeSet<Lint>,
}

impl<'a> Lowering<'a> {
    fn new(mesh: View<'a>, kind: ProxyKind, name: &'a str, options: &'a Options) -> Self {
        Self {
            mesh,
            kind,
            name,
            options,
            limits: options.limits,
            client_policy: None,
            gateway_route: None,
            clusters: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            retry_budgets: BTreeMap::new(),
            exact_budgets: BTreeMap::new(),
            is_part: false,
            exact_wanted: Vec::new(),
            tokens: BTreeMap::new(),
            lints: BTreeSet::new(),
        }
    }

    fn lint(&mut self, code: Code, resource: impl Into<String>, message: impl Into<String>) {
        self.lints.insert(Lint {
            resource: resource.into(),
            message: message.into(),
            code,
        });
    }

    /// As what the filter reports on the requests that this proxy sends.
    fn sender(&self) -> Reporter {
        match self.kind {
            ProxyKind::VirtualGateway => Reporter::Gateway,
            ProxyKind::VirtualNode => Reporter::Source,
        }
    }

    fn mesh_preference(&self) -> Option<IpPreference> {
        self.mesh
            .spec()
            .service_discovery
            .and_then(|discovery| discovery.ip_preference)
    }

    fn bind(&self) -> Bind {
        match self.mesh_preference() {
            None => Bind::V4,
            Some(_) => Bind::Dual,
        }
    }

    /// Where the application beside the proxy listens.
    fn loopback(&self) -> IpAddr {
        match self.mesh_preference() {
            Some(IpPreference::Ipv6Only | IpPreference::Ipv6Preferred) => Ipv6Addr::LOCALHOST.into(),
            Some(IpPreference::Ipv4Only | IpPreference::Ipv4Preferred) | None => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

fn address_family(preference: Option<IpPreference>) -> AddressFamily {
    match preference {
        // Envoy's AUTO looks for IPv6 first.
        None | Some(IpPreference::Ipv6Preferred) => AddressFamily::Auto,
        Some(IpPreference::Ipv4Preferred) => AddressFamily::V4Preferred,
        Some(IpPreference::Ipv4Only) => AddressFamily::V4Only,
        Some(IpPreference::Ipv6Only) => AddressFamily::V6Only,
    }
}

/// Of a task that is registered with both addresses, App Mesh called the IPv4 one unless it was told otherwise.
fn registered_family(preference: Option<IpPreference>) -> AddressFamily {
    match preference {
        None => AddressFamily::V4Only,
        some => address_family(some),
    }
}

/// A port of the model, whose shape check admits 1 to 65535.
fn port(value: i64) -> u16 {
    u16::try_from(value).unwrap_or_default()
}

/// A count of the model in Envoy's 32 bits.
fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or_default())
}
