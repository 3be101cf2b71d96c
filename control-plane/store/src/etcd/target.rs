//! Which etcd, and how it is reached.

use std::fmt;
use std::path::PathBuf;

/// Port of a member that names none: etcd's.
const DEFAULT_PORT: u16 = 2379;
/// Prefix of all keys unless another is given.
pub const DEFAULT_PREFIX: &str = "/ferromesh/";

/// Where the store is and what is shown to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdOptions {
    /// Members of the cluster, tried in this order; at least one.
    pub members: Vec<Member>,
    /// Prefix of all keys: begins and ends with `/`. Nothing else may write under it.
    pub prefix: String,
    /// File with the authorities that signed the members' certificates, PEM. With it members are spoken to by TLS.
    pub ca: Option<PathBuf>,
    /// Files with the certificate chain and the key that are shown to the members, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// User of etcd.
    pub user: Option<User>,
}

/// A user of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// File with its password; line ends at its end do not count.
    pub password_file: PathBuf,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name or address; IPv6 addresses in brackets.
    pub host: String,
    /// Its client port.
    pub port: u16,
    /// Whether it is spoken to by TLS.
    pub tls: bool,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl EtcdOptions {
    /// Reads `etcd://host:port[,host:port…]`, without TLS and credentials, with the default prefix.
    ///
    /// # Errors
    /// It is not of that form.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{url:?}: {what}; expected etcd://HOST:PORT[,HOST:PORT…]");
        let list = url
            .strip_prefix("etcd://")
            .ok_or_else(|| wrong("does not begin with etcd://"))?;
        if list.contains('@') {
            return Err(wrong("credentials do not stand in the address"));
        }
        let members = list.split(',').map(|member| {
            let (host, port) = match member.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => {
                    let port = port.parse().map_err(|_| wrong(&format!("{port:?} is no port")))?;
                    (host, port)
                }
                _ => (member, DEFAULT_PORT),
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
            if host.is_empty() || !host.chars().all(fits) {
                return Err(wrong(&format!("{host:?} is no host")));
            }
            if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
                return Err(wrong("an IPv6 address stands in brackets"));
            }
            let host = host.to_owned();
            Ok(Member { host, port, tls: false })
        });
        Ok(Self {
            members: members.collect::<Result<_, _>>()?,
            prefix: DEFAULT_PREFIX.to_owned(),
            ca: None,
            identity: None,
            user: None,
        })
    }

    /// The same with TLS, trusting the authorities in a file.
    #[must_use]
    pub fn with_tls(mut self, ca: PathBuf, identity: Option<(PathBuf, PathBuf)>) -> Self {
        for member in &mut self.members {
            member.tls = true;
        }
        self.ca = Some(ca);
        self.identity = identity;
        self
    }

    /// The same under another prefix.
    ///
    /// # Errors
    /// The prefix does not begin and end with `/`, or holds white space or control characters.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, String> {
        let is_path = prefix.starts_with('/') && prefix.ends_with('/');
        if !is_path || prefix.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("{prefix:?}: must begin and end with / and hold no white space"));
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// The members as they are named in messages.
    pub fn named(&self) -> String {
        let members: Vec<String> = self.members.iter().map(Member::to_string).collect();
        members.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_etcds_port_unless_they_name_another() {
        let options = EtcdOptions::parse("etcd://a,b.local:1,[::1],[::1]:2").unwrap();
        assert_eq!(options.named(), "a:2379,b.local:1,[::1]:2379,[::1]:2");
        assert_eq!(options.prefix, "/ferromesh/");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (url, reason) in [
            ("redis://a", "does not begin"),
            ("etcd://", "is no host"),
            ("etcd://a:x", "is no port"),
            ("etcd://a,,b", "is no host"),
            ("etcd://::1", "brackets"),
            ("etcd://u:p@a", "credentials"),
            ("etcd://a/b", "is no host"),
        ] {
            let problem = EtcdOptions::parse(url).unwrap_err();
            assert!(problem.contains(reason), "{url}: {problem}");
        }
        let options = EtcdOptions::parse("etcd://a").unwrap();
        for prefix in ["", "a/", "/a", "/a b/"] {
            assert!(options.clone().with_prefix(prefix).is_err(), "{prefix}");
        }
        assert_eq!(options.with_prefix("/a/").unwrap().prefix, "/a/");
    }
}
