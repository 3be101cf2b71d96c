//! Rules of a route by itself.

use serde_json::Value;

use super::{matching, route_kinds};
use crate::resource::{HttpRetryPolicyEvent, HttpRoute, RouteSpec};
use crate::Violation;

/// Events that the service model's documentation names; the model itself takes any string.
const HTTP_RETRY_EVENTS: [HttpRetryPolicyEvent; 4] = [
    HttpRetryPolicyEvent::ClientError,
    HttpRetryPolicyEvent::GatewayError,
    HttpRetryPolicyEvent::ServerError,
    HttpRetryPolicyEvent::StreamError,
];

/// HTTP retry events that nobody knows.
pub(super) fn retry_events(spec: &Value, found: &mut Vec<Violation>) {
    for member in ["grpcRoute", "http2Route", "httpRoute"] {
        let events = spec
            .pointer(&format!("/{member}/retryPolicy/httpRetryEvents"))
            .and_then(Value::as_array);
        for (index, event) in events.into_iter().flatten().enumerate() {
            if !HTTP_RETRY_EVENTS
                .iter()
                .any(|known| Some(known.as_str()) == event.as_str())
            {
                let known = HTTP_RETRY_EVENTS.map(HttpRetryPolicyEvent::as_str).join(", ");
                found.push(Violation::new(
                    format!("{member}.retryPolicy.httpRetryEvents[{index}]"),
                    format!("must be one of {known}, is {event}"),
                ));
            }
        }
    }
}

/// Of the protocols that a route can be for, it has one.
pub(super) fn exactly_one(known: &str, has: &[&str]) -> Option<Violation> {
    let has = match has {
        [_] => return None,
        [] => "none".to_owned(),
        several => several.join(" and "),
    };
    Some(Violation::new(
        "",
        format!("must have exactly one of {known}, has {has}"),
    ))
}

/// Rules of a route by itself.
pub(super) fn rules(spec: &RouteSpec, found: &mut Vec<Violation>) {
    let kinds = route_kinds(spec);
    let has: Vec<_> = kinds.iter().map(|kind| kind.member).collect();
    found.extend(exactly_one("grpcRoute, http2Route, httpRoute, tcpRoute", &has));
    for kind in kinds {
        if kind.targets.iter().all(|target| target.weight == 0) {
            found.push(Violation::new(
                format!("{}.action.weightedTargets", kind.member),
                "the sum of all weights must be at least 1, is 0",
            ));
        }
    }
    for (member, route) in [("http2Route", &spec.http2_route), ("httpRoute", &spec.http_route)] {
        if let Some(route) = route {
            http(&format!("{member}.match"), route, found);
        }
    }
    if let Some(route) = &spec.grpc_route {
        let at = "grpcRoute.match";
        if route.r#match.method_name.is_some() && route.r#match.service_name.is_none() {
            found.push(Violation::new(
                format!("{at}.serviceName"),
                "is required with methodName",
            ));
        }
        matching::headers(&format!("{at}.metadata"), &route.r#match.metadata, found);
    }
}

fn http(at: &str, route: &HttpRoute, found: &mut Vec<Violation>) {
    let wanted = &route.r#match;
    matching::prefix_and_path(at, wanted.prefix.as_ref(), wanted.path.as_ref(), found);
    matching::headers(&format!("{at}.headers"), &wanted.headers, found);
    matching::query(&format!("{at}.queryParameters"), &wanted.query_parameters, found);
}
