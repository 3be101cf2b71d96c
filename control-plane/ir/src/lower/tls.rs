//! TLS: what a listener accepts, and what its callers speak.
//!
//! App Mesh knew both ends of a call. So a caller without a client policy speaks TLS to a listener that does, and what
//! neither end says is plain text.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ferromesh_model::resource::{
    ClientPolicyTls, ClientTlsCertificate, Listener, ListenerTls, ListenerTlsCertificate, ListenerTlsFileCertificate,
    ListenerTlsMode, ListenerTlsValidationContextTrust, PortProtocol, ServiceDiscovery, SubjectAlternativeNames,
    TlsValidationContextTrust, VirtualNodeSpec,
};

use super::view::switched_on;
use super::Lowering;
use crate::lint::Code;
use crate::tls::{Accepts, Client, Identity, KeyPair, Server, Trust, Validation, OWN_AUTHORITY, OWN_IDENTITY};
use crate::ProxyKind;

impl Lowering<'_> {
    /// What the clients of a listener may speak.
    pub fn accepts(&mut self, resource: &str, port: i64, protocol: PortProtocol, tls: Option<&ListenerTls>) -> Accepts {
        let Some(tls) = switched_on(tls) else {
            return Accepts::AsItComes;
        };
        let server = self.server(resource, protocol, tls);
        if tls.mode == ListenerTlsMode::Strict {
            return Accepts::Tls(server);
        }
        if protocol == PortProtocol::Tcp {
            self.lint(
                Code::ServerSpeaksFirst,
                resource,
                format!(
                    "port {port} waits for the client's first bytes to tell TLS from plain text: a protocol in which the \
                     server speaks first needs STRICT or DISABLED"
                ),
            );
        }
        Accepts::TlsOrPlaintext(server)
    }

    fn server(&mut self, resource: &str, protocol: PortProtocol, tls: &ListenerTls) -> Server {
        let clients = tls.validation.as_ref().map(|validation| Validation {
            trust: match &validation.trust {
                ListenerTlsValidationContextTrust::File(file) => Trust::File(file.certificate_chain.clone()),
                ListenerTlsValidationContextTrust::Sds(sds) => secret_trust(&sds.secret_name),
            },
            // Without a list a client's names are not looked at.
            names: listed(validation.subject_alternative_names.as_ref()).unwrap_or_default(),
        });
        let certificate = match &tls.certificate {
            ListenerTlsCertificate::File(file) => Identity::File(key_pair(file)),
            ListenerTlsCertificate::Sds(sds) => self.secret_identity(&sds.secret_name),
            ListenerTlsCertificate::Acm(acm) => {
                let arn = &acm.certificate_arn;
                self.mesh.note_certificate(arn);
                if !self.options.imported.certificates.contains(arn) {
                    self.lint(
                        Code::NotImported,
                        resource,
                        format!("certificate {arn} is not imported: serving one issued by the built-in CA"),
                    );
                }
                Identity::Served {
                    arn: arn.clone(),
                    names: self.names(arn),
                }
            }
        };
        Server {
            certificate,
            clients,
            alpn: match protocol {
                // An HTTP listener reads both versions, as it does without TLS.
                PortProtocol::Http => &["h2", "http/1.1"],
                PortProtocol::Http2 | PortProtocol::Grpc => &["h2"],
                PortProtocol::Tcp => &[],
            },
        }
    }

    /// What calls to a virtual node's listener speak; `None` is plain text.
    pub fn towards(&mut self, node: &str, spec: &VirtualNodeSpec, listener: &Listener) -> Option<Client> {
        let mapping = listener.port_mapping;
        let resource = format!("virtualNode/{node}");
        let server = switched_on(listener.tls.as_ref());
        let policy = self
            .client_policy
            .clone()
            .filter(|policy| policy.ports.is_empty() || policy.ports.contains(&mapping.port));
        let host = host(spec);
        let (certificate, validation) = match (server, &policy) {
            (None, None) => return None,
            (None, Some(policy)) if policy.enforce == Some(false) => return None,
            (server, Some(policy)) => {
                if server.is_none() {
                    self.lint(
                        Code::TlsMissing,
                        resource,
                        format!(
                            "calls to it must use TLS, which its listener on port {} does not: they fail",
                            mapping.port
                        ),
                    );
                }
                self.by_policy(policy, host.as_deref())
            }
            (Some(server), None) if shows_own_identity(server) => {
                let trust = Trust::BuiltIn;
                let names = self.spiffe(ProxyKind::VirtualNode, node).into_iter().collect();
                (None, Some(Validation { trust, names }))
            }
            (Some(server), None) => match &server.certificate {
                ListenerTlsCertificate::File(_) | ListenerTlsCertificate::Sds(_) => {
                    self.lint(
                        Code::CertificateUnchecked,
                        resource,
                        format!(
                            "its certificate on port {} is not checked by callers without a client policy",
                            mapping.port
                        ),
                    );
                    (None, None)
                }
                ListenerTlsCertificate::Acm(acm) => {
                    let arn = &acm.certificate_arn;
                    self.mesh.note_certificate(arn);
                    let trust = if self.options.imported.authorities.contains(arn) {
                        // What was issued before the import is still believed: not all nodes show the new one at once.
                        Trust::Imported {
                            authorities: [arn.clone()].into(),
                            built_in: true,
                        }
                    } else {
                        Trust::BuiltIn
                    };
                    (None, Some(Validation { trust, names: vec![] }))
                }
            },
        };
        Some(Client {
            server_name: host.filter(|host| host.parse::<IpAddr>().is_err() && super::health::is_host(host)),
            certificate,
            server: validation,
            alpn: match mapping.protocol {
                PortProtocol::Http => &["http/1.1"],
                PortProtocol::Http2 | PortProtocol::Grpc => &["h2"],
                PortProtocol::Tcp => &[],
            },
        })
    }

    fn by_policy(&self, policy: &ClientPolicyTls, host: Option<&str>) -> (Option<Identity>, Option<Validation>) {
        let certificate = policy.certificate.as_ref().map(|certificate| match certificate {
            ClientTlsCertificate::File(file) => Identity::File(key_pair(file)),
            ClientTlsCertificate::Sds(sds) => self.secret_identity(&sds.secret_name),
        });
        let trust = match &policy.validation.trust {
            TlsValidationContextTrust::File(file) => Trust::File(file.certificate_chain.clone()),
            TlsValidationContextTrust::Acm(acm) => self.named_authorities(&acm.certificate_authority_arns),
            TlsValidationContextTrust::Sds(sds) => secret_trust(&sds.secret_name),
        };
        let names = listed(policy.validation.subject_alternative_names.as_ref())
            .unwrap_or_else(|| host.map(str::to_owned).into_iter().collect());
        (certificate, Some(Validation { trust, names }))
    }

    /// The authorities of some ARNs. One for which nothing was imported stands for the built-in authority, which issues every
    /// certificate that was not imported.
    fn named_authorities(&self, arns: &[String]) -> Trust {
        for arn in arns {
            self.mesh.note_certificate(arn);
        }
        let imported = &self.options.imported.authorities;
        let authorities: BTreeSet<String> = arns.iter().filter(|arn| imported.contains(*arn)).cloned().collect();
        if authorities.is_empty() {
            return Trust::BuiltIn;
        }
        Trust::Imported {
            built_in: arns.iter().any(|arn| !imported.contains(arn)),
            authorities,
        }
    }

    /// What a secret of the SDS server stands for: one name is ours.
    fn secret_identity(&self, secret: &str) -> Identity {
        if secret != OWN_IDENTITY {
            return Identity::Local(secret.to_owned());
        }
        let host = match self.kind {
            ProxyKind::VirtualNode => self.mesh.virtual_node(self.name).and_then(host),
            ProxyKind::VirtualGateway => Some(self.name.to_owned()),
        };
        let names = host.map(|host| host.to_ascii_lowercase()).into_iter();
        // Meshes of other accounts may have the same names: their proxies have keys of their own.
        let owner = self.options.mesh_owner.as_ref();
        let owner = owner.map(|owner| format!("@{owner}")).unwrap_or_default();
        Identity::Served {
            arn: format!(
                "{OWN_IDENTITY}/mesh/{}{owner}/{}/{}",
                self.mesh.name(),
                word(self.kind),
                self.name
            ),
            names: names.chain(self.spiffe(self.kind, self.name)).collect(),
        }
    }

    /// `spiffe://<trust domain>/mesh/<mesh>/virtualNode/<name>`, with `/account/<owner>` before it in meshes of other accounts
    /// than the server's own; `None` where a name has characters that SPIFFE does not allow.
    fn spiffe(&self, kind: ProxyKind, name: &str) -> Option<String> {
        let is_segment = |text: &str| {
            !matches!(text, "" | "." | "..")
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        };
        let (domain, mesh) = (&self.options.trust_domain, self.mesh.name());
        let owner = self.options.mesh_owner.as_ref();
        let account = owner.map(|owner| format!("/account/{owner}")).unwrap_or_default();
        (is_segment(mesh) && is_segment(name))
            .then(|| format!("spiffe://{domain}{account}/mesh/{mesh}/{}/{name}", word(kind)))
    }

    /// What a certificate must be good for: every host in the mesh whose listener shows it, and the names of gateways that
    /// do; if it is only one, its SPIFFE identity too, of which a certificate has one at most.
    fn names(&self, arn: &str) -> BTreeSet<String> {
        let Some(showing) = self.mesh.showing(arn) else {
            return BTreeSet::new();
        };
        let mut nodes = showing.nodes.keys();
        let identity = match (nodes.next(), nodes.next(), &showing.gateways[..]) {
            (Some(name), None, []) => self.spiffe(ProxyKind::VirtualNode, name),
            (None, _, [name]) => self.spiffe(ProxyKind::VirtualGateway, name),
            _ => None,
        };
        let hosts = showing.nodes.values().filter_map(|node| host(node));
        let gateways = showing.gateways.iter().map(|name| (*name).to_owned());
        hosts
            .chain(gateways)
            .map(|name| name.to_ascii_lowercase())
            .chain(identity)
            .collect()
    }
}

