//! One gateway route: which requests it takes, and what it does to them before the service's routes see them.

use ferromesh_model::mesh::GatewayRoute;
use ferromesh_model::resource::{
    DefaultGatewayRouteRewrite, GatewayRouteHostnameMatch, GatewayRouteHostnameRewrite, GatewayRouteTarget,
    HttpGatewayRoute,
};

use crate::lint::Code;
use crate::lower::compose::{Hop, HopPath};
use crate::lower::rank::Rank;
use crate::lower::{conditions, Lowering};
use crate::matcher::{Match, PathMatch};
use crate::route::Domain;

impl Lowering<'_> {
    /// What a gateway route does to a request before the service's routes see it. Several hops are tried in order.
    #[allow(clippy::type_complexity)] // used in one place
    pub(super) fn hops(
        &mut self,
        route: &GatewayRoute,
        resource: &str,
    ) -> Result<(Rank, Domain, Vec<Hop>, GatewayRouteTarget), String> {
        let (matcher, hostname, rewrite_host, target, path) = if let Some(http) = http(route) {
            let matcher = conditions::http_gateway_route(&http.r#match)?;
            let rewrite = http.action.rewrite.as_ref();
            (
                matcher,
                http.r#match.hostname.as_ref(),
                rewrite.and_then(|rewrite| rewrite.hostname),
                &http.action.target,
                self.http_path(http, resource)?,
            )
        } else if let Some(grpc) = &route.spec.grpc_route {
            (
                conditions::grpc_gateway_route(&grpc.r#match)?,
                grpc.r#match.hostname.as_ref(),
                grpc.action.rewrite.and_then(|rewrite| rewrite.hostname),
                &grpc.action.target,
                HopPath::Keep,
            )
        } else {
            return Err("it has no httpRoute, http2Route or grpcRoute".into());
        };
        let service = &target.virtual_service.virtual_service_name;
        let host = rewrites_host(rewrite_host).then(|| service.clone());
        if host.as_deref().is_some_and(|host| !is_header_value(host)) {
            return Err(format!("virtual service name {service:?} cannot be a host"));
        }
        let rank = Rank::new(route.spec.priority, &matcher, route.created_at, &route.name);
        let hops = variants(&matcher, path)
            .into_iter()
            .map(|(path_match, path)| Hop {
                gateway_route: route.name.clone(),
                matcher: Match {
                    path: path_match,
                    ..matcher.clone()
                },
                path,
                host: host.clone(),
            })
            .collect();
        Ok((rank, domain(hostname)?, hops, target.clone()))
    }

    fn http_path(&mut self, http: &HttpGatewayRoute, resource: &str) -> Result<HopPath, String> {
        let matches_prefix = http.r#match.path.is_none();
        let rewrite = http.action.rewrite.as_ref();
        if let Some(path) = rewrite
            .and_then(|rewrite| rewrite.path.as_ref())
            .and_then(|path| path.exact.as_ref())
        {
            return rooted(path).map(HopPath::Whole);
        }
        let prefix = rewrite.and_then(|rewrite| rewrite.prefix.as_ref());
        if !matches_prefix {
            if prefix.is_some() {
                self.lint(
                    Code::PrefixRewriteWithoutPrefix,
                    resource,
                    "its prefix rewrite has no effect: it matches a path, not a prefix",
                );
            }
            return Ok(HopPath::Keep);
        }
        match prefix {
            Some(prefix) if prefix.value.is_some() => {
                rooted(prefix.value.as_deref().unwrap_or_default()).map(HopPath::Prefix)
            }
            Some(prefix) if prefix.default_prefix == Some(DefaultGatewayRouteRewrite::Disabled) => Ok(HopPath::Keep),
            _ => Ok(HopPath::Prefix("/".into())),
        }
    }
}

/// A prefix that does not end with "/" and becomes one that does is two hops: `P/` first, so that `/red/tell` becomes
/// `/tell` and not `//tell`, then `P` for the prefix alone.
fn variants(matcher: &Match, path: HopPath) -> Vec<(PathMatch, HopPath)> {
    match (&matcher.path, path) {
        (PathMatch::Prefix(old), HopPath::Prefix(new)) if *old == new => vec![(matcher.path.clone(), HopPath::Keep)],
        (PathMatch::Prefix(old), HopPath::Prefix(new)) if new.ends_with('/') && !old.ends_with('/') => vec![
            (PathMatch::Prefix(format!("{old}/")), HopPath::Prefix(new.clone())),
            (matcher.path.clone(), HopPath::Prefix(new)),
        ],
        (_, path) => vec![(matcher.path.clone(), path)],
    }
}

fn http(route: &GatewayRoute) -> Option<&HttpGatewayRoute> {
    route.spec.http_route.as_ref().or(route.spec.http2_route.as_ref())
}

fn rewrites_host(rewrite: Option<GatewayRouteHostnameRewrite>) -> bool {
    rewrite.and_then(|rewrite| rewrite.default_target_hostname) != Some(DefaultGatewayRouteRewrite::Disabled)
}

fn domain(hostname: Option<&GatewayRouteHostnameMatch>) -> Result<Domain, String> {
    let Some(hostname) = hostname else {
        return Ok(Domain::Any);
    };
    let (host, domain): (_, fn(String) -> Domain) = match (&hostname.exact, &hostname.suffix) {
        (Some(host), _) => (host, Domain::Exact),
        (None, Some(host)) => (host, Domain::Suffix),
        (None, None) => return Ok(Domain::Any),
    };
    if is_host(host) {
        Ok(domain(host.to_ascii_lowercase()))
    } else {
        Err(format!("host name {host:?} cannot be matched"))
    }
}

/// Whether Envoy takes a text as a domain without reading anything into it.
pub(in crate::lower) fn is_host(text: &str) -> bool {
    !text.is_empty() && is_header_value(text) && !text.contains('*')
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn rooted(path: &str) -> Result<String, String> {
    if path.starts_with('/') && is_header_value(path) {
        Ok(path.to_owned())
    } else {
        Err(format!("rewrite {path:?} must be a path that starts with \"/\""))
    }
}
