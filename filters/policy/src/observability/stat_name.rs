//! Labels in stat names. Envoy's wasm metrics have no labels; its `stats_tags` take them out of the name.
//!
//! A name is `ferromesh_requests_total;mesh=m;reporter=source;…;response_class=2xx`. `;` separates because
//! a value never holds one: everything but letters, digits and ``_.-/*+@~`` is percent-encoded. Dots
//! stay, so the usual names read as they are. Envoy puts [`STATS_PREFIX`] before the name, by which it
//! also finds the expressions: with `^wasmcustom\.` in front they are tried on no other stat.

use super::{GrpcStatus, ResponseClass};

/// What Envoy puts before the name of a wasm metric; its Prometheus output leaves it out.
pub const STATS_PREFIX: &str = "wasmcustom.";

/// For `stats_config.stats_tags` of every Envoy that runs a module: label and regular expression. The
/// first group leaves the name, the second is the label's value. Every metric of ours has these labels.
pub const STATS_TAGS: &[(&str, &str)] = &[
    ("mesh", r"^wasmcustom\.ferromesh_[^;]*(;mesh=([^;]*))"),
    ("reporter", r"^wasmcustom\.ferromesh_.*(;reporter=([^;]*))"),
    ("source_node", r"^wasmcustom\.ferromesh_.*(;source_node=([^;]*))"),
    (
        "virtual_service",
        r"^wasmcustom\.ferromesh_.*(;virtual_service=([^;]*))",
    ),
    ("route", r"^wasmcustom\.ferromesh_.*(;route=([^;]*))"),
    ("target_node", r"^wasmcustom\.ferromesh_.*(;target_node=([^;]*))"),
    ("response_class", r"^wasmcustom\.ferromesh_.*(;response_class=([^;]*))"),
];

/// The same for labels that only some metrics have: gRPC's, and App Mesh's metrics. `Mesh` takes the prefix with it,
/// so that Envoy calls App Mesh's metrics what App Mesh called them: `envoy_appmesh_RequestCount` in Prometheus,
/// `appmesh.RequestCount` with tags in StatsD.
pub const OPTIONAL_STATS_TAGS: &[(&str, &str)] = &[
    ("grpc_status", r"^wasmcustom\.ferromesh_.*(;grpc_status=([^;]*))"),
    ("Mesh", r"^(wasmcustom\.;Mesh=([^;]*);)appmesh\."),
    ("VirtualNode", r"^wasmcustom\.;Mesh=.*(;VirtualNode=([^;]*))"),
    ("VirtualGateway", r"^wasmcustom\.;Mesh=.*(;VirtualGateway=([^;]*))"),
    (
        "TargetVirtualService",
        r"^wasmcustom\.;Mesh=.*(;TargetVirtualService=([^;]*))",
    ),
    (
        "TargetVirtualNode",
        r"^wasmcustom\.;Mesh=.*(;TargetVirtualNode=([^;]*))",
    ),
];

/// The labels that a route's metrics share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'l> {
    /// The mesh.
    pub mesh: &'l str,
    /// `gateway`, `source` or `destination`.
    pub reporter: &'l str,
    /// The node that sends.
    pub source_node: &'l str,
    /// The virtual service that is asked.
    pub virtual_service: &'l str,
    /// The route's label.
    pub route: &'l str,
}

impl Scope<'_> {
    /// The part of the name that the route's metrics share.
    pub(super) fn encode(&self) -> String {
        let mut name = String::new();
        for (label, value) in [
            ("mesh", self.mesh),
            ("reporter", self.reporter),
            ("source_node", self.source_node),
            ("virtual_service", self.virtual_service),
            ("route", self.route),
        ] {
            push(&mut name, label, value);
        }
        name
    }
}

/// The part of the name that tells one series of a route from another.
pub(super) fn push_series(name: &mut String, target: &str, class: ResponseClass, grpc: Option<GrpcStatus>) {
    push(name, "target_node", target);
    push(name, "response_class", class.label());
    if let Some(status) = grpc {
        push(name, "grpc_status", status.label());
    }
}

pub(super) fn push(name: &mut String, label: &str, value: &str) {
    name.push(';');
    name.push_str(label);
    name.push('=');
    if value.is_empty() {
        // An empty value would be no label at all in Prometheus.
        name.push_str("unknown");
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-/*+@~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            for nibble in [byte >> 4, byte & 0xf] {
                name.extend(char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
}
