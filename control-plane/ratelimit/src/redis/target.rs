//! Which store: its URL, and how it is reached safely.

use std::fmt;
use std::net::IpAddr;

use redis::{ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, TlsCertificates};

/// Certificates for `rediss://`, as PEM.
#[derive(Clone, Default)]
pub struct StoreTls {
    /// Who may have signed the store's certificate; absent: whom this machine trusts.
    pub authorities: Option<Vec<u8>>,
    /// Our own certificate and its key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether passwords and counts may cross a network in the clear.
    pub plaintext: bool,
}

impl fmt::Debug for StoreTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreTls")
            .field("authorities", &self.authorities.is_some())
            .field("client", &self.client.is_some())
            .field("plaintext", &self.plaintext)
            .finish()
    }
}

/// Why a URL names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStore {
    /// It is none, or the certificates are none.
    #[error("not a store: {0}; expected redis://HOST:PORT, rediss://HOST:PORT (TLS) or redis+unix:///PATH")]
    Url(String),
    /// Security by default.
    #[error("{0} is not on this machine and redis:// has no TLS: use rediss://, or allow it with --store-plaintext")]
    Plaintext(String),
    /// Security by default.
    #[error("#insecure would trust any certificate: give the store's authorities with --store-ca instead")]
    Insecure,
    /// Certificates that nothing is done with.
    #[error("certificates are for rediss:// only")]
    NoTls,
}

/// A store that can be connected to. Its text has no password.
#[derive(Clone, Debug)]
pub struct Client {
    inner: redis::Client,
    text: String,
}

impl Client {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none, or not a safe one.
    pub fn open(url: &str, tls: &StoreTls) -> Result<Self, InvalidStore> {
        // The library's messages have no part of the URL, in which there may be a password.
        let wrong = |error: redis::RedisError| InvalidStore::Url(error.to_string());
        let info = url.into_connection_info().map_err(wrong)?;
        let has_tls = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(InvalidStore::Insecure),
            ConnectionAddr::TcpTls { .. } => true,
            ConnectionAddr::Tcp(host, _) if !tls.plaintext && !is_here(host) => {
                return Err(InvalidStore::Plaintext(host.clone()));
            }
            _ => false,
        };
        if !has_tls && (tls.authorities.is_some() || tls.client.is_some()) {
            return Err(InvalidStore::NoTls);
        }
        let text = info.addr().to_string();
        let inner = if has_tls {
            let client_tls = tls.client.clone().map(|(client_cert, client_key)| ClientTlsConfig {
                client_cert,
                client_key,
            });
            let certificates = TlsCertificates {
                client_tls,
                root_cert: tls.authorities.clone(),
            };
            redis::Client::build_with_tls(info, certificates)
        } else {
            redis::Client::open(info)
        };
        Ok(Self {
            inner: inner.map_err(wrong)?,
            text,
        })
    }

    pub(super) fn inner(&self) -> &redis::Client {
        &self.inner
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `localhost` is loopback by definition (RFC 6761); other names would have to be resolved first.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_in_the_clear_unless_that_is_asked_for() {
        let safe = StoreTls::default();
        for url in [
            "redis://127.0.0.1",
            "redis://localhost:6380/2",
            "redis://[::1]:6379",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(Client::open(url, &safe).is_ok(), "{url}");
        }
        for url in ["redis://10.0.0.1", "redis://redis.local:6379"] {
            let refused = Client::open(url, &safe).expect_err(url);
            assert!(matches!(refused, InvalidStore::Plaintext(_)), "{url}: {refused}");
        }
        let plaintext = StoreTls {
            plaintext: true,
            ..StoreTls::default()
        };
        assert!(Client::open("redis://10.0.0.1", &plaintext).is_ok());
        assert_eq!(
            Client::open("rediss://redis.local#insecure", &safe).err(),
            Some(InvalidStore::Insecure)
        );
        assert!(Client::open("http://127.0.0.1", &safe).is_err());
    }

    #[test]
    fn passwords_are_in_no_text() {
        let client = Client::open("redis://me:hunter2@127.0.0.1:6379", &StoreTls::default()).expect("a store");
        assert_eq!(client.to_string(), "127.0.0.1:6379");
        assert!(!format!("{client:?}").contains("hunter2"), "{client:?}");
        let refused = Client::open("redis://me:hunter2@10.0.0.1", &StoreTls::default()).expect_err("in the clear");
        assert!(!refused.to_string().contains("hunter2"));
    }
}
