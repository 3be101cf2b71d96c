//! One hop where App Mesh made two.
//!
//! App Mesh's gateway was two hops inside one Envoy: the gateway route rewrote the request and sent it to the egress
//! listener, where the virtual service's routes matched what had become of it. Here both become one list of routes: for
//! each gateway route, each service route in terms of the *original* request, then a 404 that stops requests which the
//! gateway route takes and the service does not.

use crate::guard::Guards;
use crate::lower::expression::{self, Expression};
use crate::matcher::{HeaderMatch, HeaderTest, Match, PathMatch};
use crate::route::{Action, Label, PathRewrite, Route};
use crate::simulate;

/// The first hop: what a gateway route matches and rewrites.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// Name of the gateway route.
    pub gateway_route: String,
    /// What the request must look like.
    pub matcher: Match,
    /// What becomes of the path.
    pub path: HopPath,
    /// What becomes of the host; `None` keeps it.
    pub host: Option<String>,
}

/// What the first hop makes of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopPath {
    /// It stays.
    Keep,
    /// The matched prefix becomes this. Only behind [`PathMatch::Prefix`].
    Prefix(String),
    /// All of it becomes this.
    Whole(String),
}

impl HopPath {
    /// As the rewrite of a route that matches as the hop does.
    pub fn rewrite(&self) -> Option<PathRewrite> {
        match self {
            Self::Keep => None,
            Self::Prefix(to) => Some(PathRewrite::Matched(to.clone())),
            Self::Whole(to) => Some(PathRewrite::Whole(to.clone())),
        }
    }
}

/// Puts a virtual service's routes behind a hop.
///
/// The result ends with a route that answers 404, unless one before takes everything that the hop takes. Routes that
/// cannot be put in terms of the original request are left out and named in the second list.
pub fn compose(hop: &Hop, service_routes: &[Route]) -> (Vec<Route>, Vec<String>) {
    let mut routes = Vec::new();
    let mut problems = Vec::new();
    for service_route in service_routes {
        match compose_one(hop, service_route) {
            Ok(None) => {}
            Ok(Some(route)) => {
                if routes.iter().any(|earlier: &Route| earlier.matcher == route.matcher) {
                    continue;
                }
                let takes_all = route.matcher == hop.matcher;
                routes.push(route);
                if takes_all {
                    return (routes, problems);
                }
            }
            Err(problem) => problems.push(format!(
                "route {} of virtual service {} is left out behind gateway route {}: {problem}",
                service_route.label.route.as_deref().unwrap_or("-"),
                service_route.label.virtual_service.as_deref().unwrap_or("-"),
                hop.gateway_route,
            )),
        }
    }
    routes.push(not_found(hop));
    (routes, problems)
}

fn not_found(hop: &Hop) -> Route {
    Route {
        label: Label {
            gateway_route: Some(hop.gateway_route.clone()),
            ..Label::default()
        },
        matcher: hop.matcher.clone(),
        action: Action::Respond(404),
        policy: None,
        guards: Guards::default(),
    }
}

fn compose_one(hop: &Hop, service: &Route) -> Result<Option<Route>, String> {
    let Some((path, mut path_headers, rewrite)) = compose_path(&hop.matcher.path, &hop.path, &service.matcher.path)?
    else {
        return Ok(None);
    };
    let Some(mut service_headers) = compose_headers(hop, &service.matcher.headers)? else {
        return Ok(None);
    };
    let mut headers = hop.matcher.headers.clone();
    headers.append(&mut path_headers);
    headers.append(&mut service_headers);
    dedup(&mut headers);
    let mut query = hop.matcher.query.clone();
    query.extend(service.matcher.query.iter().cloned());
    dedup(&mut query);

    let mut action = service.action.clone();
    if let Action::Forward(forward) = &mut action {
        forward.host.clone_from(&hop.host);
        forward.path = rewrite;
    }
    Ok(Some(Route {
        label: Label {
            gateway_route: Some(hop.gateway_route.clone()),
            ..service.label.clone()
        },
        matcher: Match {
            path,
            headers,
            query,
            grpc_only: hop.matcher.grpc_only || service.matcher.grpc_only,
        },
        action,
        policy: service.policy.clone(),
        guards: service.guards.clone(),
    }))
}

fn dedup<T: PartialEq + Clone>(conditions: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::with_capacity(conditions.len());
    for condition in conditions.iter() {
        if !kept.contains(condition) {
            kept.push(condition.clone());
        }
    }
    *conditions = kept;
}

