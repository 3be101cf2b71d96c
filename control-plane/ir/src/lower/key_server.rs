//! Servers that give away the key sets of tokens: a cluster for each provider that names one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ferromesh_model::policy::{Jwks, Jwt, RemoteJwks};

use super::{address_family, Lowering};
use crate::cluster::{Cluster, ClusterId, Discovery, DnsAnswer, UpstreamProtocol};
use crate::tls::{Client, Trust, Validation};

impl Lowering<'_> {
    /// The clusters of a policy's key sets.
    pub fn key_servers(&mut self, policy: &str, jwt: &Jwt) {
        for provider in &jwt.providers {
            if let Jwks::Remote(remote) = &provider.jwks {
                let id = ClusterId::Keys {
                    policy: policy.to_owned(),
                    provider: provider.name.clone(),
                };
                let cluster = self.key_server(id.clone(), remote);
                self.clusters.insert(id, Arc::new(cluster));
            }
        }
    }

    fn key_server(&self, id: ClusterId, remote: &RemoteJwks) -> Cluster {
        // Checked when the policy was stored; otherwise there are no keys, and tokens are refused.
        let Ok(server) = remote.server() else {
            return self.plain_cluster(id, Discovery::Nowhere, UpstreamProtocol::Http1);
        };
        let ip: Option<IpAddr> = server.host.parse().ok();
        let discovery = match ip {
            Some(ip) => Discovery::Static(SocketAddr::new(ip, server.port)),
            None => Discovery::Dns {
                hostname: server.host.to_owned(),
                port: server.port,
                answer: DnsAnswer::LoadBalancer,
                family: address_family(self.mesh_preference()),
            },
        };
        Cluster {
            tls: server.is_encrypted.then(|| Client {
                server_name: ip.is_none().then(|| server.host.to_owned()),
                certificate: None,
                server: Some(Validation {
                    trust: Trust::File(remote.ca_file().to_owned()),
                    names: vec![server.host.to_owned()],
                }),
                alpn: &["http/1.1"],
            }),
            ..self.plain_cluster(id, discovery, UpstreamProtocol::Http1)
        }
    }
}
