//! What a policy must look like, in the same terms as App Mesh's shapes.

use serde_json::Value;

use crate::resource::{Key, Kind};
use crate::shapes::{self, Location, Member, Pattern, Shape, Type};
use crate::Violation;

use super::ext_authz::EXT_AUTHZ;
use super::forwarded::FORWARDED;
use super::jwt::JWT;
use super::mirror::MIRROR;
use super::off::OFF;
use super::rate_limit::GLOBAL;
use super::retry::RETRY;
use super::{filter, off, scope, PolicySpec, PolicyTarget};

/// A member of a body.
pub(super) const fn m(name: &'static str, shape: &'static Shape, required: bool) -> Member {
    Member {
        name,
        shape,
        required,
        location: Location::Body,
    }
}

/// A field name as RFC 9110 has it.
static TOKEN: Pattern = Pattern::new("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
/// Visible ASCII with blanks inside.
static VISIBLE: Pattern = Pattern::new("^[!-~]([ -~]*[!-~ ])?$");
/// Visible ASCII after a slash.
static ROOTED: Pattern = Pattern::new("^/[!-~]*$");
pub(super) static BOOLEAN: Shape = Shape {
    name: "Boolean",
    ty: Type::Boolean,
};
pub(super) static EMPTY: Shape = Shape {
    name: "Empty",
    ty: Type::Structure(&[]),
};
pub(super) static NAME: Shape = Shape {
    name: "Name",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static FIELD: Shape = Shape {
    name: "Field",
    ty: Type::String {
        min: 1,
        max: Some(128),
        pattern: Some(&TOKEN),
    },
};
pub(super) static FIELD_VALUE: Shape = Shape {
    name: "FieldValue",
    ty: Type::String {
        min: 1,
        max: Some(1024),
        pattern: Some(&VISIBLE),
    },
};
pub(super) static TEXT: Shape = Shape {
    name: "Text",
    ty: Type::String {
        min: 1,
        max: Some(1024),
        pattern: Some(&VISIBLE),
    },
};
pub(super) static PATH: Shape = Shape {
    name: "Path",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: Some(&ROOTED),
    },
};
pub(super) static PORT: Shape = Shape {
    name: "Port",
    ty: Type::Integer { min: 1, max: 65_535 },
};
pub(super) static PERCENT: Shape = Shape {
    name: "Percent",
    ty: Type::Float { min: 0.0, max: 100.0 },
};
pub(super) static TIMEOUT_MILLIS: Shape = Shape {
    name: "TimeoutMillis",
    ty: Type::Integer { min: 1, max: 60_000 },
};
pub(super) static ANY: Shape = Shape {
    name: "Any",
    ty: Type::Any,
};

static POLICY: Shape = Shape {
    name: "Policy",
    ty: Type::Structure(&[
        m("name", &NAME, false),
        m("mesh", &NAME, false),
        m("target", &TARGET, true),
        m("spec", &SPEC, true),
    ]),
};
static TARGET: Shape = Shape {
    name: "PolicyTarget",
    ty: Type::Union(&[
        m("mesh", &EMPTY, false),
        m("virtualNode", &NAME, false),
        m("virtualService", &NAME, false),
        m("route", &ROUTE, false),
        m("virtualGateway", &NAME, false),
        m("gatewayRoute", &GATEWAY_ROUTE, false),
        m("virtualNodeIngress", &NAME, false),
    ]),
};
static GATEWAY_ROUTE: Shape = Shape {
    name: "PolicyGatewayRoute",
    ty: Type::Structure(&[m("gateway", &NAME, true), m("name", &NAME, true)]),
};
static ROUTE: Shape = Shape {
    name: "PolicyRoute",
    ty: Type::Structure(&[m("router", &NAME, true), m("name", &NAME, true)]),
};
static SPEC: Shape = Shape {
    name: "PolicySpec",
    ty: Type::Structure(&[
        m("canary", &ANY, false),
        m("retry", &RETRY, false),
        m("observability", &ANY, false),
        m("rateLimit", &ANY, false),
        m("circuitBreaker", &ANY, false),
        m("fault", &ANY, false),
        m("headers", &ANY, false),
        m("mirror", &MIRROR, false),
        m("jwt", &JWT, false),
        m("extAuthz", &EXT_AUTHZ, false),
        m("forwarded", &FORWARDED, false),
        m("off", &OFF, false),
    ]),
};
pub(super) static RATIO: Shape = Shape {
    name: "Ratio",
    ty: Type::Float { min: 0.0, max: 1.0 },
};
/// The outer shape of a policy's JSON. Members that a filter reads by itself have the shape `Any`.
pub fn shape() -> &'static Shape {
    &POLICY
}

