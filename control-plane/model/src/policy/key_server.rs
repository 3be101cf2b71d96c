//! Key sets that a proxy fetches itself.

use serde::{Deserialize, Serialize};

use super::check::{m, PATH, TIMEOUT_MILLIS};
use super::service::host_and_port;
use crate::shapes::{Shape, Type};
use crate::Violation;

/// Time that a key set is used for.
const CACHE_SECONDS: u32 = 600;
/// Time for an answer.
const FETCH_MILLIS: u32 = 5000;
/// Authorities that operating systems trust, where Debian, Ubuntu and Envoy's own images keep them.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A key set that the proxy fetches before requests need it, and again before it is too old.
///
/// Until it has been fetched for the first time, and when it could not be fetched in time, tokens of its provider are
/// refused: a request that needs one is answered with 401.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteJwks {
    /// Where it is: `https://host[:port]/path`, or `http://…` inside a network that is trusted. No user, no fragment.
    pub uri: String,
    /// How long it is used, in seconds, 1 to 86,400; 600 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_seconds: Option<u32>,
    /// Time for an answer in milliseconds, 1 to 60,000; 5000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u32>,
    /// PEM file on the proxy's file system with the authorities that may have issued the server's certificate;
    /// `/etc/ssl/certs/ca-certificates.crt` when absent. Without the file the proxy refuses the server's cluster. Only with
    /// `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// A server that gives key sets away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyServer<'a> {
    /// Host name or address; an IPv6 address without brackets.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Whether it is spoken to in TLS.
    pub is_encrypted: bool,
}

pub(super) static REMOTE: Shape = Shape {
    name: "RemoteJwks",
    ty: Type::Structure(&[
        m("uri", &URI, true),
        m("cacheSeconds", &CACHE, false),
        m("timeoutMillis", &TIMEOUT_MILLIS, false),
        m("caFile", &PATH, false),
    ]),
};
static URI: Shape = Shape {
    name: "JwksUri",
    ty: Type::String {
        min: 10,
        max: Some(2048),
        pattern: None,
    },
};
static CACHE: Shape = Shape {
    name: "CacheSeconds",
    ty: Type::Integer { min: 1, max: 86_400 },
};

impl RemoteJwks {
    /// The server that its URI names.
    ///
    /// # Errors
    /// What is wrong with the URI.
    pub fn server(&self) -> Result<KeyServer<'_>, String> {
        let uri = self.uri.as_str();
        let wrong = || format!("must be https://host[:port]/path or http://host[:port]/path, is {uri:?}");
        let (is_encrypted, default_port, rest) = match (uri.strip_prefix("https://"), uri.strip_prefix("http://")) {
            (Some(rest), _) => (true, 443, rest),
            (None, Some(rest)) => (false, 80, rest),
            (None, None) => return Err(wrong()),
        };
        let (authority, path) = rest.split_at(rest.find('/').ok_or_else(wrong)?);
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(wrong());
        }
        if let Ok((host, port)) = host_and_port(authority) {
            return Ok(KeyServer {
                host,
                port,
                is_encrypted,
            });
        }
        // Without a port: what is a host with one.
        let inner = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = inner.unwrap_or(authority);
        let with_port = format!("{authority}:{default_port}");
        match host_and_port(&with_port) {
            Ok((named, port)) if named == host => Ok(KeyServer {
                host,
                port,
                is_encrypted,
            }),
            _ => Err(wrong()),
        }
    }

    /// How long the key set is used, in seconds.
    pub fn cache_seconds(&self) -> u32 {
        self.cache_seconds.unwrap_or(CACHE_SECONDS)
    }

    /// Time for an answer in milliseconds.
    pub fn timeout_millis(&self) -> u32 {
        self.timeout_millis.unwrap_or(FETCH_MILLIS)
    }

    /// The file with the authorities.
    pub fn ca_file(&self) -> &str {
        self.ca_file.as_deref().unwrap_or(SYSTEM_AUTHORITIES)
    }

    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        match self.server() {
            Err(message) => vec![Violation::new("uri", message)],
            Ok(server) if !server.is_encrypted && self.ca_file.is_some() => {
                vec![Violation::new(
                    "caFile",
                    "is for https: nothing is verified in the clear",
                )]
            }
            Ok(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uri: &str) -> RemoteJwks {
        RemoteJwks {
            uri: uri.to_owned(),
            cache_seconds: None,
            timeout_millis: None,
            ca_file: None,
        }
    }

    #[test]
    fn names_the_server_of_a_uri() {
        for (uri, host, port, is_encrypted) in [
            (
                "https://issuer.example/.well-known/jwks.json",
                "issuer.example",
                443,
                true,
            ),
            ("http://127.0.0.1:8080/keys?v=1", "127.0.0.1", 8080, false),
            ("https://[::1]/k", "::1", 443, true),
            ("https://[::1]:8443/k", "::1", 8443, true),
            ("http://issuer/k", "issuer", 80, false),
        ] {
            let server = KeyServer {
                host,
                port,
                is_encrypted,
            };
            assert_eq!(at(uri).server(), Ok(server), "{uri}");
        }
    }

    #[test]
    fn refuses_what_names_no_server() {
        for uri in [
            "issuer.example/keys",
            "ftp://issuer.example/keys",
            "https://issuer.example",
            "https:///keys",
            "https://user@issuer.example/keys",
            "https://issuer.example:0/keys",
            "https://issuer.example:99999/keys",
            "https://issuer.example/a b",
            "https://issuer.example/keys#1",
            "https://::1/keys",
        ] {
            assert!(at(uri).server().is_err(), "{uri}");
            assert_eq!(at(uri).check()[0].path, "uri");
        }
        let clear = RemoteJwks {
            ca_file: Some("/ca.pem".into()),
            ..at("http://issuer/keys")
        };
        assert_eq!(clear.check()[0].path, "caFile");
    }
}
