//! TLS of listeners and towards backends. Virtual nodes and virtual gateways have the same members, so the shapes
//! of virtual gateways are aliases.

use serde::{Deserialize, Serialize};

/// TLS that a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTls {
    /// The listener's certificate.
    pub certificate: ListenerTlsCertificate,
    /// Whether TLS is required.
    pub mode: ListenerTlsMode,
    /// How client certificates are checked; present means that they are required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ListenerTlsValidationContext>,
}

/// Whether a listener requires TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ListenerTlsMode {
    /// Only TLS is accepted.
    #[serde(rename = "STRICT")]
    Strict,
    /// TLS and plain text are accepted.
    #[serde(rename = "PERMISSIVE")]
    Permissive,
    /// Only plain text is accepted.
    #[serde(rename = "DISABLED")]
    Disabled,
}

impl ListenerTlsMode {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "STRICT",
            Self::Permissive => "PERMISSIVE",
            Self::Disabled => "DISABLED",
        }
    }
}

/// A listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTlsCertificate {
    /// From a certificate manager, by ARN.
    Acm(ListenerTlsAcmCertificate),
    /// From files on the proxy's file system.
    File(ListenerTlsFileCertificate),
    /// From the proxy's local SDS server.
    Sds(ListenerTlsSdsCertificate),
}

/// A certificate named by ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTlsAcmCertificate {
    /// The certificate's ARN.
    pub certificate_arn: String,
}

/// A certificate in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTlsFileCertificate {
    /// Path of the PEM chain on the proxy's file system, 1 to 255 characters.
    pub certificate_chain: String,
    /// Path of the PEM key on the proxy's file system, 1 to 255 characters.
    pub private_key: String,
}

/// A certificate from the local SDS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTlsSdsCertificate {
    /// Name of the secret.
    pub secret_name: String,
}

/// How a listener checks client certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTlsValidationContext {
    /// Names of which the certificate must carry one; absent is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<SubjectAlternativeNames>,
    /// Authorities that are trusted.
    pub trust: ListenerTlsValidationContextTrust,
}

/// Authorities that a listener trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTlsValidationContextTrust {
    /// From a file.
    File(TlsValidationContextFileTrust),
    /// From the local SDS server.
    Sds(TlsValidationContextSdsTrust),
}

/// Trusted authorities in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsValidationContextFileTrust {
    /// Path of the PEM bundle on the proxy's file system, 1 to 255 characters.
    pub certificate_chain: String,
}

/// Trusted authorities from the local SDS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsValidationContextSdsTrust {
    /// Name of the secret.
    pub secret_name: String,
}

/// Trusted authorities named by ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsValidationContextAcmTrust {
    /// ARNs of certificate authorities, 1 to 3.
    pub certificate_authority_arns: Vec<String>,
}

/// Names of which a certificate must carry one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectAlternativeNames {
    /// The names.
    pub r#match: SubjectAlternativeNameMatchers,
}

/// Names of which a certificate must carry one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectAlternativeNameMatchers {
    /// Host names or URIs, compared as a whole, each 1 to 254 characters.
    pub exact: Vec<String>,
}

/// How a proxy connects to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientPolicy {
    /// TLS towards the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientPolicyTls>,
}

/// TLS towards a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientPolicyTls {
    /// The client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ClientTlsCertificate>,
    /// Whether TLS is required; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce: Option<bool>,
    /// Ports to which the policy applies, each 1 to 65535; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<i64>,
    /// How the server's certificate is checked.
    pub validation: TlsValidationContext,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientTlsCertificate {
    /// From files on the proxy's file system.
    File(ListenerTlsFileCertificate),
    /// From the proxy's local SDS server.
    Sds(ListenerTlsSdsCertificate),
}

/// How a client checks the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsValidationContext {
    /// Names of which the certificate must carry one; absent is the destination's service discovery name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<SubjectAlternativeNames>,
    /// Authorities that are trusted.
    pub trust: TlsValidationContextTrust,
}

/// Authorities that a client trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsValidationContextTrust {
    /// By ARN.
    Acm(TlsValidationContextAcmTrust),
    /// From a file.
    File(TlsValidationContextFileTrust),
    /// From the local SDS server.
    Sds(TlsValidationContextSdsTrust),
}

/// TLS that a virtual gateway's listener speaks.
pub type VirtualGatewayListenerTls = ListenerTls;

/// Whether a virtual gateway's listener requires TLS.
pub type VirtualGatewayListenerTlsMode = ListenerTlsMode;

/// A virtual gateway listener's certificate.
pub type VirtualGatewayListenerTlsCertificate = ListenerTlsCertificate;

/// A certificate named by ARN.
pub type VirtualGatewayListenerTlsAcmCertificate = ListenerTlsAcmCertificate;

/// A certificate in files.
pub type VirtualGatewayListenerTlsFileCertificate = ListenerTlsFileCertificate;

/// A certificate from the local SDS server.
pub type VirtualGatewayListenerTlsSdsCertificate = ListenerTlsSdsCertificate;

/// How a virtual gateway's listener checks client certificates.
pub type VirtualGatewayListenerTlsValidationContext = ListenerTlsValidationContext;

/// Authorities that a virtual gateway's listener trusts.
pub type VirtualGatewayListenerTlsValidationContextTrust = ListenerTlsValidationContextTrust;

/// How a virtual gateway connects to its backends.
pub type VirtualGatewayClientPolicy = ClientPolicy;

/// TLS from a virtual gateway towards its backends.
pub type VirtualGatewayClientPolicyTls = ClientPolicyTls;

/// A virtual gateway's client certificate.
pub type VirtualGatewayClientTlsCertificate = ClientTlsCertificate;

/// How a virtual gateway checks a server's certificate.
pub type VirtualGatewayTlsValidationContext = TlsValidationContext;

/// Authorities that a virtual gateway trusts.
pub type VirtualGatewayTlsValidationContextTrust = TlsValidationContextTrust;

/// Trusted authorities named by ARN.
pub type VirtualGatewayTlsValidationContextAcmTrust = TlsValidationContextAcmTrust;

/// Trusted authorities in a file.
pub type VirtualGatewayTlsValidationContextFileTrust = TlsValidationContextFileTrust;

/// Trusted authorities from the local SDS server.
pub type VirtualGatewayTlsValidationContextSdsTrust = TlsValidationContextSdsTrust;
