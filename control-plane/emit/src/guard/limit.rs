//! A service that counts requests over all proxies.

use envoy_types::pb::envoy::config::core::v3::ApiVersion;
use envoy_types::pb::envoy::config::ratelimit::v3::RateLimitServiceConfig;
use envoy_types::pb::envoy::config::route::v3::rate_limit::action::{
    ActionSpecifier, GenericKey, RemoteAddress, RequestHeaders,
};
use envoy_types::pb::envoy::config::route::v3::rate_limit::Action;
use envoy_types::pb::envoy::config::route::v3::RateLimit as Descriptor;
use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::{RateLimit, RateLimitPerRoute};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::Any;
use ferromesh_ir::guard::{GlobalLimit, KeyPart, LimitKey, LIMIT_ENTRY};
use ferromesh_ir::route::Label;
use ferromesh_ir::Proxy;

use crate::{names, pack};

/// The filter for one policy. It asks nothing for a route that says nothing to it.
pub fn filter(proxy: &Proxy, policy: &str, spec: &GlobalLimit) -> HttpFilter {
    let config = RateLimit {
        domain: spec.domain.clone(),
        timeout: Some(pack::duration(spec.timeout)),
        failure_mode_deny: !spec.allow_on_failure,
        rate_limit_service: Some(RateLimitServiceConfig {
            grpc_service: Some(super::grpc(proxy, &spec.cluster, spec.timeout)),
            transport_api_version: ApiVersion::V3.into(),
        }),
        stat_prefix: policy.to_owned(),
        ..RateLimit::default()
    };
    super::http_filter(names::limit(policy), pack::any(&config))
}

/// What a route says to the filter: the descriptors of its requests.
pub fn on_route(spec: &GlobalLimit, label: &Label) -> Any {
    let rate_limits = spec
        .limits
        .iter()
        .map(|limit| Descriptor {
            actions: actions(limit, label),
            ..Descriptor::default()
        })
        .collect();
    pack::any(&RateLimitPerRoute {
        rate_limits,
        ..RateLimitPerRoute::default()
    })
}

/// The entries of one descriptor. The limit is the last, after everything that a request has a part in.
fn actions(limit: &LimitKey, label: &Label) -> Vec<Action> {
    let key = limit.key.iter().map(|part| action(part, label));
    let limit = limit.limit.iter().map(|limit| Action {
        action_specifier: Some(constant(LIMIT_ENTRY, &limit.to_string())),
    });
    key.chain(limit).collect()
}

fn constant(key: &str, value: &str) -> ActionSpecifier {
    ActionSpecifier::GenericKey(GenericKey {
        descriptor_key: key.to_owned(),
        descriptor_value: value.to_owned(),
        ..GenericKey::default()
    })
}

fn action(part: &KeyPart, label: &Label) -> Action {
    let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".into());
    Action {
        action_specifier: Some(match part {
            KeyPart::SourceAddress {} => ActionSpecifier::RemoteAddress(RemoteAddress {}),
            KeyPart::Header(name) => ActionSpecifier::RequestHeaders(RequestHeaders {
                header_name: name.clone(),
                descriptor_key: name.to_ascii_lowercase(),
                ..RequestHeaders::default()
            }),
            KeyPart::VirtualService {} => constant("virtual_service", &named(&label.virtual_service)),
            KeyPart::Route {} => constant("route", &named(&label.route)),
            KeyPart::Constant(entry) => constant(&entry.key, &entry.value),
        }),
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_model::policy::Entry;

    use super::*;

    #[test]
    fn a_limit_is_the_last_entry_of_its_descriptor_and_absent_where_the_service_knows_it() {
        let entries = |limit: Option<&str>| -> Vec<(String, String)> {
            let key = LimitKey {
                key: vec![
                    KeyPart::Route {},
                    KeyPart::Constant(Entry {
                        key: "a".into(),
                        value: "b".into(),
                    }),
                ],
                limit: limit.map(|limit| limit.parse().expect("a limit")),
            };
            let label = Label {
                route: Some("r".into()),
                ..Label::default()
            };
            let said = actions(&key, &label)
                .into_iter()
                .map(|action| match action.action_specifier {
                    Some(ActionSpecifier::GenericKey(entry)) => (entry.descriptor_key, entry.descriptor_value),
                    other => panic!("{other:?}"),
                });
            said.collect()
        };
        let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let key = vec![own("route", "r"), own("a", "b")];
        assert_eq!(entries(None), key);
        let limit = r#""l";q=5;w=60"#;
        assert_eq!(
            entries(Some(limit)),
            [key, vec![own("ferromesh.limit", limit)]].concat()
        );
    }
}