/// The service route's header conditions on the original request; `None` if they cannot hold.
fn compose_headers(hop: &Hop, headers: &[HeaderMatch]) -> Result<Option<Vec<HeaderMatch>>, String> {
    let mut composed = Vec::new();
    let method = hop.matcher.exact_method();
    for header in headers {
        match (header.name.as_str(), &hop.host) {
            (":method", _) if method.is_some() => {
                if !simulate::header_matches(header, method) {
                    return Ok(None);
                }
            }
            (":authority" | "host", Some(host)) => {
                if !simulate::header_matches(header, Some(host)) {
                    return Ok(None);
                }
            }
            (":path", _) if hop.path != HopPath::Keep => {
                return Err("it matches on the header :path, which the gateway route rewrites".into());
            }
            _ => composed.push(header.clone()),
        }
    }
    Ok(Some(composed))
}

/// A path condition, further conditions on `:path`, and the rewrite that both hops make together.
type ComposedPath = (PathMatch, Vec<HeaderMatch>, Option<PathRewrite>);

/// The service's path condition in terms of the original path; `None` if it cannot hold.
fn compose_path(matched: &PathMatch, hop: &HopPath, service: &PathMatch) -> Result<Option<ComposedPath>, String> {
    match (matched, hop) {
        (_, HopPath::Whole(new)) => Ok(simulate::path_matches(service, new).then(|| {
            let rewrite = match matched {
                PathMatch::Exact(old) if old == new => None,
                PathMatch::Exact(_) => Some(PathRewrite::Matched(new.clone())),
                _ => Some(PathRewrite::Whole(new.clone())),
            };
            (matched.clone(), vec![], rewrite)
        })),
        (PathMatch::Prefix(old), HopPath::Keep) => behind_prefix(old, old, service),
        (PathMatch::Prefix(old), HopPath::Prefix(new)) => behind_prefix(old, new, service),
        (_, HopPath::Prefix(_)) => Err("the gateway route rewrites a prefix but matches none".into()),
        (PathMatch::Exact(path), HopPath::Keep) => {
            Ok(simulate::path_matches(service, path).then(|| (matched.clone(), vec![], None)))
        }
        (PathMatch::Regex(expression), HopPath::Keep) => behind_regex(matched, expression, service),
    }
}

/// Behind a hop that turns the prefix `old` into `new`.
fn behind_prefix(old: &str, new: &str, service: &PathMatch) -> Result<Option<ComposedPath>, String> {
    let rewrite = |from: &str, to: &str| (from != to).then(|| PathRewrite::Matched(to.to_owned()));
    Ok(match service {
        PathMatch::Prefix(prefix) if new.starts_with(prefix.as_str()) => {
            Some((PathMatch::Prefix(old.to_owned()), vec![], rewrite(old, new)))
        }
        PathMatch::Prefix(prefix) => prefix.strip_prefix(new).map(|rest| {
            let original = format!("{old}{rest}");
            let rewrite = rewrite(&original, prefix);
            (PathMatch::Prefix(original), vec![], rewrite)
        }),
        PathMatch::Exact(path) => path.strip_prefix(new).map(|rest| {
            let original = format!("{old}{rest}");
            let rewrite = rewrite(&original, path);
            (PathMatch::Exact(original), vec![], rewrite)
        }),
        // Every path starts with "/".
        PathMatch::Regex(_) if old == "/" && new == "/" => Some((service.clone(), vec![], None)),
        PathMatch::Regex(expression) => match Expression::parse(expression)?.after(new).text() {
            None => None,
            Some(rest) => {
                let original = format!("{}{rest}", regex::escape(old));
                expression::check(&original)?;
                let rewrite = (old != new).then(|| PathRewrite::Prefix {
                    from: old.to_owned(),
                    to: new.to_owned(),
                });
                Some((PathMatch::Regex(original), vec![], rewrite))
            }
        },
    })
}

/// Behind a hop that matches a regular expression and keeps the path.
fn behind_regex(matched: &PathMatch, expression: &str, service: &PathMatch) -> Result<Option<ComposedPath>, String> {
    let with = |test| Some((matched.clone(), vec![HeaderMatch::new(":path", test)], None));
    Ok(match service {
        PathMatch::Prefix(prefix) if prefix == "/" => Some((matched.clone(), vec![], None)),
        PathMatch::Prefix(prefix) => with(HeaderTest::Prefix(prefix.clone())),
        PathMatch::Exact(path) => {
            simulate::full_match(expression, path).then(|| (PathMatch::Exact(path.clone()), vec![], None))
        }
        PathMatch::Regex(other) if other == expression => Some((matched.clone(), vec![], None)),
        // Envoy matches a path by one expression only, so the second one looks at the header, which has the query too.
        PathMatch::Regex(other) => match Expression::parse(other)?.without_query()?.text() {
            None => None,
            Some(narrowed) => {
                let header = format!("{narrowed}(?:[?#].*)?");
                expression::check(&header)?;
                with(HeaderTest::Regex(header))
            }
        },
    })
}
