//! A route's policy, on its way to the filter.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::config::route::v3::FilterConfig;
use envoy_types::pb::google::protobuf::{value, Any, Struct, Value};
use ferromesh_ir::route::Policy;

use crate::{names, pack};

/// The policy as JSON.
pub fn json(policy: &Policy) -> String {
    // Strings and numbers only: it cannot fail.
    serde_json::to_string(&policy.config).unwrap_or_default()
}

/// Route metadata with the policy in one string leaf.
///
/// Each map has one member: more would be encoded in an order that differs from run to run.
pub fn metadata(json: String) -> Metadata {
    let leaf = Value {
        kind: Some(value::Kind::StringValue(json)),
    };
    let fields = HashMap::from([(names::POLICY_KEY.to_owned(), leaf)]);
    Metadata {
        filter_metadata: HashMap::from([(names::METADATA_NAMESPACE.to_owned(), Struct { fields })]),
        ..Metadata::default()
    }
}

/// Switches a filter off on a route, where it then costs nothing.
pub fn off() -> Any {
    pack::any(&FilterConfig {
        disabled: true,
        ..FilterConfig::default()
    })
}
