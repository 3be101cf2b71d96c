//! What a proxy believes of what clients say about where a request comes from, and what it says itself.

use serde::{Deserialize, Serialize};

use super::check::{m, BOOLEAN};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// Trust in `x-forwarded-for` and `x-forwarded-client-cert`. By default no client is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forwarded {
    /// Proxies in front that append to `x-forwarded-for` and can be trusted, 0 to 16; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xff_trusted_hops: Option<u32>,
    /// Whether the peer's address is appended to `x-forwarded-for`; when absent, at gateways but not at virtual nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_remote_address: Option<bool>,
    /// What happens to `x-forwarded-client-cert`; [`ForwardClientCert::Sanitize`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_client_cert_details: Option<ForwardClientCert>,
    /// What is told of the client's certificate, beside its hash; only with `appendForward` and `sanitizeSet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_current_client_cert_details: Option<Vec<CertDetail>>,
}

/// What happens to `x-forwarded-client-cert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ForwardClientCert {
    /// It is removed.
    Sanitize,
    /// It is passed on where the client has shown a certificate that was verified.
    ForwardOnly,
    /// The same, and the client's own certificate is appended.
    AppendForward,
    /// It is removed, and the client's own certificate is told instead.
    SanitizeSet,
}

/// What is told of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CertDetail {
    /// Its subject.
    Subject,
    /// All of it, PEM in URL encoding.
    Cert,
    /// All of its chain, PEM in URL encoding.
    Chain,
    /// Its DNS names.
    Dns,
    /// Its URIs, such as a SPIFFE identity.
    Uri,
}

pub(super) static FORWARDED: Shape = Shape {
    name: "Forwarded",
    ty: Type::Structure(&[
        m("xffTrustedHops", &HOPS, false),
        m("useRemoteAddress", &BOOLEAN, false),
        m("forwardClientCertDetails", &MODE, false),
        m("setCurrentClientCertDetails", &DETAILS, false),
    ]),
};
static HOPS: Shape = Shape {
    name: "TrustedHops",
    ty: Type::Integer { min: 0, max: 16 },
};
static MODE: Shape = Shape {
    name: "ForwardClientCert",
    ty: Type::Enum(&["sanitize", "forwardOnly", "appendForward", "sanitizeSet"]),
};
static DETAILS: Shape = Shape {
    name: "CertDetails",
    ty: Type::List {
        member: &DETAIL,
        min: 1,
        max: Some(5),
    },
};
static DETAIL: Shape = Shape {
    name: "CertDetail",
    ty: Type::Enum(&["subject", "cert", "chain", "dns", "uri"]),
};

impl Forwarded {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        let tells = matches!(
            self.forward_client_cert_details,
            Some(ForwardClientCert::AppendForward | ForwardClientCert::SanitizeSet)
        );
        let mut found = Vec::new();
        if self.set_current_client_cert_details.is_some() && !tells {
            let message =
                "needs forwardClientCertDetails to be appendForward or sanitizeSet: otherwise nothing is told";
            found.push(Violation::new("setCurrentClientCertDetails", message));
        }
        found
    }
}
