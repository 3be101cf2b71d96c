//! A service that must allow requests.

use envoy_types::pb::envoy::config::core::v3::{http_uri, ApiVersion, HttpUri};
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    ext_authz, AuthorizationResponse, ExtAuthz, HttpService,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{ListStringMatcher, StringMatcher};
use ferromesh_ir::guard::{Authorization, AuthorizationProtocol};
use ferromesh_ir::Proxy;

use crate::{names, pack};

/// The filter for one policy.
pub fn filter(proxy: &Proxy, policy: &str, spec: &Authorization) -> HttpFilter {
    let services = match &spec.protocol {
        AuthorizationProtocol::Grpc => {
            ext_authz::Services::GrpcService(super::grpc(proxy, &spec.cluster, spec.timeout))
        }
        AuthorizationProtocol::Http {
            host,
            path_prefix,
            upstream_headers,
        } => ext_authz::Services::HttpService(HttpService {
            server_uri: Some(HttpUri {
                uri: format!("http://{host}"),
                timeout: Some(pack::duration(spec.timeout)),
                http_upstream_type: Some(http_uri::HttpUpstreamType::Cluster(names::cluster(
                    proxy,
                    &spec.cluster,
                ))),
            }),
            path_prefix: path_prefix.clone(),
            authorization_response: (!upstream_headers.is_empty()).then(|| AuthorizationResponse {
                allowed_upstream_headers: Some(any_of(upstream_headers)),
                ..AuthorizationResponse::default()
            }),
            ..HttpService::default()
        }),
    };
    let config = ExtAuthz {
        transport_api_version: ApiVersion::V3.into(),
        failure_mode_allow: spec.allow_on_failure,
        allowed_headers: spec.include_headers.as_deref().map(any_of),
        disallowed_headers: (!spec.exclude_headers.is_empty()).then(|| any_of(&spec.exclude_headers)),
        stat_prefix: policy.to_owned(),
        services: Some(services),
        ..ExtAuthz::default()
    };
    super::http_filter(names::authorization(policy), pack::any(&config))
}

fn any_of(headers: &[String]) -> ListStringMatcher {
    ListStringMatcher {
        patterns: headers
            .iter()
            .map(|header| StringMatcher {
                match_pattern: Some(MatchPattern::Exact(header.clone())),
                ignore_case: true,
            })
            .collect(),
    }
}
