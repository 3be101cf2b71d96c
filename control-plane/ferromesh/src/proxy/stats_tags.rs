//! Labels of the statistics: which parts of Envoy's statistic names become tags.
//!
//! Three sources: App Mesh's tags for listeners, which dashboards rely on; its fixed tags for the proxy, which users
//! switch on; and the labels of our own metrics, whose names the observability filter makes.

use ferromesh_policy::observability;
use serde_json::{json, Value};

use crate::identity::{Identity, ProxyKind};

/// Part of the name of the request duration histogram, to find it for its buckets.
pub const DURATION_METRIC: &str = "ferromesh_request_duration_milliseconds";

/// App Mesh's tags on statistics of ingress connection managers, whose `stat_prefix` is `ingress.<protocol>.<port>`.
/// They stood in every bootstrap that its agent made.
const LISTENER_TAGS: [(&str, &str); 3] = [
    ("appmesh.listener_protocol", r".*?\.ingress\.((\w+?)\.)[0-9]+?\.(.+?)$"),
    ("appmesh.listener_port", r".*?\.ingress\.\w+?\.(([0-9]+?)\.)(.+?)$"),
    (
        "envoy_rds_route_config",
        r".*?\.ingress\.\w+?\.[0-9]+?\.rds\.((.*?)\.)(.+?)$",
    ),
];

/// The whole `stats_tags` list of a bootstrap.
pub fn all(identity: &Identity, with_mesh_tags: bool) -> Vec<Value> {
    let kind = match identity.kind {
        ProxyKind::VirtualNode => "appmesh.virtual_node",
        ProxyKind::VirtualGateway => "appmesh.virtual_gateway",
    };
    let fixed = [("appmesh.mesh", &identity.mesh), (kind, &identity.name)]
        .into_iter()
        .filter(|_| with_mesh_tags)
        .map(|(name, value)| json!({ "tag_name": name, "fixed_value": value }));
    by_regex(LISTENER_TAGS.iter()).chain(filters()).chain(fixed).collect()
}

/// The labels of the filters' own metrics. They are needed whatever else a user wants: without them the labels would
/// stay in the names. No other statistic is looked at for them.
pub fn filters() -> impl Iterator<Item = Value> {
    by_regex(
        observability::STATS_TAGS
            .iter()
            .chain(observability::OPTIONAL_STATS_TAGS),
    )
}

fn by_regex(tags: impl Iterator<Item = &'static (&'static str, &'static str)>) -> impl Iterator<Item = Value> {
    tags.map(|(name, regex)| json!({ "tag_name": name, "regex": regex }))
}
