//! SPIFFE identities of proxies.
//!
//! The built-in authority issues `spiffe://TRUST-DOMAIN/mesh/MESH/virtualNode/NAME` (or `virtualGateway`) for the meshes of
//! the server's own account, and `spiffe://TRUST-DOMAIN/account/OWNER/mesh/…` for those of others. Other authorities, such as
//! SPIRE, issue the same or what templates say.
//!
//! A certificate's identity is never taken apart to find out whose it is: the identities that a proxy may have are written
//! down, and the certificate's must be one of them, byte for byte. So there is nothing to normalise, and nothing that two
//! readers could understand in two ways.

use std::fmt;

use crate::identity::{name_and_owner, wire_name, Identity, ProxyKey, ProxyKind};

const SCHEME: &str = "spiffe://";
/// Longest SPIFFE ID (SPIFFE-ID 2.3).
const LIMIT: usize = 2048;
/// Longest trust domain (SPIFFE-ID 2.1).
const DOMAIN_LIMIT: usize = 255;

/// The identities of proxies at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    account: String,
    trust_domain: String,
    templates: Vec<Template>,
}

/// Why a text is no trust domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "trust domain {0:?}: expected 1 to 255 lower case letters, digits, '.', '-' and '_', as in ferromesh.local (SPIFFE-ID 2.1)"
)]
pub struct InvalidTrustDomain(String);

impl Naming {
    /// The identities at a server of an account.
    ///
    /// # Errors
    /// The trust domain is none.
    pub fn new(
        account: impl Into<String>,
        trust_domain: impl Into<String>,
        templates: Vec<Template>,
    ) -> Result<Self, InvalidTrustDomain> {
        let trust_domain = trust_domain.into();
        if !is_trust_domain(&trust_domain) {
            return Err(InvalidTrustDomain(trust_domain));
        }
        Ok(Self {
            account: account.into(),
            trust_domain,
            templates,
        })
    }

    /// The proxy that an identity means here.
    pub fn key(&self, identity: &Identity) -> ProxyKey {
        identity.key_at(&self.account)
    }

    /// The identity that the built-in authority issues; `None` where a name has characters that SPIFFE does not allow.
    pub fn issued(&self, proxy: &ProxyKey) -> Option<String> {
        let (mesh, owner) = name_and_owner(&proxy.mesh);
        let account = match owner {
            Some(owner) if is_segment(owner) => format!("/account/{owner}"),
            Some(_) => return None,
            None => String::new(),
        };
        let is_possible = is_segment(mesh) && is_segment(&proxy.name);
        let id = format!(
            "{SCHEME}{}{account}/mesh/{mesh}/{}/{}",
            self.trust_domain,
            wire_name(proxy.kind),
            proxy.name
        );
        (is_possible && id.len() <= LIMIT).then_some(id)
    }

    /// The identities that other authorities issue.
    pub fn of_others(&self, proxy: &ProxyKey) -> Vec<String> {
        match self.templates.is_empty() {
            true => self.issued(proxy).into_iter().collect(),
            false => {
                let templates = self.templates.iter();
                templates
                    .filter_map(|template| template.fill(proxy, &self.account))
                    .collect()
            }
        }
    }

    /// The proxy that the built-in authority issues an identity for.
    pub fn proxy(&self, id: &str) -> Option<ProxyKey> {
        let path = id.strip_prefix(SCHEME)?.strip_prefix(self.trust_domain.as_str())?;
        let segments: Vec<&str> = path.split('/').collect();
        let (owner, mesh, kind, name) = match segments[..] {
            ["", "mesh", mesh, kind, name] => (None, mesh, kind, name),
            ["", "account", owner, "mesh", mesh, kind, name] => (Some(owner), mesh, kind, name),
            _ => return None,
        };
        let mesh = match owner {
            Some(owner) => format!("{mesh}@{owner}"),
            None => mesh.to_owned(),
        };
        let identity = Identity::parse(&format!("mesh/{mesh}/{kind}/{name}")).ok()?;
        let proxy = self.key(&identity);
        // What is not written as it would be issued is nobody's.
        (self.issued(&proxy).as_deref() == Some(id)).then_some(proxy)
    }
}

/// What the identities of another authority look like: `spiffe://example.org/{mesh}/{kind}/{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    trust_domain: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Account,
    Mesh,
    Kind,
    Name,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {reason}; expected a form like spiffe://example.org/ns/{{mesh}}/sa/{{name}}")]
pub struct InvalidTemplate {
    text: String,
    reason: &'static str,
}

impl std::str::FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidTemplate {
            text: text.to_owned(),
            reason,
        };
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| invalid("it does not begin with spiffe://"))?;
        let (trust_domain, path) = rest.split_once('/').ok_or_else(|| invalid("it has no path"))?;
        if !is_trust_domain(trust_domain) {
            return Err(invalid("its trust domain is none (SPIFFE-ID 2.1)"));
        }
        let segments: Result<Vec<Segment>, InvalidTemplate> = path
            .split('/')
            .map(|segment| match segment {
                "{account}" => Ok(Segment::Account),
                "{mesh}" => Ok(Segment::Mesh),
                "{kind}" => Ok(Segment::Kind),
                "{name}" => Ok(Segment::Name),
                // With more than one in a segment, two proxies could have one identity.
                _ if segment.contains(['{', '}']) => Err(invalid(
                    "{account}, {mesh}, {kind} and {name} are segments of their own, and there are no others",
                )),
                _ if is_segment(segment) => Ok(Segment::Literal(segment.to_owned())),
                _ => Err(invalid(
                    "a segment is empty or has characters that SPIFFE does not allow",
                )),
            })
            .collect();
        let segments = segments?;
        if !(segments.contains(&Segment::Mesh) && segments.contains(&Segment::Name)) {
            return Err(invalid(
                "{mesh} and {name} must stand in it, or several proxies have one identity",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            trust_domain: trust_domain.to_owned(),
            segments,
        })
    }
}

