//! TLS: what a listener accepts, and what its callers speak.
//!
//! App Mesh knew both ends of a call. So a caller without a client policy speaks TLS to a listener that does, and what
//! neither end says is plain text.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::{
    ClientPolicyTls, ClientTlsCertificate, Listener, ListenerTls, ListenerTlsCertificate, ListenerTlsFileCertificate,
    ListenerTlsMode, ListenerTlsValidationContextTrust, PortProtocol, ServiceDiscovery, SubjectAlternativeNames,
    TlsValidationContextTrust, VirtualNodeSpec,
};

use super::Lowering;
use crate::options::UnsupportedTls;
use crate::tls::{Accepts, Certificate, Client, KeyPair, Server, Trust, Validation};

/// What needs the local SDS server, whose cluster is not in the bootstrap.
const SDS: &str = "TLS with a secret of the local SDS server is not implemented yet";

/// TLS settings, unless the mode switches them off.
fn switched_on(tls: Option<&ListenerTls>) -> Option<&ListenerTls> {
    tls.filter(|tls| tls.mode != ListenerTlsMode::Disabled)
}

impl Lowering<'_> {
    /// What the clients of a listener may speak; `None` where the port must stay closed.
    pub fn accepts(
        &mut self,
        resource: &str,
        port: i64,
        protocol: PortProtocol,
        tls: Option<&ListenerTls>,
    ) -> Option<Accepts> {
        let Some(tls) = switched_on(tls) else {
            return Some(Accepts::AsItComes);
        };
        match self.server(resource, protocol, tls) {
            Ok(server) if tls.mode == ListenerTlsMode::Strict => Some(Accepts::Tls(server)),
            Ok(server) => {
                if protocol == PortProtocol::Tcp {
                    self.lint(
                        resource,
                        format!(
                            "port {port} waits for the client's first bytes to tell TLS from plain text: a protocol in \
                             which the server speaks first needs STRICT or DISABLED"
                        ),
                    );
                }
                Some(Accepts::TlsOrPlaintext(server))
            }
            Err(problem) if self.options.tls == UnsupportedTls::Refuse => {
                self.lint(resource, format!("{problem}: port {port} stays closed"));
                None
            }
            Err(problem) => {
                self.lint(resource, format!("{problem}: port {port} is served in the clear"));
                Some(Accepts::AsItComes)
            }
        }
    }

    fn server(&mut self, resource: &str, protocol: PortProtocol, tls: &ListenerTls) -> Result<Server, &'static str> {
        let clients = match &tls.validation {
            None => None,
            Some(validation) => Some(Validation {
                trust: match &validation.trust {
                    ListenerTlsValidationContextTrust::File(file) => Trust::File(file.certificate_chain.clone()),
                    ListenerTlsValidationContextTrust::Sds(_) => return Err(SDS),
                },
                // Without a list a client's names are not looked at.
                names: listed(validation.subject_alternative_names.as_ref()).unwrap_or_default(),
            }),
        };
        let certificate = match &tls.certificate {
            ListenerTlsCertificate::File(file) => Certificate::File(key_pair(file)),
            ListenerTlsCertificate::Sds(_) => return Err(SDS),
            ListenerTlsCertificate::Acm(acm) => {
                let arn = &acm.certificate_arn;
                self.lint(
                    resource,
                    format!("certificate {arn} is not imported: serving one issued by the built-in CA"),
                );
                Certificate::Issued {
                    arn: arn.clone(),
                    names: names(self.mesh, arn),
                }
            }
        };
        Ok(Server {
            certificate,
            clients,
            alpn: match protocol {
                // An HTTP listener reads both versions, as it does without TLS.
                PortProtocol::Http => &["h2", "http/1.1"],
                PortProtocol::Http2 | PortProtocol::Grpc => &["h2"],
                PortProtocol::Tcp => &[],
            },
        })
    }

    /// What calls to a virtual node's listener speak; `None` is plain text.
    ///
    /// # Errors
    /// Why it cannot be called.
    pub fn towards(
        &mut self,
        node: &str,
        spec: &VirtualNodeSpec,
        listener: &Listener,
    ) -> Result<Option<Client>, &'static str> {
        let mapping = listener.port_mapping;
        let resource = format!("virtualNode/{node}");
        let server = switched_on(listener.tls.as_ref());
        let policy = self
            .client_policy
            .clone()
            .filter(|policy| policy.ports.is_empty() || policy.ports.contains(&mapping.port));
        let host = host(spec);
        let (certificate, validation) = match (server, &policy) {
            (None, None) => return Ok(None),
            (None, Some(policy)) if policy.enforce == Some(false) => return Ok(None),
            (server, Some(policy)) => {
                if server.is_none() {
                    self.lint(
                        resource,
                        format!(
                            "calls to it must use TLS, which its listener on port {} does not: they fail",
                            mapping.port
                        ),
                    );
                }
                by_policy(policy, host.as_deref())?
            }
            (Some(server), None) => match &server.certificate {
                ListenerTlsCertificate::Sds(_) => return Err(SDS),
                ListenerTlsCertificate::File(_) => {
                    self.lint(
                        resource,
                        format!(
                            "its certificate on port {} is not checked by callers without a client policy",
                            mapping.port
                        ),
                    );
                    (None, None)
                }
                ListenerTlsCertificate::Acm(_) => {
                    let trust = Trust::BuiltIn;
                    (None, Some(Validation { trust, names: vec![] }))
                }
            },
        };
        Ok(Some(Client {
            server_name: host.filter(|host| host.parse::<IpAddr>().is_err()),
            certificate,
            server: validation,
            alpn: match mapping.protocol {
                PortProtocol::Http => &["http/1.1"],
                PortProtocol::Http2 | PortProtocol::Grpc => &["h2"],
                PortProtocol::Tcp => &[],
            },
        }))
    }
}

