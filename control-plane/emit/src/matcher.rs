//! What a request must look like.

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::{GrpcRouteMatchOptions, PathSpecifier};
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use envoy_types::pb::envoy::r#type::v3::Int64Range;
use ferromesh_ir::matcher::{HeaderMatch, HeaderTest, Match, PathMatch, QueryMatch};

/// A route's match.
pub fn route_match(matcher: &Match) -> RouteMatch {
    RouteMatch {
        path_specifier: Some(match &matcher.path {
            PathMatch::Exact(path) => PathSpecifier::Path(path.clone()),
            PathMatch::Prefix(prefix) => PathSpecifier::Prefix(prefix.clone()),
            PathMatch::Regex(expression) => PathSpecifier::SafeRegex(regex(expression)),
        }),
        headers: matcher.headers.iter().map(header_matcher).collect(),
        query_parameters: matcher.query.iter().map(query).collect(),
        grpc: matcher.grpc_only.then_some(GrpcRouteMatchOptions {}),
        ..RouteMatch::default()
    }
}

/// A condition on a header.
pub fn header_matcher(header: &HeaderMatch) -> HeaderMatcher {
    let specifier = match &header.test {
        HeaderTest::Present => HeaderMatchSpecifier::PresentMatch(true),
        HeaderTest::Exact(value) => string(MatchPattern::Exact(value.clone())),
        HeaderTest::Prefix(value) => string(MatchPattern::Prefix(value.clone())),
        HeaderTest::Suffix(value) => string(MatchPattern::Suffix(value.clone())),
        HeaderTest::Contains(value) => string(MatchPattern::Contains(value.clone())),
        HeaderTest::Regex(expression) => string(MatchPattern::SafeRegex(regex(expression))),
        HeaderTest::Range { start, end } => HeaderMatchSpecifier::RangeMatch(Int64Range {
            start: *start,
            end: *end,
        }),
    };
    HeaderMatcher {
        name: header.name.clone(),
        invert_match: header.invert,
        header_match_specifier: Some(specifier),
        ..HeaderMatcher::default()
    }
}

fn string(pattern: MatchPattern) -> HeaderMatchSpecifier {
    HeaderMatchSpecifier::StringMatch(StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    })
}

fn query(query: &QueryMatch) -> QueryParameterMatcher {
    QueryParameterMatcher {
        name: query.name.clone(),
        query_parameter_match_specifier: Some(match &query.exact {
            None => QueryParameterMatchSpecifier::PresentMatch(true),
            Some(value) => QueryParameterMatchSpecifier::StringMatch(StringMatcher {
                match_pattern: Some(MatchPattern::Exact(value.clone())),
                ..StringMatcher::default()
            }),
        }),
    }
}

/// An RE2 expression.
pub fn regex(expression: &str) -> RegexMatcher {
    RegexMatcher {
        regex: expression.to_owned(),
        ..RegexMatcher::default()
    }
}
