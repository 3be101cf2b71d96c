//! Rules of a gateway route by itself.

use super::matching;
use super::route::exactly_one;
use crate::resource::{GatewayRouteSpec, GrpcGatewayRoute, HttpGatewayRoute, HttpGatewayRouteRewrite};
use crate::Violation;

/// Prefixes that App Mesh keeps for itself.
const RESERVED_PREFIXES: [&str; 2] = ["/aws-appmesh", "/aws-app-mesh"];
/// gRPC services that App Mesh keeps for itself.
const RESERVED_SERVICES: [&str; 2] = ["aws.appmesh", "aws.app-mesh"];

/// Rules of a gateway route by itself.
pub(super) fn rules(spec: &GatewayRouteSpec, found: &mut Vec<Violation>) {
    let has: Vec<&str> = [
        ("grpcRoute", spec.grpc_route.is_some()),
        ("http2Route", spec.http2_route.is_some()),
        ("httpRoute", spec.http_route.is_some()),
    ]
    .into_iter()
    .filter_map(|(member, present)| present.then_some(member))
    .collect();
    found.extend(exactly_one("grpcRoute, http2Route, httpRoute", &has));
    for (member, route) in [("http2Route", &spec.http2_route), ("httpRoute", &spec.http_route)] {
        if let Some(route) = route {
            http(member, route, found);
        }
    }
    if let Some(route) = &spec.grpc_route {
        grpc(route, found);
    }
}

fn http(member: &str, route: &HttpGatewayRoute, found: &mut Vec<Violation>) {
    let wanted = &route.r#match;
    let at = format!("{member}.match");
    matching::prefix_and_path(&at, wanted.prefix.as_ref(), wanted.path.as_ref(), found);
    matching::headers(&format!("{at}.headers"), &wanted.headers, found);
    matching::query(&format!("{at}.queryParameters"), &wanted.query_parameters, found);
    matching::hostname(&format!("{at}.hostname"), wanted.hostname.as_ref(), found);
    if let Some(prefix) = &wanted.prefix {
        if RESERVED_PREFIXES.iter().any(|reserved| prefix.starts_with(reserved)) {
            found.push(Violation::new(
                format!("{at}.prefix"),
                format!("is reserved, is {prefix:?}"),
            ));
        }
    }
    if let Some(rewrite) = &route.action.rewrite {
        let at = format!("{member}.action.rewrite");
        http_rewrite(&at, rewrite, found);
        if rewrite.prefix.is_some() && wanted.path.is_some() {
            found.push(Violation::new(
                format!("{at}.prefix"),
                "needs a match on prefix, the match is on path",
            ));
        }
    }
}

fn http_rewrite(at: &str, rewrite: &HttpGatewayRouteRewrite, found: &mut Vec<Violation>) {
    if rewrite.prefix.is_none() && rewrite.path.is_none() && rewrite.hostname.is_none() {
        found.push(Violation::new(at, "either prefix, path or hostname must be specified"));
    }
    if rewrite.prefix.is_some() && rewrite.path.is_some() {
        found.push(Violation::new(
            at,
            "both prefix and path are specified, only one is allowed",
        ));
    }
    if rewrite.path.as_ref().is_some_and(|path| path.exact.is_none()) {
        found.push(Violation::new(format!("{at}.path.exact"), "is required"));
    }
    if let Some(path) = rewrite.path.as_ref().and_then(|path| path.exact.as_ref()) {
        if !path.starts_with('/') {
            found.push(Violation::new(
                format!("{at}.path.exact"),
                format!("must start with '/', is {path:?}"),
            ));
        }
    }
    if let Some(prefix) = &rewrite.prefix {
        match (&prefix.default_prefix, &prefix.value) {
            (Some(_), Some(_)) => found.push(Violation::new(
                format!("{at}.prefix"),
                "both defaultPrefix and value are specified, only one is allowed",
            )),
            (None, None) => found.push(Violation::new(
                format!("{at}.prefix"),
                "either defaultPrefix or value must be specified",
            )),
            (None, Some(value)) if !(value.starts_with('/') && value.ends_with('/')) => found.push(Violation::new(
                format!("{at}.prefix.value"),
                format!("must start and end with '/', is {value:?}"),
            )),
            _ => {}
        }
    }
}

fn grpc(route: &GrpcGatewayRoute, found: &mut Vec<Violation>) {
    let wanted = &route.r#match;
    let at = "grpcRoute.match";
    if wanted.service_name.is_none() && wanted.hostname.is_none() && wanted.metadata.is_empty() && wanted.port.is_none()
    {
        found.push(Violation::new(at, "either serviceName or hostname must be specified"));
    }
    matching::headers(&format!("{at}.metadata"), &wanted.metadata, found);
    matching::hostname(&format!("{at}.hostname"), wanted.hostname.as_ref(), found);
    if let Some(service) = &wanted.service_name {
        if RESERVED_SERVICES.iter().any(|reserved| service.starts_with(reserved)) {
            found.push(Violation::new(
                format!("{at}.serviceName"),
                format!("is reserved, is {service:?}"),
            ));
        }
    }
    if route
        .action
        .rewrite
        .as_ref()
        .is_some_and(|rewrite| rewrite.hostname.is_none())
    {
        found.push(Violation::new("grpcRoute.action.rewrite.hostname", "is required"));
    }
}
