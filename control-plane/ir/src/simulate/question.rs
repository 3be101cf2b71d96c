//! What is asked: from where, which address, which request.

use ferromesh_model::Violation;

use super::{Circumstances, Request};

/// A request that somebody might send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who sends it: `virtualNode/front`, `virtualGateway/edge` (a request from outside that arrives there), or the name
    /// alone where only one of both has it; `gateway` is the mesh's only gateway.
    pub from: String,
    /// `http://host[:port]/path`, `https://…` or `tcp://host:port`.
    pub url: String,
    /// Method, upper case.
    pub method: String,
    /// Headers in order. `host` replaces the one of the URL.
    pub headers: Vec<(String, String)>,
    /// When it is sent, and from which address.
    pub circumstances: Circumstances,
}

/// A URL in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http`, `https` or `tcp`.
    pub scheme: String,
    /// Host and port as they stand in the `host` header.
    pub authority: String,
    /// Host without port and brackets.
    pub host: String,
    /// The port, if it is named.
    pub port: Option<u16>,
    /// Path and query, at least `/`.
    pub path: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, under `url`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let wrong = |message: String| Violation::new("url", message);
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong(format!("must be like http://host:port/path, is {text:?}")))?;
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https", "tcp"].contains(&scheme.as_str()) {
            return Err(wrong(format!("scheme must be http, https or tcp, is {scheme:?}")));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(wrong("must have no user and password".into()));
        }
        let (host, port) = host_and_port(authority).map_err(wrong)?;
        let path = path.split('#').next().unwrap_or_default();
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(wrong(format!("must have no {odd:?}: write it percent-encoded")));
        }
        if scheme == "tcp" && port.is_none() {
            return Err(wrong(format!(
                "port is missing: tcp has no default one, write tcp://{host}:port"
            )));
        }
        Ok(Self {
            authority: authority.to_owned(),
            host,
            port,
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
            scheme,
        })
    }

    /// The port, else the scheme's own.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, rest)) => (address, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("host is missing".into());
    }
    let port = match port {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(format!("port must be 1 to 65535, is {text:?}")),
        },
    };
    Ok((host.to_owned(), port))
}

impl Question {
    /// The request that is asked about, as its sender writes it.
    ///
    /// # Errors
    /// What is wrong with method or headers.
    pub fn request(&self, url: &Url) -> Result<Request, Vec<Violation>> {
        let mut violations = Vec::new();
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
        };
        if !is_token(&self.method) {
            violations.push(Violation::new(
                "method",
                format!("must be a word like GET, is {:?}", self.method),
            ));
        }
        let mut host = url.authority.clone();
        let mut headers = Vec::new();
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let at = format!("headers[{index}]");
            if !is_token(name) {
                violations.push(Violation::new(
                    at,
                    format!("name must be a word like x-version, is {name:?}"),
                ));
            } else if value.chars().any(|c| c.is_control() && c != '\t') {
                violations.push(Violation::new(
                    at,
                    format!("value must have no control characters, is {value:?}"),
                ));
            } else if name.eq_ignore_ascii_case("host") {
                host = value.trim().to_owned();
            } else {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        if violations.is_empty() {
            Ok(Request {
                scheme: url.scheme.clone(),
                method: self.method.clone(),
                host,
                path: url.path.clone(),
                headers,
            })
        } else {
            Err(violations)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        let url = Url::parse("HTTP://a.local:8080/x?y=1#z").expect("a URL");
        assert_eq!(
            (url.scheme.as_str(), url.authority.as_str(), url.path.as_str()),
            ("http", "a.local:8080", "/x?y=1")
        );
        assert_eq!((url.host.as_str(), url.port), ("a.local", Some(8080)));
        let url = Url::parse("https://[::1]?q").expect("a URL");
        assert_eq!(
            (url.host.as_str(), url.port, url.port_or_default(), url.path.as_str()),
            ("::1", None, 443, "/?q")
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, said) in [
            ("a.local/x", "url: must be like http://host:port/path, is \"a.local/x\""),
            ("ftp://a", "url: scheme must be http, https or tcp, is \"ftp\""),
            ("http://:80/", "url: host is missing"),
            ("http://a:b/", "url: port must be 1 to 65535, is \"b\""),
            ("http://a:0/", "url: port must be 1 to 65535, is \"0\""),
            (
                "tcp://db",
                "url: port is missing: tcp has no default one, write tcp://db:port",
            ),
            ("http://u:p@a/", "url: must have no user and password"),
            ("http://a/b c", "url: must have no ' ': write it percent-encoded"),
        ] {
            assert_eq!(Url::parse(text).expect_err(text).to_string(), said);
        }
    }
}
