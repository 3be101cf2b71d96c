//! TLS transport sockets.
//!
//! Every certificate and every authority is a secret of its own (SDS), files too: that way Envoy reads new ones while its
//! connections stay.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::{transport_socket, TransportSocket};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, SubjectAltNameMatcher,
    UpstreamTlsContext,
};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::google::protobuf::Any;
use ferromesh_ir::tls::{Accepts, Client, Identity, Server, Trust, Validation};

use crate::{names, pack, Reference, SECRET};

/// The server's side.
pub fn server(spec: &Server) -> TransportSocket {
    let mut common = common(spec.alpn, spec.clients.as_ref());
    show(&mut common, &spec.certificate);
    socket(pack::any(&DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: spec.clients.as_ref().map(|_| pack::boolean(true)),
        ..DownstreamTlsContext::default()
    }))
}

/// The client's side.
pub fn client(spec: &Client) -> TransportSocket {
    let mut common = common(spec.alpn, spec.server.as_ref());
    if let Some(identity) = &spec.certificate {
        show(&mut common, identity);
    }
    socket(pack::any(&UpstreamTlsContext {
        common_tls_context: Some(common),
        sni: spec.server_name.clone().unwrap_or_default(),
        ..UpstreamTlsContext::default()
    }))
}

fn socket(config: Any) -> TransportSocket {
    TransportSocket {
        name: "envoy.transport_sockets.tls".into(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(config)),
    }
}

fn common(alpn: &[&str], peer: Option<&Validation>) -> CommonTlsContext {
    CommonTlsContext {
        alpn_protocols: alpn.iter().map(|protocol| (*protocol).to_owned()).collect(),
        validation_context_type: peer.map(validation),
        ..CommonTlsContext::default()
    }
}

fn validation(spec: &Validation) -> ValidationContextType {
    let context = CertificateValidationContext {
        match_typed_subject_alt_names: spec.names.iter().map(|name| subject(name)).collect(),
        ..CertificateValidationContext::default()
    };
    let authorities = match &spec.trust {
        Trust::Local(name) => local_secret(name),
        served => secret(&trust_name(served).unwrap_or_default()),
    };
    combined(context, authorities)
}

/// Names from here, authorities from a secret.
fn combined(context: CertificateValidationContext, authorities: SdsSecretConfig) -> ValidationContextType {
    ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(context),
        validation_context_sds_secret_config: Some(authorities),
        ..CombinedCertificateValidationContext::default()
    })
}

fn show(common: &mut CommonTlsContext, identity: &Identity) {
    let config = match identity {
        Identity::Local(name) => local_secret(name),
        served => secret(&identity_name(served).unwrap_or_default()),
    };
    common.tls_certificate_sds_secret_configs.push(config);
}

/// A subject alternative name, compared as a whole. For host names Envoy takes a certificate's wildcard too.
fn subject(name: &str) -> SubjectAltNameMatcher {
    let kind = if name.contains("://") {
        SanType::Uri
    } else if name.parse::<IpAddr>().is_ok() {
        SanType::IpAddress
    } else {
        SanType::Dns
    };
    SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::Exact(name.to_owned())),
            ..StringMatcher::default()
        }),
        ..SubjectAltNameMatcher::default()
    }
}

fn secret(name: &str) -> SdsSecretConfig {
    SdsSecretConfig {
        name: name.to_owned(),
        sds_config: Some(pack::ads()),
    }
}

/// A secret of the SDS server beside the proxy, whose cluster is in the proxy's bootstrap.
fn local_secret(name: &str) -> SdsSecretConfig {
    SdsSecretConfig {
        name: name.to_owned(),
        sds_config: Some(pack::grpc(names::LOCAL_SDS)),
    }
}

/// The secret from here that holds a certificate; `None` for one of the SDS server beside the proxy.
pub fn identity_name(identity: &Identity) -> Option<String> {
    match identity {
        Identity::File(files) => Some(names::files(files)),
        Identity::Served { arn, .. } => Some(names::certificate(arn)),
        Identity::Local(_) => None,
    }
}

/// The secret from here that holds authorities; `None` for one of the SDS server beside the proxy.
pub fn trust_name(trust: &Trust) -> Option<String> {
    match trust {
        Trust::File(path) => Some(names::file(path)),
        Trust::BuiltIn => Some(names::ROOT.to_owned()),
        Trust::Imported { authorities, built_in } => Some(names::authorities(authorities, *built_in)),
        Trust::Local(_) => None,
    }
}

/// The secrets that a listener's chain names.
pub fn server_references(accepts: &Accepts, from: &str) -> Vec<Reference> {
    let Some(server) = accepts.server() else {
        return Vec::new();
    };
    references(Some(&server.certificate), server.clients.as_ref(), from)
}

/// The secrets that a cluster names.
pub fn client_references(client: &Client, from: &str) -> Vec<Reference> {
    references(client.certificate.as_ref(), client.server.as_ref(), from)
}

fn references(identity: Option<&Identity>, peer: Option<&Validation>, from: &str) -> Vec<Reference> {
    let certificate = identity.and_then(identity_name);
    let authorities = peer.and_then(|peer| trust_name(&peer.trust));
    let names = certificate.into_iter().chain(authorities);
    names
        .map(|name| Reference {
            type_url: SECRET,
            name,
            from: from.to_owned(),
        })
        .collect()
}
