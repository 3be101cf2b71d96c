//! Tokens that requests must carry.
//!
//! One filter knows the tokens of all policies; a route names the requirement of its own. A requirement that the filter does
//! not know is refused by Envoy.

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource};
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_provider::JwksSourceSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_requirement::RequiresType;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::{
    per_route_config, JwtAuthentication, JwtClaimToHeader, JwtHeader, JwtProvider, JwtRequirement,
    JwtRequirementAndList, JwtRequirementOrList, PerRouteConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::{Any, Empty};
use ferromesh_ir::guard::{Jwks, Jwt, JwtProvider as Spec, JwtRequirement as Requirement};
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
pub fn filter(policies: &BTreeMap<&str, &Arc<Jwt>>) -> Option<HttpFilter> {
    if policies.is_empty() {
        return None;
    }
    let mut sorted = Sorted::default();
    for (policy, jwt) in policies {
        let names: Vec<String> = jwt.providers.iter().map(|spec| name(policy, spec)).collect();
        let required = requirement(jwt.require.unwrap_or_default(), &names);
        sorted.requirement_map.insert((*policy).to_owned(), required);
        let providers = jwt.providers.iter().map(|spec| (name(policy, spec), provider(spec)));
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

fn provider(spec: &Spec) -> JwtProvider {
    let source = match &spec.jwks {
        Jwks::Inline(keys) => data_source::Specifier::InlineString(keys.to_string()),
        Jwks::File(path) => data_source::Specifier::Filename(path.clone()),
    };
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
        jwks_source_specifier: Some(JwksSourceSpecifier::LocalJwks(DataSource {
            specifier: Some(source),
            ..DataSource::default()
        })),
        ..JwtProvider::default()
    }
}
