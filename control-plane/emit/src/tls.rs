//! TLS transport sockets.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::{data_source, transport_socket, DataSource, TransportSocket};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, SubjectAltNameMatcher,
    TlsCertificate, UpstreamTlsContext,
};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::google::protobuf::Any;
use ferromesh_ir::tls::{Accepts, Certificate, Client, KeyPair, Server, Trust, Validation};

use crate::{names, pack, Reference, SECRET};

/// The server's side.
pub fn server(spec: &Server) -> TransportSocket {
    let mut common = common(spec.alpn, spec.clients.as_ref());
    match &spec.certificate {
        Certificate::File(files) => common.tls_certificates.push(certificate(files)),
        Certificate::Issued { arn, .. } => {
            let secret = secret(&names::certificate(arn));
            common.tls_certificate_sds_secret_configs.push(secret);
        }
    }
    socket(pack::any(&DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: spec.clients.as_ref().map(|_| pack::boolean(true)),
        ..DownstreamTlsContext::default()
    }))
}

/// The client's side.
pub fn client(spec: &Client) -> TransportSocket {
    let mut common = common(spec.alpn, spec.server.as_ref());
    common
        .tls_certificates
        .extend(spec.certificate.as_ref().map(certificate));
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
    let mut context = CertificateValidationContext {
        match_typed_subject_alt_names: spec.names.iter().map(|name| subject(name)).collect(),
        ..CertificateValidationContext::default()
    };
    match &spec.trust {
        Trust::File(path) => {
            context.trusted_ca = Some(file(path));
            ValidationContextType::ValidationContext(context)
        }
        Trust::BuiltIn => ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
            default_validation_context: Some(context),
            validation_context_sds_secret_config: Some(secret(names::ROOT)),
            ..CombinedCertificateValidationContext::default()
        }),
    }
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

fn certificate(files: &KeyPair) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: Some(file(&files.chain)),
        private_key: Some(file(&files.key)),
        ..TlsCertificate::default()
    }
}

fn file(path: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::Filename(path.to_owned())),
        ..DataSource::default()
    }
}

fn secret(name: &str) -> SdsSecretConfig {
    SdsSecretConfig {
        name: name.to_owned(),
        sds_config: Some(pack::ads()),
    }
}

/// The secrets that a listener's chain names.
pub fn server_references(accepts: &Accepts, from: &str) -> Vec<Reference> {
    let Some(server) = accepts.server() else {
        return Vec::new();
    };
    let certificate = match &server.certificate {
        Certificate::Issued { arn, .. } => Some(names::certificate(arn)),
        Certificate::File(_) => None,
    };
    let names = certificate.into_iter().chain(root(server.clients.as_ref()));
    names.map(|name| reference(name, from)).collect()
}

/// The secrets that a cluster names.
pub fn client_references(client: &Client, from: &str) -> Vec<Reference> {
    let names = root(client.server.as_ref()).into_iter();
    names.map(|name| reference(name, from)).collect()
}

fn root(validation: Option<&Validation>) -> Option<String> {
    validation
        .filter(|validation| validation.trust == Trust::BuiltIn)
        .map(|_| names::ROOT.to_owned())
}

fn reference(name: String, from: &str) -> Reference {
    Reference {
        type_url: SECRET,
        name,
        from: from.to_owned(),
    }
}
