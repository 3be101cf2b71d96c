//! What a connection manager does with what clients say about where a request comes from.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    ForwardClientCertDetails, SetCurrentClientCertDetails,
};
use ferromesh_ir::listener::{CertDetail, ClientCertificate, ForwardClientCert};

use crate::pack;

/// What happens to `x-forwarded-client-cert`.
pub fn forward(certificate: &ClientCertificate) -> ForwardClientCertDetails {
    match certificate.forward {
        ForwardClientCert::Sanitize => ForwardClientCertDetails::Sanitize,
        ForwardClientCert::ForwardOnly => ForwardClientCertDetails::ForwardOnly,
        ForwardClientCert::AppendForward => ForwardClientCertDetails::AppendForward,
        ForwardClientCert::SanitizeSet => ForwardClientCertDetails::SanitizeSet,
    }
}

/// What is told of the client's own certificate; `None` where nothing is.
pub fn details(certificate: &ClientCertificate) -> Option<SetCurrentClientCertDetails> {
    let has = |detail| certificate.details.contains(&detail);
    (!certificate.details.is_empty()).then(|| SetCurrentClientCertDetails {
        subject: has(CertDetail::Subject).then(|| pack::boolean(true)),
        cert: has(CertDetail::Cert),
        chain: has(CertDetail::Chain),
        dns: has(CertDetail::Dns),
        uri: has(CertDetail::Uri),
        ..SetCurrentClientCertDetails::default()
    })
}
