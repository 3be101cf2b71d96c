//! What routes and gateway routes match on.

use ferromesh_model::resource::{
    GrpcGatewayRouteMatch, GrpcRouteMatch, HeaderMatchMethod, HttpGatewayRouteMatch, HttpPathMatch, HttpQueryParameter,
    HttpRouteHeader, HttpRouteMatch,
};

use super::expression;
use crate::matcher::{HeaderMatch, HeaderTest, Match, PathMatch, QueryMatch};

/// # Errors
/// The match uses an expression that Envoy would refuse, and with it all routes of the port.
pub fn http_route(spec: &HttpRouteMatch) -> Result<Match, String> {
    let method = spec.method.map(|method| (":method", method.as_str()));
    let scheme = spec.scheme.map(|scheme| (":scheme", scheme.as_str()));
    http(
        method.into_iter().chain(scheme),
        &spec.headers,
        path(spec.path.as_ref(), spec.prefix.as_deref()),
        &spec.query_parameters,
    )
}

/// # Errors
/// As [`http_route`].
pub fn http_gateway_route(spec: &HttpGatewayRouteMatch) -> Result<Match, String> {
    http(
        spec.method.map(|method| (":method", method.as_str())),
        &spec.headers,
        path(spec.path.as_ref(), spec.prefix.as_deref()),
        &spec.query_parameters,
    )
}

fn http(
    pseudo: impl IntoIterator<Item = (&'static str, &'static str)>,
    headers: &[HttpRouteHeader],
    path: PathMatch,
    parameters: &[HttpQueryParameter],
) -> Result<Match, String> {
    let exact = |(name, value): (&str, &str)| HeaderMatch::new(name, HeaderTest::Exact(value.into()));
    checked(Match {
        path,
        headers: pseudo
            .into_iter()
            .map(exact)
            .chain(headers.iter().map(header))
            .collect(),
        query: parameters.iter().map(query).collect(),
        grpc_only: false,
    })
}

/// # Errors
/// As [`http_route`].
pub fn grpc_route(spec: &GrpcRouteMatch) -> Result<Match, String> {
    grpc(
        spec.service_name.as_deref(),
        spec.method_name.as_deref(),
        &spec.metadata,
    )
}

/// # Errors
/// As [`http_route`].
pub fn grpc_gateway_route(spec: &GrpcGatewayRouteMatch) -> Result<Match, String> {
    grpc(spec.service_name.as_deref(), None, &spec.metadata)
}

fn grpc(service: Option<&str>, method: Option<&str>, metadata: &[HttpRouteHeader]) -> Result<Match, String> {
    let path = match (service, method) {
        (Some(service), Some(method)) => PathMatch::Exact(format!("/{service}/{method}")),
        (Some(service), None) => PathMatch::Prefix(format!("/{service}/")),
        (None, _) => PathMatch::Prefix("/".into()),
    };
    checked(Match {
        path,
        headers: metadata.iter().map(header).collect(),
        query: Vec::new(),
        grpc_only: true,
    })
}

/// Neither a path nor a prefix matches every path.
fn path(path: Option<&HttpPathMatch>, prefix: Option<&str>) -> PathMatch {
    if let Some(path) = path {
        if let Some(exact) = &path.exact {
            return PathMatch::Exact(exact.clone());
        }
        if let Some(regex) = &path.regex {
            return PathMatch::Regex(regex.clone());
        }
    }
    match prefix {
        None | Some("") => PathMatch::Prefix("/".into()),
        Some(prefix) => PathMatch::Prefix(prefix.into()),
    }
}

fn header(spec: &HttpRouteHeader) -> HeaderMatch {
    let test = match &spec.r#match {
        None => HeaderTest::Present,
        Some(HeaderMatchMethod::Exact(value)) => HeaderTest::Exact(value.clone()),
        Some(HeaderMatchMethod::Prefix(value)) => HeaderTest::Prefix(value.clone()),
        Some(HeaderMatchMethod::Suffix(value)) => HeaderTest::Suffix(value.clone()),
        Some(HeaderMatchMethod::Regex(value)) => HeaderTest::Regex(value.clone()),
        Some(HeaderMatchMethod::Range(range)) => HeaderTest::Range {
            start: range.start,
            end: range.end,
        },
    };
    HeaderMatch {
        invert: spec.invert.unwrap_or(false),
        ..HeaderMatch::new(&spec.name, test)
    }
}

fn query(spec: &HttpQueryParameter) -> QueryMatch {
    QueryMatch {
        name: spec.name.clone(),
        exact: spec.r#match.as_ref().and_then(|matched| matched.exact.clone()),
    }
}

/// Envoy refuses a whole route table for one expression or header name that it does not take.
fn checked(matcher: Match) -> Result<Match, String> {
    match &matcher.path {
        PathMatch::Regex(regex) => expression::check(regex)?,
        // In a rewrite, which may repeat the match, Envoy takes none.
        PathMatch::Exact(path) | PathMatch::Prefix(path) if path.contains(char::is_control) => {
            return Err(format!("path {path:?} has a control character, which no request has"));
        }
        PathMatch::Exact(_) | PathMatch::Prefix(_) => {}
    }
    for header in &matcher.headers {
        if !is_header_name(&header.name) {
            return Err(format!("header name {:?} is not valid", header.name));
        }
        if let HeaderTest::Regex(regex) = &header.test {
            expression::check(regex)?;
        }
    }
    Ok(matcher)
}

/// A token of RFC 9110, maybe a pseudo header's.
fn is_header_name(name: &str) -> bool {
    let token = name.strip_prefix(':').unwrap_or(name);
    !token.is_empty()
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
