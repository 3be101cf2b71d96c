//! App Mesh's metrics under its own names, from what the ledger counts anyway: they cost nothing on the request path
//! but the reads of the bytes.
//!
//! Source: AWS App Mesh user guide, "Metrics extension". Of its nine, `ActiveConnectionCount` and
//! `NewConnectionCount` are about connections, which a filter of HTTP streams does not see; Envoy has them as
//! `http.<prefix>.downstream_cx_active` and `downstream_cx_total`. Bytes are those of headers and bodies, without
//! what the protocol and TLS add.

use super::stat_name::push;
use super::ResponseClass;
use crate::mesh::Reporter;

/// Whose metrics they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppMesh<'l> {
    /// The mesh.
    pub mesh: &'l str,
    /// The virtual node or the virtual gateway that this Envoy is.
    pub node: &'l str,
    /// A gateway tells of both sides, a source of its targets, a destination of what arrives.
    pub reporter: Reporter,
}

/// A metric of App Mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Metric {
    Requests,
    GrpcRequests,
    Bytes,
    TargetRequests,
    TargetBytes,
    TargetCode(ResponseClass),
    TargetResponseTime,
}

/// How many metrics one series has: one class, so one code.
pub(super) const METRICS: usize = 7;

impl Metric {
    /// Its place among those of one series.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Requests => 0,
            Self::GrpcRequests => 1,
            Self::Bytes => 2,
            Self::TargetRequests => 3,
            Self::TargetBytes => 4,
            Self::TargetCode(_) => 5,
            Self::TargetResponseTime => 6,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Requests => "RequestCount",
            Self::GrpcRequests => "GrpcRequestCount",
            Self::Bytes => "ProcessedBytes",
            Self::TargetRequests => "RequestCountPerTarget",
            Self::TargetBytes => "TargetProcessedBytes",
            Self::TargetCode(ResponseClass::Successful) => "HTTPCode_Target_2XX_Count",
            Self::TargetCode(ResponseClass::Redirection) => "HTTPCode_Target_3XX_Count",
            Self::TargetCode(ResponseClass::ClientError) => "HTTPCode_Target_4XX_Count",
            // Only asked for classes that have a metric.
            Self::TargetCode(_) => "HTTPCode_Target_5XX_Count",
            Self::TargetResponseTime => "TargetResponseTime",
        }
    }

    const fn is_of_target(self) -> bool {
        !matches!(self, Self::Requests | Self::GrpcRequests | Self::Bytes)
    }
}

/// The parts of the names that one Envoy's metrics share.
#[derive(Debug, PartialEq)]
pub(super) struct Owner {
    head: String,
    node: String,
    arrives: bool,
    leaves: bool,
}

impl Owner {
    pub(super) fn new(app_mesh: &AppMesh<'_>) -> Self {
        let mut head = String::new();
        push(&mut head, "Mesh", app_mesh.mesh);
        head.push_str(";appmesh.");
        let kind = match app_mesh.reporter {
            Reporter::Gateway => "VirtualGateway",
            Reporter::Source | Reporter::Destination => "VirtualNode",
        };
        let mut node = String::new();
        push(&mut node, kind, app_mesh.node);
        Self {
            head,
            node,
            arrives: app_mesh.reporter != Reporter::Source,
            leaves: app_mesh.reporter != Reporter::Destination,
        }
    }

    /// The labels of a target.
    pub(super) fn target(service: &str, node: &str) -> String {
        let mut labels = String::new();
        push(&mut labels, "TargetVirtualService", service);
        push(&mut labels, "TargetVirtualNode", node);
        labels
    }

    /// Whether this Envoy tells it.
    pub(super) const fn tells(&self, metric: Metric) -> bool {
        if metric.is_of_target() {
            self.leaves
        } else {
            self.arrives
        }
    }

    pub(super) fn name(&self, metric: Metric, target: &str) -> String {
        let target = if metric.is_of_target() { target } else { "" };
        [&self.head, metric.name(), &self.node, target].concat()
    }
}

#[cfg(test)]
mod tests;
