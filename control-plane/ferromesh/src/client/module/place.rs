//! Names of images: `host[:port]/repository:tag` or `…@sha256:…`.

use std::{fmt, net::IpAddr, str::FromStr};

use oci_client::Reference;

/// An image in a registry that is named with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    reference: Reference,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As Istio writes it.
        let plain = text.strip_prefix("oci://").unwrap_or(text);
        // Without a host other tools mean Docker Hub. A name that was only cut short must not publish anything.
        let host = plain.split_once('/').map_or("", |(host, _)| host);
        if host != "localhost" && !host.contains(['.', ':']) {
            return Err("it names no registry: expected host[:port]/repository:tag".to_owned());
        }
        let reference =
            Reference::try_from(plain).map_err(|error| format!("{error}: expected host[:port]/repository:tag"))?;
        Ok(Self { reference })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.whole().fmt(f)
    }
}

impl Place {
    /// What the client library works with.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// `host[:port]`
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// `sha256:…`, where it is named by content.
    pub fn digest(&self) -> Option<&str> {
        self.reference.digest()
    }

    /// The same repository's image with this digest, as `host[:port]/repository@sha256:…`.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.registry(), self.reference.repository())
    }

    /// Whether only this machine reaches the registry.
    pub fn is_local(&self) -> bool {
        let registry = self.registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn reads_names_with_their_registry() {
        let named = place("localhost:5000/ferromesh/mesh:0.1.0");
        assert_eq!(named.registry(), "localhost:5000");
        assert_eq!(named.pinned("sha256:1"), "localhost:5000/ferromesh/mesh@sha256:1");
        assert_eq!(named.to_string(), "localhost:5000/ferromesh/mesh:0.1.0");
        assert_eq!(place("oci://a.example/b").to_string(), "a.example/b:latest");
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(place(&format!("a.example/b@{digest}")).digest(), Some(digest.as_str()));
    }

    #[test]
    fn refuses_names_without_a_registry() {
        for text in [
            "mesh",
            "ferromesh/mesh:0.1.0",
            "",
            "/a",
            "http://a.example/b",
            "a.example/B",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
        let error = "ferromesh/mesh".parse::<Place>().unwrap_err();
        assert!(error.contains("no registry"), "{error}");
    }

    #[test]
    fn only_loopback_registries_are_local() {
        for text in ["localhost/a", "localhost:5000/a", "127.0.0.1:5000/a", "127.8.8.8:1/a"] {
            assert!(place(text).is_local(), "{text}");
        }
        for text in ["localhost.example/a", "10.0.0.1:5000/a", "registry.example:5000/a"] {
            assert!(!place(text).is_local(), "{text}");
        }
    }
}
