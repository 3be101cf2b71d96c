//! The rules that shapes cannot say.
//!
//! [`spec`] looks at one spec alone (members that exclude one another, weights, ranges); [`put`] and [`delete`] look at
//! it among the other resources of its mesh. They read through [`Lookup`], so that the caller can note what was read and
//! commit only if that still holds.
//!
//! Sources of the rules: App Mesh's documentation and service model, the validation that its Kubernetes controller makes
//! before calling the API, and error texts that its users have quoted. Where a text is known it is used; otherwise ours
//! names the field, the value and the limit.

mod deletion;
mod gateway_route;
mod listeners;
mod matching;
mod names;
mod ports;
mod quota;
mod references;
mod route;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use deletion::delete;
pub use names::name;
pub use quota::{quota, New, Quotas};
pub use references::{not_found, parents, put};

use crate::record::Record;
use crate::resource::{self, Key, Kind};
use crate::{shapes, Violation};

/// Why a change is refused. The display form is the message for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The spec breaks rules; `BadRequestException`.
    Invalid(Vec<Violation>),
    /// Something that must exist does not; `NotFoundException`.
    Missing(String),
    /// Something of that name exists already; `ConflictException`.
    Exists(String),
    /// Something else depends on it; `ResourceInUseException`.
    InUse(String),
    /// There would be too many; `LimitExceededException`.
    Limit(String),
}

/// Violations that a message repeats; a large body can hold thousands.
const SHOWN: usize = 10;

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(text) | Self::Exists(text) | Self::InUse(text) | Self::Limit(text) => f.write_str(text),
            Self::Invalid(violations) => {
                for (index, violation) in violations.iter().take(SHOWN).enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{violation}")?;
                }
                match violations.len().checked_sub(SHOWN) {
                    Some(more) if more > 0 => write!(f, "; and {more} more"),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// A change that was refused, or that could not be judged because reading failed.
#[derive(Debug)]
pub enum Refusal<E> {
    /// It breaks a rule.
    Rejected(Rejection),
    /// The state could not be read.
    Failed(E),
}

impl<E> From<Rejection> for Refusal<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Reads the current state of an account's meshes.
pub trait Lookup {
    /// Why reading failed.
    type Error;

    /// The record of a resource.
    fn record(&self, key: &Key) -> Result<Option<Record>, Self::Error>;

    /// The records of one kind: of meshes all, of routes and gateway routes those of one parent or, with no parent given,
    /// of the whole mesh.
    fn records(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, Self::Error>;

    /// Records of one kind in a mesh that may name another resource: all whose specs have `name` as a string somewhere, and
    /// perhaps others. For whoever has a quicker way to them than through all.
    fn naming(&self, kind: Kind, mesh: &str, _name: &str) -> Result<Vec<Record>, Self::Error> {
        self.records(kind, mesh, None)
    }

    /// How many [`Lookup::records`] there are. For whoever can count them without reading them.
    fn count(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<usize, Self::Error> {
        self.records(kind, mesh, parent).map(|records| records.len())
    }
}

/// Name of the shape of a kind's spec.
pub fn spec_shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Mesh => "MeshSpec",
        Kind::VirtualNode => "VirtualNodeSpec",
        Kind::VirtualService => "VirtualServiceSpec",
        Kind::VirtualRouter => "VirtualRouterSpec",
        Kind::Route => "RouteSpec",
        Kind::VirtualGateway => "VirtualGatewaySpec",
        Kind::GatewayRoute => "GatewayRouteSpec",
    }
}

/// Everything that is wrong with a spec by itself: its shape, and if that is right, the rules between its members. Paths
/// begin with `spec`; empty when nothing is wrong.
pub fn spec(kind: Kind, spec: &Value) -> Vec<Violation> {
    let violations = shapes::check(spec_shape(kind), spec);
    let violations = if violations.is_empty() {
        rules(kind, spec)
    } else {
        violations
    };
    violations
        .into_iter()
        .map(|violation| violation.under("spec"))
        .collect()
}

/// The rules between the members of a spec whose shape is right.
fn rules(kind: Kind, spec: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    let found = &mut violations;
    let read = match kind {
        Kind::Mesh | Kind::VirtualService => Ok(()),
        Kind::VirtualNode => typed(spec).map(|spec| listeners::virtual_node(&spec, found)),
        Kind::VirtualRouter => typed(spec).map(|spec| listeners::virtual_router(&spec, found)),
        Kind::VirtualGateway => typed(spec).map(|spec| listeners::virtual_gateway(&spec, found)),
        Kind::Route => {
            // The service model leaves these strings free; typed, they are an enum.
            route::retry_events(spec, found);
            if found.is_empty() {
                typed(spec).map(|spec| route::rules(&spec, found))
            } else {
                Ok(())
            }
        }
        Kind::GatewayRoute => typed(spec).map(|spec| gateway_route::rules(&spec, found)),
    };
    if let Err(violation) = read {
        violations.push(violation);
    }
    violations
}

/// A spec, typed. After the shape check this does not fail; if it ever does, the client hears of it.
fn typed<T: DeserializeOwned>(spec: &Value) -> Result<T, Violation> {
    T::deserialize(spec).map_err(|error| Violation::new("", format!("cannot be read: {error}")))
}

/// The type of a route, its name and its weighted targets.
struct RouteKind<'a> {
    member: &'static str,
    protocol: resource::PortProtocol,
    port: Option<i64>,
    targets: &'a [resource::WeightedTarget],
}

/// The types that a route has; exactly one in a valid one.
fn route_kinds(spec: &resource::RouteSpec) -> Vec<RouteKind<'_>> {
    use resource::PortProtocol::{Grpc, Http, Http2, Tcp};
    let mut kinds = Vec::new();
    if let Some(route) = &spec.grpc_route {
        let targets = &route.action.weighted_targets;
        kinds.push(RouteKind {
            member: "grpcRoute",
            protocol: Grpc,
            port: route.r#match.port,
            targets,
        });
    }
    for (member, protocol, route) in [
        ("http2Route", Http2, &spec.http2_route),
        ("httpRoute", Http, &spec.http_route),
    ] {
        if let Some(route) = route {
            let targets = &route.action.weighted_targets;
            kinds.push(RouteKind {
                member,
                protocol,
                port: route.r#match.port,
                targets,
            });
        }
    }
    if let Some(route) = &spec.tcp_route {
        let port = route.r#match.and_then(|route_match| route_match.port);
        kinds.push(RouteKind {
            member: "tcpRoute",
            protocol: Tcp,
            port,
            targets: &route.action.weighted_targets,
        });
    }
    kinds
}

#[cfg(test)]
mod tests;
