//! Tokens that requests must carry.
//!
//! One filter knows the tokens of all policies; a route names the requirement of its own. A requirement that the filter does
//! not know is refused by Envoy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{data_source, http_uri, DataSource, HttpUri};
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_provider::JwksSourceSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_requirement::RequiresType;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::{
    per_route_config, JwksAsyncFetch, JwtAuthentication, JwtClaimToHeader, JwtHeader, JwtProvider, JwtRequirement,
    JwtRequirementAndList, JwtRequirementOrList, PerRouteConfig, RemoteJwks,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::{Any, Empty};
use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::guard::{Jwks, Jwt, JwtProvider as Spec, JwtRequirement as Requirement};
use ferromesh_ir::Proxy;
use prost::{Message, Name};

use crate::{names, pack};

/// `JwtAuthentication`, as far as it is used, with its maps sorted: those of the generated types differ in order from run to
/// run.
#[derive(Clone, PartialEq, Message)]
struct Sorted {
    #[prost(btree_map = "string, message", tag = "1")]
    providers: BTreeMap<String, JwtProvider>,
    #[prost(btree_map = "string, message", tag = "5")]
    requirement_map: BTreeMap<String, JwtRequirement>,
}

/// The filter for all of these policies; `None` where there are none.
pub fn filter(proxy: &Proxy, policies: &BTreeMap<&str, &Arc<Jwt>>) -> Option<HttpFilter> {
    if policies.is_empty() {
        return None;
    }
    let mut sorted = Sorted::default();
    for (policy, jwt) in policies {
        let names: Vec<String> = jwt.providers.iter().map(|spec| name(policy, spec)).collect();
        let required = requirement(jwt.require.unwrap_or_default(), &names);
        sorted.requirement_map.insert((*policy).to_owned(), required);
        let providers = jwt
            .providers
            .iter()
            .map(|spec| (name(policy, spec), provider(proxy, policy, spec)));
        sorted.providers.extend(providers);
    }
    let config = Any {
        type_url: JwtAuthentication::type_url(),
        value: sorted.encode_to_vec(),
    };
    Some(super::http_filter(names::JWT.to_owned(), config))
}

/// What a route says to the filter.
pub fn on_route(policy: &str) -> Any {
    pack::any(&PerRouteConfig {
        requirement_specifier: Some(per_route_config::RequirementSpecifier::RequirementName(
            policy.to_owned(),
        )),
    })
}

fn name(policy: &str, spec: &Spec) -> String {
    format!("{policy}/{}", spec.name)
}

fn requirement(require: Requirement, providers: &[String]) -> JwtRequirement {
    let mut each: Vec<JwtRequirement> = providers
        .iter()
        .map(|name| requires(RequiresType::ProviderName(name.clone())))
        .collect();
    match require {
        Requirement::All if each.len() > 1 => {
            requires(RequiresType::RequiresAll(JwtRequirementAndList { requirements: each }))
        }
        Requirement::Optional => {
            each.push(requires(RequiresType::AllowMissing(Empty {})));
            requires(RequiresType::RequiresAny(JwtRequirementOrList { requirements: each }))
        }
        _ if each.len() > 1 => requires(RequiresType::RequiresAny(JwtRequirementOrList { requirements: each })),
        _ => each.pop().unwrap_or_default(),
    }
}

fn requires(requires_type: RequiresType) -> JwtRequirement {
    JwtRequirement {
        requires_type: Some(requires_type),
    }
}

/// The clusters of a policy's key sets.
pub fn clusters(policy: &str, jwt: &Jwt) -> Vec<ClusterId> {
    let remote = jwt.providers.iter().filter(|spec| matches!(spec.jwks, Jwks::Remote(_)));
    remote.map(|spec| key_server(policy, spec)).collect()
}

fn key_server(policy: &str, spec: &Spec) -> ClusterId {
    ClusterId::Keys {
        policy: policy.to_owned(),
        provider: spec.name.clone(),
    }
}

fn keys(proxy: &Proxy, policy: &str, spec: &Spec) -> JwksSourceSpecifier {
    let local = |specifier| {
        JwksSourceSpecifier::LocalJwks(DataSource {
            specifier: Some(specifier),
            ..DataSource::default()
        })
    };
    match &spec.jwks {
        Jwks::Inline(keys) => local(data_source::Specifier::InlineString(keys.to_string())),
        Jwks::File(path) => local(data_source::Specifier::Filename(path.clone())),
        Jwks::Remote(remote) => JwksSourceSpecifier::RemoteJwks(RemoteJwks {
            http_uri: Some(HttpUri {
                uri: remote.uri.clone(),
                timeout: Some(pack::duration(Duration::from_millis(remote.timeout_millis().into()))),
                http_upstream_type: Some(http_uri::HttpUpstreamType::Cluster(names::cluster(
                    proxy,
                    &key_server(policy, spec),
                ))),
            }),
            cache_duration: Some(pack::duration(Duration::from_secs(remote.cache_seconds().into()))),
            // Before the first request, and not by it; a new listener waits for the first answer, the old one serves on.
            async_fetch: Some(JwksAsyncFetch::default()),
            ..RemoteJwks::default()
        }),
    }
}

fn provider(proxy: &Proxy, policy: &str, spec: &Spec) -> JwtProvider {
    JwtProvider {
        issuer: spec.issuer.clone().unwrap_or_default(),
        audiences: spec.audiences.clone(),
        forward: spec.forward.unwrap_or_default(),
        from_headers: spec
            .from_headers
            .iter()
            .map(|header| JwtHeader {
                name: header.name.clone(),
                value_prefix: header.value_prefix.clone().unwrap_or_default(),
            })
            .collect(),
        from_params: spec.from_params.clone(),
        claim_to_headers: spec
            .claim_to_headers
            .iter()
            .map(|claim| JwtClaimToHeader {
                header_name: claim.header.clone(),
                claim_name: claim.claim.clone(),
                ..JwtClaimToHeader::default()
            })
            .collect(),
        jwks_source_specifier: Some(keys(proxy, policy, spec)),
        ..JwtProvider::default()
    }
}
