//! Requests that a service of the user's own must allow.

use serde::{Deserialize, Serialize};

use super::check::{m, BOOLEAN, FIELD, PATH, TIMEOUT_MILLIS};
use super::service::{OnFailure, ServiceAt, ON_FAILURE, SERVICE_AT};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// A service that is asked whether a request may pass, with Envoy's authorization protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtAuthz {
    /// Whether it is asked; `true` when absent. `false`, alone, lets a route pass that a wider policy has asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// A service that speaks `envoy.service.auth.v3.Authorization` over gRPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<ServiceAt>,
    /// A service that is sent the request's head over HTTP; 200 allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<ServiceAt>,
    /// What is put before the path of what an HTTP service is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// Time for an answer in milliseconds, 1 to 60,000; 200 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u32>,
    /// What happens without an answer; refused when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Request headers that the service is sent, 1 to 64. Absent: all to a gRPC service; to an HTTP service none but the
    /// host, the method, the path, the length and `authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_headers: Option<Vec<String>>,
    /// Request headers that the service is not sent, 1 to 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_headers: Option<Vec<String>>,
    /// Headers of an HTTP service's answer that go on with an allowed request, 1 to 64; none when absent. A gRPC service
    /// names them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_headers: Option<Vec<String>>,
}

pub(super) static EXT_AUTHZ: Shape = Shape {
    name: "ExtAuthz",
    ty: Type::Structure(&[
        m("enabled", &BOOLEAN, false),
        m("grpc", &SERVICE_AT, false),
        m("http", &SERVICE_AT, false),
        m("pathPrefix", &PATH, false),
        m("timeoutMillis", &TIMEOUT_MILLIS, false),
        m("onFailure", &ON_FAILURE, false),
        m("includeHeaders", &HEADERS, false),
        m("excludeHeaders", &HEADERS, false),
        m("upstreamHeaders", &HEADERS, false),
    ]),
};
static HEADERS: Shape = Shape {
    name: "HeaderNames",
    ty: Type::List {
        member: &FIELD,
        min: 1,
        max: Some(64),
    },
};

impl ExtAuthz {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        let off = Self {
            enabled: Some(false),
            ..Self::default()
        };
        if *self == off {
            return Vec::new();
        }
        let mut found = Vec::new();
        if self.grpc.is_some() == self.http.is_some() {
            let has = if self.grpc.is_some() { "both" } else { "none" };
            found.push(Violation::new(
                "",
                format!("must have exactly one of grpc, http, has {has}"),
            ));
        }
        if self.http.is_none() {
            for (member, is_there) in [
                ("pathPrefix", self.path_prefix.is_some()),
                ("upstreamHeaders", self.upstream_headers.is_some()),
            ] {
                if is_there {
                    found.push(Violation::new(member, "is for an http service"));
                }
            }
        }
        for (member, service) in [("grpc", &self.grpc), ("http", &self.http)] {
            let service = service.iter().flat_map(ServiceAt::check);
            found.extend(service.map(|violation| violation.under(member)));
        }
        for (index, name) in self.upstream_headers.iter().flatten().enumerate() {
            let problem = super::check::steers(name);
            found.extend(problem.map(|problem| Violation::new(format!("upstreamHeaders[{index}]"), problem)));
        }
        found
    }
}