/// What a secret of the SDS server trusts: one name is ours.
fn secret_trust(secret: &str) -> Trust {
    match secret {
        OWN_AUTHORITY => Trust::BuiltIn,
        other => Trust::Local(other.to_owned()),
    }
}

fn shows_own_identity(tls: &ListenerTls) -> bool {
    matches!(&tls.certificate, ListenerTlsCertificate::Sds(sds) if sds.secret_name == OWN_IDENTITY)
}

/// The word for a kind in ARNs and SPIFFE identities.
fn word(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::VirtualNode => "virtualNode",
        ProxyKind::VirtualGateway => "virtualGateway",
    }
}

fn key_pair(file: &ListenerTlsFileCertificate) -> KeyPair {
    KeyPair {
        chain: file.certificate_chain.clone(),
        key: file.private_key.clone(),
    }
}

fn listed(names: Option<&SubjectAlternativeNames>) -> Option<Vec<String>> {
    names.map(|names| names.r#match.exact.clone())
}

/// The name by which a virtual node is found.
fn host(spec: &VirtualNodeSpec) -> Option<String> {
    match spec.service_discovery.as_ref()? {
        ServiceDiscovery::Dns(dns) => Some(dns.hostname.clone()),
        ServiceDiscovery::AwsCloudMap(map) => Some(format!("{}.{}", map.service_name, map.namespace_name)),
    }
}
