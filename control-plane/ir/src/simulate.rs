//! Which route would a request meet? Envoy's matching rules, over the same data that gets emitted.
//!
//! Used by tests to hold the lowering to App Mesh's behaviour, and to explain a configuration to its author. This file has
//! the rules of one table; [`arrive`] says what happens to a request before, [`connect`] which filter chain a connection
//! meets, [`pass`] puts them together for one proxy and [`explain`] for a request's whole way through the mesh.

mod arrival;
mod choice;
mod connection;
mod journey;
mod passage;
mod question;
mod reason;

use regex::Regex;

pub use arrival::{arrive, normalized};
pub use choice::{Choice, Circumstances};
pub use connection::{connect, Connection, Tls};
pub use journey::{explain, Arrival, Explanation};
pub use passage::{pass, Candidate, Forwarding, Outcome, Passage, Share};
pub use question::{Question, Url};
pub use reason::{describe, failed, Failed};

use crate::matcher::{HeaderMatch, HeaderTest, Match, PathMatch, QueryMatch};
use crate::route::{Domain, PathRewrite, Route, RouteTable, VirtualHost};

/// A request as it stands when the route is chosen: the path is normalised, control headers are removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `http` or `https`.
    pub scheme: String,
    /// Method, upper case.
    pub method: String,
    /// Host, maybe with a port.
    pub host: String,
    /// Path with its query string.
    pub path: String,
    /// Headers with lower-case names, in order.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// A GET without headers.
    pub fn get(host: &str, path: &str) -> Self {
        Self {
            scheme: "http".into(),
            method: "GET".into(),
            host: host.into(),
            path: path.into(),
            headers: Vec::new(),
        }
    }

    /// The value of a header or pseudo header, several values joined by commas.
    fn header(&self, name: &str) -> Option<String> {
        let values = self.values(name);
        (!values.is_empty()).then(|| values.join(","))
    }

    /// The values of a header or pseudo header.
    fn values(&self, name: &str) -> Vec<String> {
        match name {
            ":scheme" => vec![self.scheme.clone()],
            ":method" => vec![self.method.clone()],
            ":authority" | "host" => vec![self.host.clone()],
            ":path" => vec![self.path.clone()],
            _ => {
                let found = self.headers.iter().filter(|(key, _)| key == name);
                found.map(|(_, value)| value.clone()).collect()
            }
        }
    }

    fn is_grpc(&self) -> bool {
        self.header("content-type").is_some_and(|value| {
            value
                .strip_prefix("application/grpc")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
        })
    }
}

/// The path without its query string and fragment.
pub fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or(path)
}

/// The virtual host that takes a request, if any: the exact one, else the longest suffix, else the one for any host.
pub fn virtual_host<'t>(table: &'t RouteTable, host: &str) -> Option<&'t VirtualHost> {
    let lower = host.to_ascii_lowercase();
    let name = if table.ignore_host_port {
        without_port(&lower)
    } else {
        &lower
    };
    let rank = |domain: &Domain| match domain {
        Domain::Exact(exact) if exact == name => Some(usize::MAX),
        Domain::Suffix(suffix) if name.len() > suffix.len() && name.ends_with(suffix.as_str()) => {
            Some(suffix.len().saturating_add(1))
        }
        Domain::Any => Some(0),
        _ => None,
    };
    table
        .hosts
        .iter()
        .filter_map(|candidate| Some((candidate.domains.iter().filter_map(rank).max()?, candidate)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, candidate)| &**candidate)
}

/// A host without its port; an IPv6 literal keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The first route that matches, with its position.
pub fn route<'r>(routes: &'r [Route], request: &Request) -> Option<(usize, &'r Route)> {
    routes
        .iter()
        .enumerate()
        .find(|(_, route)| matches(&route.matcher, request))
}

/// Whether every condition of `matcher` holds.
pub fn matches(matcher: &Match, request: &Request) -> bool {
    path_matches(&matcher.path, without_query(&request.path))
        && (!matcher.grpc_only || request.is_grpc())
        && matcher
            .headers
            .iter()
            .all(|header| any_value_matches(header, &request.values(&header.name)))
        && matcher.query.iter().all(|query| query_matches(query, &request.path))
}

