//! Routes of a virtual router.

use serde::{Deserialize, Serialize};

use super::{
    GrpcRetryPolicy, GrpcRouteMatch, GrpcTimeout, HttpRetryPolicy, HttpRouteMatch, HttpTimeout, TcpRouteMatch,
    TcpTimeout,
};

/// Spec of a route: exactly one of the four members besides the priority.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteSpec {
    /// For a listener that speaks gRPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_route: Option<GrpcRoute>,
    /// For a listener that speaks HTTP/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2_route: Option<HttpRoute>,
    /// For a listener that speaks HTTP/1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_route: Option<HttpRoute>,
    /// 0 to 1000, lower first; a route without one comes after 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// For a listener that speaks TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_route: Option<TcpRoute>,
}

/// A route for HTTP/1.1 or HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRoute {
    /// Where the requests go.
    pub action: HttpRouteAction,
    /// Which requests.
    pub r#match: HttpRouteMatch,
    /// When they are tried again; absent is App Mesh's default policy, not none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<HttpRetryPolicy>,
    /// How long they may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HttpTimeout>,
}

/// Where HTTP requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRouteAction {
    /// Targets with their weights, 1 to 10.
    pub weighted_targets: Vec<WeightedTarget>,
}

/// One target of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightedTarget {
    /// Which of the node's listeners, 1 to 65535; needed when it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Name of a virtual node of the same mesh, 1 to 255 characters.
    pub virtual_node: String,
    /// Share relative to the sum of all weights, 0 to 100.
    pub weight: i64,
}

/// A route for gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRoute {
    /// Where the requests go.
    pub action: GrpcRouteAction,
    /// Which requests.
    pub r#match: GrpcRouteMatch,
    /// When they are tried again; absent is App Mesh's default policy, not none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<GrpcRetryPolicy>,
    /// How long they may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GrpcTimeout>,
}

/// Where gRPC requests go.
pub type GrpcRouteAction = HttpRouteAction;

/// A route for TCP connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRoute {
    /// Where the connections go.
    pub action: TcpRouteAction,
    /// Which connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#match: Option<TcpRouteMatch>,
    /// How long they may be idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TcpTimeout>,
}

/// Where TCP connections go.
pub type TcpRouteAction = HttpRouteAction;