type ByPolicy = (Option<KeyPair>, Option<Validation>);

fn by_policy(policy: &ClientPolicyTls, host: Option<&str>) -> Result<ByPolicy, &'static str> {
    let certificate = match &policy.certificate {
        None => None,
        Some(ClientTlsCertificate::File(file)) => Some(key_pair(file)),
        Some(ClientTlsCertificate::Sds(_)) => return Err(SDS),
    };
    let trust = match &policy.validation.trust {
        TlsValidationContextTrust::File(file) => Trust::File(file.certificate_chain.clone()),
        // Whatever authority the ARNs name: certificates that resources name by ARN are all issued by the built-in one.
        TlsValidationContextTrust::Acm(_) => Trust::BuiltIn,
        TlsValidationContextTrust::Sds(_) => return Err(SDS),
    };
    let names = listed(policy.validation.subject_alternative_names.as_ref())
        .unwrap_or_else(|| host.map(str::to_owned).into_iter().collect());
    Ok((certificate, Some(Validation { trust, names })))
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

/// What a certificate must be good for: every host in the mesh whose listener shows it, and the names of gateways that do.
fn names(mesh: &Mesh, arn: &str) -> BTreeSet<String> {
    let shows = |tls: Option<&ListenerTls>| {
        switched_on(tls).is_some_and(
            |tls| matches!(&tls.certificate, ListenerTlsCertificate::Acm(acm) if acm.certificate_arn == arn),
        )
    };
    let nodes = mesh.virtual_nodes.values();
    let hosts = nodes
        .filter(|node| node.listeners.iter().any(|listener| shows(listener.tls.as_ref())))
        .filter_map(host);
    let gateways = mesh.virtual_gateways.iter();
    let gateway_names = gateways
        .filter(|(_, gateway)| {
            gateway
                .spec
                .listeners
                .iter()
                .any(|listener| shows(listener.tls.as_ref()))
        })
        .map(|(name, _)| name.clone());
    hosts
        .chain(gateway_names)
        .map(|name| name.to_ascii_lowercase())
        .collect()
}
