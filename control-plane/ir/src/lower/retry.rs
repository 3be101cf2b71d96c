//! Retries: App Mesh's events in Envoy's words, its default policy, and what may be tried again of requests that are not
//! idempotent.

use std::collections::BTreeSet;

use ferromesh_model::resource::{
    Duration, GrpcRetryPolicy, GrpcRetryPolicyEvent, HttpRetryPolicy, HttpRetryPolicyEvent, TcpRetryPolicyEvent,
};

use super::count;
use crate::matcher::{HeaderMatch, HeaderTest, Match};
use crate::route::{Retry, RetryOn, RETRY_MARK};

/// Methods whose repetition changes nothing (RFC 9110, 9.2.2).
pub const IDEMPOTENT_METHODS: &str = "GET|HEAD|OPTIONS|PUT|DELETE|TRACE";

/// Status codes of `server-error`.
const SERVER_ERROR: [u32; 11] = [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511];
/// Status codes of `gateway-error`.
const GATEWAY_ERROR: [u32; 3] = [502, 503, 504];
/// Status code of `client-error`.
const CLIENT_ERROR: u32 = 409;

/// What App Mesh gave to routes without a policy: two retries.
pub fn default_policy() -> Retry {
    Retry {
        on: [
            RetryOn::Unavailable,
            RetryOn::ConnectFailure,
            RetryOn::RefusedStream,
            RetryOn::Reset,
        ]
        .into(),
        status_codes: [503].into(),
        max_retries: 2,
        per_try_timeout: None,
        ..Retry::NONE
    }
}

/// The policy of an HTTP route; `None` if it never retries.
pub fn http(policy: &HttpRetryPolicy) -> Option<Retry> {
    events(
        attempts(policy.max_retries, policy.per_retry_timeout),
        &policy.http_retry_events,
        &policy.tcp_retry_events,
        &[],
    )
}

/// The policy of a gRPC route; `None` if it never retries.
pub fn grpc(policy: &GrpcRetryPolicy) -> Option<Retry> {
    events(
        attempts(policy.max_retries, policy.per_retry_timeout),
        &policy.http_retry_events,
        &policy.tcp_retry_events,
        &policy.grpc_retry_events,
    )
}

/// How often, and how long each time; on no event yet.
fn attempts(max_retries: i64, per_retry_timeout: Duration) -> Retry {
    Retry {
        max_retries: count(max_retries),
        per_try_timeout: per_retry_timeout.as_std().filter(|timeout| !timeout.is_zero()),
        ..Retry::NONE
    }
}

fn events(
    mut retry: Retry,
    http: &[HttpRetryPolicyEvent],
    tcp: &[TcpRetryPolicyEvent],
    grpc: &[GrpcRetryPolicyEvent],
) -> Option<Retry> {
    for event in http {
        match event {
            // Both include a connection that breaks before an answer.
            HttpRetryPolicyEvent::ServerError => {
                retry.on.insert(RetryOn::Reset);
                retry.status_codes.extend(SERVER_ERROR);
            }
            HttpRetryPolicyEvent::GatewayError => {
                retry.on.insert(RetryOn::Reset);
                retry.status_codes.extend(GATEWAY_ERROR);
            }
            HttpRetryPolicyEvent::ClientError => {
                retry.status_codes.insert(CLIENT_ERROR);
            }
            HttpRetryPolicyEvent::StreamError => {
                retry.on.insert(RetryOn::RefusedStream);
            }
        }
    }
    for event in tcp {
        match event {
            TcpRetryPolicyEvent::ConnectionError => retry.on.insert(RetryOn::ConnectFailure),
        };
    }
    for event in grpc {
        retry.on.insert(match event {
            GrpcRetryPolicyEvent::Cancelled => RetryOn::Cancelled,
            GrpcRetryPolicyEvent::DeadlineExceeded => RetryOn::DeadlineExceeded,
            GrpcRetryPolicyEvent::Internal => RetryOn::Internal,
            GrpcRetryPolicyEvent::ResourceExhausted => RetryOn::ResourceExhausted,
            GrpcRetryPolicyEvent::Unavailable => RetryOn::Unavailable,
        });
    }
    (retry.max_retries > 0 && !(retry.on.is_empty() && retry.status_codes.is_empty())).then_some(retry)
}

/// What is left of a policy for requests that an upstream may have processed: only failures that say it has not.
fn never_processed(retry: &Retry) -> Option<Retry> {
    let on: BTreeSet<RetryOn> = if retry.on.contains(&RetryOn::Reset) {
        // Includes both.
        [RetryOn::ConnectFailure, RetryOn::RefusedStream].into()
    } else {
        let harmless = [RetryOn::ConnectFailure, RetryOn::RefusedStream];
        retry.on.iter().filter(|on| harmless.contains(on)).copied().collect()
    };
    (!on.is_empty()).then(|| Retry {
        on,
        status_codes: BTreeSet::new(),
        headers: Vec::new(),
        retry_after: None,
        hedged: false,
        // Such failures are told to nobody: an earlier hop sees an answer, which it does not take for one of them.
        marks: false,
        ..retry.clone()
    })
}

/// Which requests of a route are tried again without regard to their method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regardless {
    /// All: gRPC, whose events name their case themselves, and routes whose policy says so.
    Always,
    /// Only idempotent ones.
    IfIdempotent,
}