impl Template {
    /// A proxy's identity. Without `{kind}` a template is for virtual nodes only, without `{account}` for the meshes of the
    /// server's own account only: otherwise several proxies had one identity.
    fn fill(&self, proxy: &ProxyKey, own: &str) -> Option<String> {
        let (mesh, owner) = name_and_owner(&proxy.mesh);
        if owner.is_some() && !self.segments.contains(&Segment::Account) {
            return None;
        }
        if proxy.kind != ProxyKind::VirtualNode && !self.segments.contains(&Segment::Kind) {
            return None;
        }
        let mut id = format!("{SCHEME}{}", self.trust_domain);
        for segment in &self.segments {
            let text = match segment {
                Segment::Literal(text) => text,
                Segment::Account => owner.unwrap_or(own),
                Segment::Mesh => mesh,
                Segment::Kind => wire_name(proxy.kind),
                Segment::Name => &proxy.name,
            };
            if !is_segment(text) {
                return None;
            }
            id.push('/');
            id.push_str(text);
        }
        (id.len() <= LIMIT).then_some(id)
    }
}

fn is_trust_domain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    (1..=DOMAIN_LIMIT).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a name can stand in the path of a SPIFFE ID (SPIFFE-ID 2.2).
fn is_segment(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !matches!(text, "" | "." | "..") && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(templates: &[&str]) -> Naming {
        let templates = templates.iter().map(|text| text.parse().unwrap()).collect();
        Naming::new("111111111111", "ferromesh.local", templates).unwrap()
    }

    fn key(id: &str) -> ProxyKey {
        Identity::parse(id).unwrap().key_at("111111111111")
    }

    #[test]
    fn every_proxy_has_an_identity_of_its_own_and_is_found_by_it() {
        let naming = naming(&[]);
        for (proxy, id) in [
            ("mesh/m/virtualNode/n", "spiffe://ferromesh.local/mesh/m/virtualNode/n"),
            (
                "mesh/m/virtualGateway/n",
                "spiffe://ferromesh.local/mesh/m/virtualGateway/n",
            ),
            (
                "mesh/m@222222222222/virtualNode/n",
                "spiffe://ferromesh.local/account/222222222222/mesh/m/virtualNode/n",
            ),
        ] {
            assert_eq!(naming.issued(&key(proxy)).as_deref(), Some(id));
            assert_eq!(naming.proxy(id), Some(key(proxy)));
        }
        assert_eq!(naming.issued(&key("mesh/m/virtualNode/n%2e")), None);
    }

    #[test]
    fn what_is_written_in_another_way_is_nobodys() {
        let naming = naming(&[]);
        for id in [
            "",
            "spiffe://ferromesh.local",
            "spiffe://ferromesh.local/mesh/m/virtualNode/n/",
            "spiffe://ferromesh.local//mesh/m/virtualNode/n",
            "spiffe://ferromesh.local/mesh/m/virtualNode/../virtualNode/n",
            "spiffe://ferromesh.local/mesh/m/virtualNode/%6e",
            "spiffe://ferromesh.local/mesh/m/virtualNode/n?x",
            "spiffe://ferromesh.local/mesh/m/virtualNode/n#x",
            "spiffe://ferromesh.local/mesh/m/virtualnode/n",
            "SPIFFE://ferromesh.local/mesh/m/virtualNode/n",
            "spiffe://ferromesh.local.evil/mesh/m/virtualNode/n",
            "spiffe://other/mesh/m/virtualNode/n",
            "spiffe://ferromesh.local:443/mesh/m/virtualNode/n",
            "spiffe://ferromesh.local/mesh/m@222222222222/virtualNode/n",
            // The own account has no path for accounts.
            "spiffe://ferromesh.local/account/111111111111/mesh/m/virtualNode/n",
            "spiffe://ferromesh.local/account/x/mesh/m/virtualNode/n",
        ] {
            assert_eq!(naming.proxy(id), None, "{id}");
        }
    }

    #[test]
    fn a_template_gives_an_identity_only_to_proxies_that_it_tells_apart() {
        let short = naming(&["spiffe://example.org/ns/{mesh}/sa/{name}"]);
        assert_eq!(
            short.of_others(&key("mesh/m/virtualNode/n")),
            ["spiffe://example.org/ns/m/sa/n"]
        );
        assert!(short.of_others(&key("mesh/m/virtualGateway/n")).is_empty());
        assert!(short.of_others(&key("mesh/m@222222222222/virtualNode/n")).is_empty());
        let long = naming(&["spiffe://example.org/{account}/{mesh}/{kind}/{name}"]);
        assert_eq!(
            long.of_others(&key("mesh/m@222222222222/virtualGateway/n")),
            ["spiffe://example.org/222222222222/m/virtualGateway/n"]
        );
        assert_eq!(
            naming(&[]).of_others(&key("mesh/m/virtualNode/n")),
            ["spiffe://ferromesh.local/mesh/m/virtualNode/n"]
        );
        for text in [
            "",
            "https://example.org/{mesh}/{name}",
            "spiffe://example.org",
            "spiffe://Example.org/{mesh}/{name}",
            "spiffe://example.org/{mesh}-{name}",
            "spiffe://example.org/{mesh}",
            "spiffe://example.org/{mesh}/{name}/",
            "spiffe://example.org/{mesh}/{node}/{name}",
            "spiffe://example.org/../{mesh}/{name}",
        ] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
        for domain in ["", "A", "a/b", "a:1"] {
            assert!(Naming::new("1", domain, Vec::new()).is_err(), "{domain}");
        }
    }
}