/// Everything that is wrong with a policy's JSON (`{"target": …, "spec": …}`, optionally with `name` and `mesh`); empty
/// when nothing is.
pub fn check(policy: &Value) -> Vec<Violation> {
    let mut found = shapes::check_against(&POLICY, policy);
    found.extend(scope::check(policy));
    if let Some(spec) = policy.get("spec").and_then(Value::as_object) {
        let under = |prefix| move |violation: Violation| violation.under(prefix);
        found.extend(filter::check(spec).into_iter().map(under("spec")));
        found.extend(off::check(spec).into_iter().map(under("spec")));
        let global = spec.get("rateLimit").and_then(|limits| limits.get("global"));
        let global = global.map(|global| shapes::check_against(&GLOBAL, global));
        found.extend(global.into_iter().flatten().map(under("spec.rateLimit.global")));
    }
    if found.is_empty() {
        // What the shapes take can be read.
        let spec = policy.get("spec").cloned().map(serde_json::from_value::<PolicySpec>);
        found = match spec {
            Some(Ok(spec)) => spec.check(),
            Some(Err(error)) => vec![Violation::new("", format!("cannot be read: {error}"))],
            None => Vec::new(),
        };
        found = found.into_iter().map(|violation| violation.under("spec")).collect();
    }
    found
}

/// Why a header must not be written at a user's wish, if it must not: it steers the mesh or Envoy.
pub(super) fn steers(header: &str) -> Option<String> {
    let header = header.to_ascii_lowercase();
    let reserved = ["x-envoy-", "x-ferromesh-"];
    let taken = [
        "host",
        "connection",
        "transfer-encoding",
        "content-length",
        "tracestate",
    ];
    (reserved.iter().any(|prefix| header.starts_with(prefix)) || taken.contains(&header.as_str()))
        .then(|| format!("must not be one that the mesh or Envoy goes by, is {header:?}"))
}

impl PolicySpec {
    /// What no shape can say.
    fn check(&self) -> Vec<Violation> {
        let parts = [
            ("retry", self.retry.as_ref().map(super::RetrySettings::check)),
            ("rateLimit", self.rate_limit.as_ref().map(super::RateLimit::check)),
            ("jwt", self.jwt.as_ref().map(super::Jwt::check)),
            ("extAuthz", self.ext_authz.as_ref().map(super::ExtAuthz::check)),
            ("forwarded", self.forwarded.as_ref().map(super::Forwarded::check)),
        ];
        parts
            .into_iter()
            .flat_map(|(member, violations)| {
                let violations = violations.into_iter().flatten();
                violations.map(move |violation| violation.under(member))
            })
            .collect()
    }
}

impl PolicyTarget {
    /// Name of the member that says it.
    pub fn member(&self) -> &'static str {
        match self {
            Self::Mesh {} => "mesh",
            Self::VirtualNode(_) => "virtualNode",
            Self::VirtualService(_) => "virtualService",
            Self::Route { .. } => "route",
            Self::VirtualGateway(_) => "virtualGateway",
            Self::GatewayRoute { .. } => "gatewayRoute",
            Self::VirtualNodeIngress(_) => "virtualNodeIngress",
        }
    }

    /// Key of the resource that the policy applies to.
    pub fn key(&self, mesh: &str) -> Key {
        match self {
            Self::Mesh {} => Key::mesh(mesh),
            Self::VirtualNode(name) | Self::VirtualNodeIngress(name) => Key::in_mesh(mesh, Kind::VirtualNode, name),
            Self::VirtualService(name) => Key::in_mesh(mesh, Kind::VirtualService, name),
            Self::VirtualGateway(name) => Key::in_mesh(mesh, Kind::VirtualGateway, name),
            Self::Route { router, name } => Key::in_parent(mesh, Kind::Route, router, name),
            Self::GatewayRoute { gateway, name } => Key::in_parent(mesh, Kind::GatewayRoute, gateway, name),
        }
    }
}

#[cfg(test)]
mod tests;