/// A route's match with its retries, divided by method where the two halves are retried differently.
///
/// Envoy cannot say "after it may have been processed, only if idempotent" in one route, hence two: the first takes the
/// idempotent methods, the second the rest.
///
/// Of the rest, requests with the header `key` may be repeated too, which is one more route.
pub fn by_method(
    matcher: Match,
    retry: Option<Retry>,
    regardless: Regardless,
    key: Option<&str>,
) -> Vec<(Match, Option<Retry>)> {
    let Some(full) = retry else {
        return vec![(matcher, None)];
    };
    let reduced = never_processed(&full);
    if regardless == Regardless::Always || reduced.as_ref().is_some_and(|reduced| is_as_much(reduced, &full)) {
        let marks = full.marks && !reduced.is_some_and(|reduced| reduced.on == full.on && full.status_codes.is_empty());
        return vec![(matcher, Some(Retry { marks, ..full }))];
    }
    let with = |name, test| narrowed(&matcher, HeaderMatch::new(name, test));
    let keyed = key.map(|key| (with(key, HeaderTest::Present), Some(full.clone())));
    if let Some(method) = matcher.exact_method() {
        if IDEMPOTENT_METHODS.split('|').any(|candidate| candidate == method) {
            return vec![(matcher, Some(full))];
        }
        return keyed.into_iter().chain([(matcher, reduced)]).collect();
    }
    let idempotent = with(":method", HeaderTest::Regex(IDEMPOTENT_METHODS.into()));
    let mut routes = vec![(idempotent, Some(full.clone()))];
    routes.extend(keyed);
    routes.push((matcher, reduced));
    routes
}

/// Whether what is left is all that there was.
fn is_as_much(reduced: &Retry, full: &Retry) -> bool {
    let same = Retry {
        retry_after: full.retry_after,
        hedged: full.hedged,
        elsewhere: full.elsewhere,
        marks: full.marks,
        ..reduced.clone()
    };
    same == *full
}

fn narrowed(matcher: &Match, header: HeaderMatch) -> Match {
    let mut matcher = matcher.clone();
    matcher.headers.push(header);
    matcher
}

/// The same routes, and before them one for requests that an earlier hop retries: it does not. With two retries at each of
/// three hops, a request was tried up to 27 times; now it is 3.
pub fn unless_marked(matcher: &Match, routes: Vec<(Match, Option<Retry>)>) -> Vec<(Match, Option<Retry>)> {
    if routes.iter().all(|(_, retry)| retry.is_none()) {
        return routes;
    }
    let (header, mark) = RETRY_MARK;
    let marked = narrowed(matcher, HeaderMatch::new(header, HeaderTest::Contains(mark.into())));
    [(marked, None)].into_iter().chain(routes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::PathMatch;

    fn match_all() -> Match {
        Match::path(PathMatch::Prefix("/".into()))
    }

    fn policy(json: &str) -> Option<Retry> {
        grpc(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn translates_app_mesh_events() {
        let retry = policy(
            r#"{"maxRetries":1,"perRetryTimeout":{"unit":"ms","value":100},"httpRetryEvents":["gateway-error","client-error","stream-error"]}"#,
        )
        .unwrap();
        assert_eq!(retry.on, [RetryOn::Reset, RetryOn::RefusedStream].into());
        assert_eq!(retry.status_codes, [409, 502, 503, 504].into());
        assert_eq!(retry.per_try_timeout, Some(std::time::Duration::from_millis(100)));
        let retry = policy(
            r#"{"maxRetries":1,"perRetryTimeout":{"unit":"s","value":0},"tcpRetryEvents":["connection-error"],"grpcRetryEvents":["cancelled","deadline-exceeded","internal","resource-exhausted","unavailable"]}"#,
        )
        .unwrap();
        assert_eq!(retry.on.len(), 6);
        assert_eq!(retry.per_try_timeout, None);
    }

    #[test]
    fn no_retries_or_no_events_is_no_policy() {
        for json in [
            r#"{"maxRetries":0,"perRetryTimeout":{},"httpRetryEvents":["server-error"]}"#,
            r#"{"maxRetries":3,"perRetryTimeout":{}}"#,
        ] {
            assert_eq!(policy(json), None, "{json}");
        }
    }

    #[test]
    fn requests_that_may_have_been_processed_are_tried_again_only_if_idempotent() {
        let routes = by_method(match_all(), Some(default_policy()), Regardless::IfIdempotent, None);
        let [(first, Some(full)), (second, Some(reduced))] = routes.as_slice() else {
            panic!("{routes:?}");
        };
        assert_eq!(first.headers[0].test, HeaderTest::Regex(IDEMPOTENT_METHODS.into()));
        assert_eq!(full, &default_policy());
        assert_eq!(second, &match_all());
        assert_eq!(reduced.on, [RetryOn::ConnectFailure, RetryOn::RefusedStream].into());
        assert!(reduced.status_codes.is_empty());
        assert_eq!(reduced.max_retries, 2);
    }

    #[test]
    fn a_route_for_one_method_stays_one_route() {
        for (method, expected) in [
            ("GET", default_policy()),
            ("POST", never_processed(&default_policy()).unwrap()),
        ] {
            let mut matcher = match_all();
            matcher
                .headers
                .push(HeaderMatch::new(":method", HeaderTest::Exact(method.into())));
            let routes = by_method(matcher.clone(), Some(default_policy()), Regardless::IfIdempotent, None);
            assert_eq!(routes, vec![(matcher, Some(expected))]);
        }
    }

    #[test]
    fn a_policy_without_anything_harmless_leaves_other_methods_without_retries() {
        let retry = policy(r#"{"maxRetries":1,"perRetryTimeout":{},"httpRetryEvents":["client-error"]}"#);
        let routes = by_method(match_all(), retry, Regardless::IfIdempotent, None);
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[1].1, None);
        let retry = policy(r#"{"maxRetries":1,"perRetryTimeout":{},"tcpRetryEvents":["connection-error"]}"#);
        assert_eq!(by_method(match_all(), retry, Regardless::IfIdempotent, None).len(), 1);
    }
}
