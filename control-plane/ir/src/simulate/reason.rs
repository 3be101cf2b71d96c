//! Why a route, a host or a filter chain does not take a request: the condition that failed, and what it met.

use std::fmt;

use serde::Serialize;

use super::{any_value_matches, path_matches, query_value, without_query, Request};
use crate::matcher::{HeaderMatch, HeaderTest, Match, PathMatch, QueryMatch};

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// What is asked for: `header x-v is "1"`.
    pub condition: String,
    /// What the request has instead; absent where it has nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl Failed {
    /// A condition and what it met.
    pub fn new(condition: impl Into<String>, found: Option<&str>) -> Self {
        Self {
            condition: condition.into(),
            found: found.map(str::to_owned),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(f, "{}: it is {found:?}", self.condition),
            None => write!(f, "{}: there is none", self.condition),
        }
    }
}

/// All conditions of `matcher` that do not hold; none if it takes the request.
pub fn failed(matcher: &Match, request: &Request) -> Vec<Failed> {
    let mut found = Vec::new();
    let path = without_query(&request.path);
    if !path_matches(&matcher.path, path) {
        found.push(Failed::new(describe_path(&matcher.path), Some(path)));
    }
    if matcher.grpc_only && !request.is_grpc() {
        let kind = request.header("content-type");
        found.push(Failed::new("content-type is that of gRPC", kind.as_deref()));
    }
    for header in &matcher.headers {
        let value = request.header(&header.name);
        if !any_value_matches(header, &request.values(&header.name)) {
            found.push(Failed::new(describe_header(header), value.as_deref()));
        }
    }
    for query in &matcher.query {
        let value = query_value(&query.name, &request.path);
        if !super::query_matches(query, &request.path) {
            found.push(Failed::new(describe_query(query), value));
        }
    }
    found
}

/// A condition on the path in words.
pub fn describe_path(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(exact) => format!("path is {exact:?}"),
        PathMatch::Prefix(prefix) => format!("path starts with {prefix:?}"),
        PathMatch::Regex(regex) => format!("path matches {regex:?}"),
    }
}

/// A condition on a header in words.
pub fn describe_header(header: &HeaderMatch) -> String {
    let not = if header.invert { "not " } else { "" };
    let (name, test) = (subject(&header.name), &header.test);
    match test {
        HeaderTest::Present if header.invert => format!("{name} is not there"),
        HeaderTest::Present => format!("{name} is there"),
        HeaderTest::Exact(value) => format!("{name} is {not}{value:?}"),
        HeaderTest::Prefix(value) => format!("{name} does {not}start with {value:?}").replace("does start", "starts"),
        HeaderTest::Suffix(value) => format!("{name} does {not}end with {value:?}").replace("does end", "ends"),
        HeaderTest::Contains(value) => {
            format!("{name} does {not}contain {value:?}").replace("does contain", "contains")
        }
        HeaderTest::Regex(value) => format!("{name} does {not}match {value:?}").replace("does match", "matches"),
        HeaderTest::Range { start, end } => format!("{name} is {not}a number of {start} to {}", end.saturating_sub(1)),
    }
}

fn describe_query(query: &QueryMatch) -> String {
    match &query.exact {
        Some(exact) => format!("query parameter {} is {exact:?}", query.name),
        None => format!("query parameter {} is there", query.name),
    }
}

fn subject(name: &str) -> String {
    match name {
        ":method" => "method".into(),
        ":scheme" => "scheme".into(),
        ":path" => "path with query".into(),
        ":authority" | "host" => "host".into(),
        other => format!("header {other}"),
    }
}

/// Every condition of a match in words, joined by "and".
pub fn describe(matcher: &Match) -> String {
    let mut parts = vec![describe_path(&matcher.path)];
    if matcher.grpc_only {
        parts.push("it is gRPC".into());
    }
    parts.extend(matcher.headers.iter().map(describe_header));
    parts.extend(matcher.query.iter().map(describe_query));
    parts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_that_fails_is_named_with_what_it_met() {
        let matcher = Match {
            path: PathMatch::Prefix("/red".into()),
            headers: vec![
                HeaderMatch::new(":method", HeaderTest::Exact("POST".into())),
                HeaderMatch::new("x-v", HeaderTest::Range { start: 1, end: 4 }),
                HeaderMatch {
                    invert: true,
                    ..HeaderMatch::new("x-a", HeaderTest::Prefix("b".into()))
                },
            ],
            query: vec![QueryMatch {
                name: "q".into(),
                exact: Some("1".into()),
            }],
            grpc_only: true,
        };
        let mut request = Request::get("h", "/blue?q=2");
        request.headers.push(("x-a".into(), "bc".into()));
        let said: Vec<String> = failed(&matcher, &request).iter().map(Failed::to_string).collect();
        let expected = [
            r#"path starts with "/red": it is "/blue""#,
            "content-type is that of gRPC: there is none",
            r#"method is "POST": it is "GET""#,
            "header x-v is a number of 1 to 3: there is none",
            r#"header x-a does not start with "b": it is "bc""#,
            r#"query parameter q is "1": it is "2""#,
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn nothing_fails_exactly_where_the_match_holds() {
        let matcher = Match::path(PathMatch::Exact("/a".into()));
        for path in ["/a", "/a?b", "/ab", "/"] {
            let request = Request::get("h", path);
            assert_eq!(
                failed(&matcher, &request).is_empty(),
                super::super::matches(&matcher, &request),
                "{path}"
            );
        }
    }
}