/// Whether a path without its query string fulfils a condition.
pub fn path_matches(condition: &PathMatch, path: &str) -> bool {
    match condition {
        PathMatch::Exact(exact) => path == exact,
        PathMatch::Prefix(prefix) => path.starts_with(prefix.as_str()),
        PathMatch::Regex(regex) => full_match(regex, path),
    }
}

/// Whether a header's value (`None`: the header is missing) fulfils a condition.
pub fn header_matches(condition: &HeaderMatch, value: Option<&str>) -> bool {
    match value {
        None => condition.invert && condition.test == HeaderTest::Present,
        Some(value) => holds(&condition.test, value) != condition.invert,
    }
}

/// Whether a header with these values fulfils a condition: any of them may fulfil it, and of a negated condition none may.
/// Measured on Envoy 1.40; earlier ones joined the values by commas first.
fn any_value_matches(condition: &HeaderMatch, values: &[String]) -> bool {
    if values.is_empty() {
        return header_matches(condition, None);
    }
    values.iter().any(|value| holds(&condition.test, value)) != condition.invert
}

fn holds(test: &HeaderTest, value: &str) -> bool {
    match test {
        HeaderTest::Present => true,
        HeaderTest::Exact(exact) => value == exact,
        HeaderTest::Prefix(prefix) => value.starts_with(prefix.as_str()),
        HeaderTest::Suffix(suffix) => value.ends_with(suffix.as_str()),
        HeaderTest::Contains(part) => value.contains(part.as_str()),
        HeaderTest::Regex(regex) => full_match(regex, value),
        HeaderTest::Range { start, end } => value
            .parse::<i64>()
            .is_ok_and(|number| (*start..*end).contains(&number)),
    }
}

/// Whether the first occurrence of a query parameter fulfils a condition. Envoy compares what is sent, without decoding.
fn query_matches(condition: &QueryMatch, path: &str) -> bool {
    match (&condition.exact, query_value(&condition.name, path)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(exact), Some(value)) => exact == value,
    }
}

/// The value of a query parameter's first occurrence, as it was sent.
fn query_value<'p>(name: &str, path: &'p str) -> Option<&'p str> {
    let query = path.split('#').next().and_then(|path| path.split_once('?'));
    query
        .map(|(_, query)| query)
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Whether all of `text` matches the expression. An expression that does not compile matches nothing.
pub fn full_match(regex: &str, text: &str) -> bool {
    Regex::new(&format!(r"\A(?:{regex})\z")).is_ok_and(|regex| regex.is_match(text))
}

