//! What clients may not say: headers that steer the mesh are removed before a route is chosen.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::{Action, RemoveOnMatch};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation;
use envoy_types::pb::envoy::config::core::v3::http_protocol_options::HeadersWithUnderscoresAction;
use envoy_types::pb::envoy::config::core::v3::{HttpProtocolOptions, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation as EarlyHeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;

use crate::pack;

/// Prefixes of headers that steer our filter and Envoy's router.
const CONTROL_PREFIXES: [&str; 2] = ["x-ferromesh-", "x-envoy-"];

/// What our filter says in response headers. Only the nearest proxy may say it, hence upstream's own are removed.
pub const RESPONSE_HEADERS: [&str; 3] = ["x-ferromesh-route", "x-ferromesh-target", "x-ferromesh-attempts"];

/// What upstreams say to the Envoy before them, which acts on it. Within the mesh it is wanted: `x-envoy-overloaded` and
/// `x-envoy-ratelimited` keep a caller from retrying what a later proxy has shed. Outside nobody must act on it.
pub const EDGE_RESPONSE_HEADERS: [&str; 5] = [
    "x-envoy-overloaded",
    "x-envoy-ratelimited",
    "x-envoy-degraded",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-upstream-canary",
];

/// Removes a client's control headers before the route is chosen.
pub fn early_header_mutation() -> TypedExtensionConfig {
    let mutations = CONTROL_PREFIXES
        .into_iter()
        .map(|prefix| HeaderMutation {
            action: Some(Action::RemoveOnMatch(RemoveOnMatch {
                key_matcher: Some(StringMatcher {
                    match_pattern: Some(MatchPattern::Prefix(prefix.into())),
                    ..StringMatcher::default()
                }),
            })),
        })
        .collect();
    TypedExtensionConfig {
        name: "envoy.http.early_header_mutation.header_mutation".into(),
        typed_config: Some(pack::any(&EarlyHeaderMutation { mutations })),
    }
}

/// Refuses header names with underscores: many applications read `x_ferromesh_pick` as `x-ferromesh-pick`.
pub fn refuse_underscores() -> HttpProtocolOptions {
    HttpProtocolOptions {
        headers_with_underscores_action: HeadersWithUnderscoresAction::RejectRequest.into(),
        ..HttpProtocolOptions::default()
    }
}
