//! Rules of matches, which routes and gateway routes share.

use regex::RegexBuilder;

use crate::resource::{
    GatewayRouteHostnameMatch, HeaderMatchMethod, HttpPathMatch, HttpQueryParameter, HttpRouteHeader,
};
use crate::Violation;

/// Memory that compiling a match's regular expression may take; those of 255 characters stay far below.
const REGEX_BYTES: usize = 1 << 20;

/// Prefix and path of an HTTP match.
pub(super) fn prefix_and_path(
    at: &str,
    prefix: Option<&String>,
    path: Option<&HttpPathMatch>,
    found: &mut Vec<Violation>,
) {
    if prefix.is_some() && path.is_some() {
        found.push(Violation::new(
            at,
            "both prefix and path are specified, only one is allowed",
        ));
    }
    if let Some(prefix) = prefix.filter(|prefix| !prefix.starts_with('/')) {
        found.push(Violation::new(
            format!("{at}.prefix"),
            format!("must start with '/', is {prefix:?}"),
        ));
    }
    if let Some(path) = path {
        match (&path.exact, &path.regex) {
            (Some(_), Some(_)) => found.push(Violation::new(
                format!("{at}.path"),
                "both exact and regex are specified, only one is allowed",
            )),
            (None, None) => {
                found.push(Violation::new(
                    format!("{at}.path"),
                    "either exact or regex must be specified",
                ));
            }
            (Some(_), None) => {}
            (None, Some(expression)) => regex(&format!("{at}.path.regex"), expression, found),
        }
    }
}

/// Headers, or the metadata of gRPC.
pub(super) fn headers(at: &str, headers: &[HttpRouteHeader], found: &mut Vec<Violation>) {
    for (index, header) in headers.iter().enumerate() {
        match &header.r#match {
            Some(HeaderMatchMethod::Range(range)) if range.end <= range.start => found.push(Violation::new(
                format!("{at}[{index}].match.range"),
                format!(
                    "end must be greater than start, is {} with start {}",
                    range.end, range.start
                ),
            )),
            Some(HeaderMatchMethod::Regex(expression)) => {
                regex(&format!("{at}[{index}].match.regex"), expression, found);
            }
            _ => {}
        }
    }
}

/// Query parameters.
pub(super) fn query(at: &str, parameters: &[HttpQueryParameter], found: &mut Vec<Violation>) {
    for (index, parameter) in parameters.iter().enumerate() {
        if parameter.name.is_empty() {
            found.push(Violation::new(
                format!("{at}[{index}].name"),
                "must have at least 1 characters, has 0",
            ));
        }
        if parameter.r#match.as_ref().is_some_and(|query| query.exact.is_none()) {
            found.push(Violation::new(
                format!("{at}[{index}].match"),
                "exact is missing, leave match away to ask only that the parameter is there",
            ));
        }
    }
}

/// The host of a gateway route's match.
pub(super) fn hostname(at: &str, hostname: Option<&GatewayRouteHostnameMatch>, found: &mut Vec<Violation>) {
    let Some(hostname) = hostname else { return };
    match (&hostname.exact, &hostname.suffix) {
        (Some(_), Some(_)) => {
            found.push(Violation::new(
                at,
                "both exact and suffix are specified, only one is allowed",
            ));
        }
        (None, None) => found.push(Violation::new(at, "either exact or suffix must be specified")),
        _ => {}
    }
}

/// A regular expression, which Envoy reads as RE2 and would refuse together with the whole configuration.
///
/// Our engine reads the same syntax but for `\C` and `\Q…\E`; expressions with those are let through.
fn regex(at: &str, expression: &str, found: &mut Vec<Violation>) {
    if expression.contains(r"\Q") || expression.contains(r"\C") {
        return;
    }
    if let Err(error) = RegexBuilder::new(expression).size_limit(REGEX_BYTES).build() {
        let reason = error.to_string();
        let reason = reason
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .trim_start_matches("error: ")
            .to_owned();
        found.push(Violation::new(at, format!("is not a regular expression: {reason}")));
    }
}