/// The path that a request has after `rewrite`, on a route that it matched by `matched`.
pub fn rewritten_path(path: &str, matched: &PathMatch, rewrite: Option<&PathRewrite>) -> String {
    let name = without_query(path);
    let query = path.get(name.len()..).unwrap_or_default();
    let rewritten = match (rewrite, matched) {
        (None, _) => name.to_owned(),
        (Some(PathRewrite::Matched(to)), PathMatch::Prefix(prefix)) => {
            format!("{to}{}", name.strip_prefix(prefix.as_str()).unwrap_or_default())
        }
        (Some(PathRewrite::Matched(to) | PathRewrite::Whole(to)), _) => to.clone(),
        (Some(PathRewrite::Prefix { from, to }), _) => match name.strip_prefix(from.as_str()) {
            Some(rest) => format!("{to}{rest}"),
            None => name.to_owned(),
        },
    };
    rewritten + query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, test: HeaderTest, invert: bool) -> HeaderMatch {
        HeaderMatch {
            name: name.into(),
            test,
            invert,
        }
    }

    #[test]
    fn prefers_the_exact_host_then_the_longest_suffix_then_any() {
        let host = |name: &str, domain| {
            std::sync::Arc::new(VirtualHost {
                name: name.into(),
                domains: vec![domain],
                routes: vec![],
            })
        };
        let mut table = RouteTable {
            id: crate::route::TableId {
                direction: crate::listener::Direction::Ingress,
                port: 80,
            },
            ignore_host_port: true,
            hosts: vec![
                host("any", Domain::Any),
                host("short", Domain::Suffix(".com".into())),
                host("long", Domain::Suffix(".example.com".into())),
                host("exact", Domain::Exact("a.example.com".into())),
            ],
        };
        let name = |table: &RouteTable, host| virtual_host(table, host).map(|host| host.name.clone());
        assert_eq!(name(&table, "A.example.com:8080").as_deref(), Some("exact"));
        assert_eq!(name(&table, "b.example.com").as_deref(), Some("long"));
        assert_eq!(name(&table, ".example.com").as_deref(), Some("short"));
        assert_eq!(name(&table, "x.com").as_deref(), Some("short"));
        assert_eq!(name(&table, "x.org").as_deref(), Some("any"));
        table.hosts.remove(0);
        assert_eq!(name(&table, "x.org"), None);
        table.ignore_host_port = false;
        assert_eq!(name(&table, "a.example.com:8080"), None);
    }

    #[test]
    fn a_missing_header_fulfils_only_the_negated_presence_test() {
        assert!(header_matches(&header("a", HeaderTest::Present, true), None));
        assert!(!header_matches(&header("a", HeaderTest::Present, false), None));
        assert!(!header_matches(&header("a", HeaderTest::Exact("x".into()), true), None));
        assert!(header_matches(
            &header("a", HeaderTest::Exact("x".into()), true),
            Some("y")
        ));
        assert!(!header_matches(&header("a", HeaderTest::Present, true), Some("y")));
    }

    #[test]
    fn of_several_values_any_may_fulfil_a_condition_and_none_a_negated_one() {
        let exact = |invert| header("x", HeaderTest::Exact("A".into()), invert);
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert!(any_value_matches(&exact(false), &values(&["B", "A"])));
        assert!(!any_value_matches(&exact(false), &values(&["A,B"])));
        assert!(!any_value_matches(&exact(true), &values(&["A", "B"])));
        assert!(any_value_matches(&exact(true), &values(&["C", "B"])));
        assert!(!any_value_matches(&exact(true), &values(&[])));
    }

    #[test]
    fn a_range_takes_its_start_but_not_its_end_and_nothing_that_is_no_integer() {
        let range = header("a", HeaderTest::Range { start: 1, end: 3 }, false);
        for (value, expected) in [
            ("0", false),
            ("1", true),
            ("2", true),
            ("3", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(header_matches(&range, Some(value)), expected, "{value}");
        }
    }

    #[test]
    fn query_parameters_are_not_decoded_and_the_first_occurrence_counts() {
        let query = |name: &str, exact: Option<&str>| QueryMatch {
            name: name.into(),
            exact: exact.map(Into::into),
        };
        assert!(query_matches(&query("a", Some("x%20y")), "/p?a=x%20y&a=z"));
        assert!(!query_matches(&query("a", Some("x y")), "/p?a=x%20y&a=z"));
        assert!(!query_matches(&query("a", Some("z")), "/p?a=x%20y&a=z"));
        assert!(query_matches(&query("a", None), "/p?b=1&a"));
        assert!(!query_matches(&query("a", None), "/p"));
    }

    #[test]
    fn rewrites_keep_the_query() {
        let prefix = PathMatch::Prefix("/red/".into());
        let to_root = PathRewrite::Matched("/".into());
        assert_eq!(
            rewritten_path("/red/tell?x=/red/", &prefix, Some(&to_root)),
            "/tell?x=/red/"
        );
        let whole = PathRewrite::Whole("/b".into());
        assert_eq!(
            rewritten_path("/a/c?x", &PathMatch::Regex("/a/.*".into()), Some(&whole)),
            "/b?x"
        );
        assert_eq!(rewritten_path("/a?x", &PathMatch::Exact("/a".into()), None), "/a?x");
    }

    #[test]
    fn only_grpc_content_types_are_grpc() {
        let mut request = Request::get("h", "/s/m");
        let matcher = Match {
            grpc_only: true,
            ..Match::path(PathMatch::Prefix("/s/".into()))
        };
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
        ] {
            request.headers = vec![("content-type".into(), value.into())];
            assert_eq!(matches(&matcher, &request), expected, "{value}");
        }
    }
}
