//! Random requests and responses, as a host shows them.

use super::{Place, Routes};
use crate::vectors::{Chance, HeaderValue, Headers, Request, Response};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACES: [&str; 5] = [
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
    "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    "",
];
/// Values of the headers that decide something.
const VALUES: [&str; 8] = ["ada", "bob", "blue", "green", "unknown", "1", "  ", ""];

/// A request on one of the routes.
pub fn request(chance: &mut impl Chance, routes: &Routes, place: Place) -> Request {
    let route = &routes.routes[chance.index(routes.routes.len())];
    let source = match (place, chance.below(6)) {
        (Place::Virtual, 0) => None,
        (Place::Virtual, 1) => Some("not an address".to_owned()),
        (_, 2) => Some("[2001:db8::1]:4711".to_owned()),
        _ => Some(format!("192.0.2.{}:{}", chance.below(4), 1_024 + chance.below(9))),
    };
    Request {
        route: route.name.clone(),
        policy: route.policy.clone(),
        source,
        headers: match place {
            Place::Virtual => any_request_headers(chance),
            Place::StockEnvoy => fitting_request_headers(chance),
        },
        identity: match (place, chance.below(4)) {
            (Place::Virtual, 0) => Some(format!("spiffe://mesh/{}", chance.below(3))),
            _ => None,
        },
    }
}

/// The response of a stream.
pub fn response(chance: &mut impl Chance, routes: &Routes, place: Place) -> Response {
    let cluster = match chance.below(5) {
        0 => None,
        1 => Some("blue".to_owned()),
        2 => Some("cds_green".to_owned()),
        3 => Some("cds_blue".to_owned()),
        _ => Some("elsewhere".to_owned()),
    };
    match place {
        Place::StockEnvoy => Response {
            // Envoy knows which cluster it is, and what its attempts come to.
            cluster: Some(cluster.unwrap_or_else(|| "blue".to_owned())),
            attempts: Some(if routes.retries { 1 } else { 1 + chance.below(3) }),
            headers: vec![header(":status", chance.of(&["200", "204", "302", "404"]))],
            ..Response::default()
        },
        Place::Virtual => Response {
            after_ms: delay(chance),
            body_ms: delay(chance),
            attempts: match chance.below(8) {
                0 => None,
                1 => Some(0),
                2 => Some(u64::from(u32::MAX)),
                3 => Some(1 + chance.below(9)),
                _ => Some(1),
            },
            cluster,
            grpc_status: match chance.below(6) {
                0 => Some(chance.below(20)),
                1 => Some(chance.below(u64::MAX)),
                _ => None,
            },
            request_bytes: chance.once_in(3).then(|| chance.below(1 << 50)),
            response_bytes: chance.once_in(3).then(|| chance.below(1 << 50)),
            headers: any_response_headers(chance),
        },
    }
}

fn delay(chance: &mut impl Chance) -> u64 {
    match chance.below(12) {
        0 => chance.below(1 << 38),
        1 => chance.below(20_000),
        _ => chance.below(100),
    }
}

fn header(name: &str, value: impl AsRef<[u8]>) -> (String, HeaderValue) {
    (name.to_owned(), HeaderValue(value.as_ref().to_vec()))
}

/// A value: one that decides something, any bytes, or very many.
fn value(chance: &mut impl Chance) -> Vec<u8> {
    match chance.below(40) {
        0 => b"a".repeat(chance.index(70_000)),
        1..=4 => chance.bytes(40),
        5..=7 => vec![0xff, 0x00, 0xfe, b'\r', b'\n'],
        _ => chance.of(&VALUES).as_bytes().to_vec(),
    }
}

fn any_request_headers(chance: &mut impl Chance) -> Headers {
    let mut headers = Vec::new();
    if !chance.once_in(10) {
        headers.push(header(
            ":method",
            chance.of(&["GET", "HEAD", "POST", "PATCH", "get", ""]),
        ));
        headers.push(header(
            ":path",
            chance.of(&["/", "/a?user=ada", "/?x=1&user=", "", "/%00"]),
        ));
        headers.push(header(":authority", "color.local"));
    }
    if chance.once_in(4) {
        headers.push(header(
            "content-type",
            chance.of(&["application/grpc", "application/grpc+proto", "text/html"]),
        ));
    }
    for _ in 0..chance.below(8) {
        let one = match chance.below(14) {
            0..=2 => header("x-user", value(chance)),
            3 | 4 => header("x-canary", value(chance)),
            5 | 6 => header("cookie", cookie(chance)),
            7 => header("traceparent", TRACE),
            8 => header("traceparent", chance.of(&TRACES)),
            9 => header("traceparent", value(chance)),
            10 => header("tracestate", value(chance)),
            11 if chance.once_in(2) => header(
                chance.of(&["b3", "x-b3-traceid", "x-b3-sampled", "x-amzn-trace-id"]),
                trace(chance),
            ),
            11 => header("x-request-id", value(chance)),
            12 => header(
                chance.of(&["x-ferromesh-pick", "x-envoy-max-retries", "x-envoy-retry-on"]),
                value(chance),
            ),
            _ => header(chance.of(&["x-other", "x_user", "x-user-", "te"]), value(chance)),
        };
        if chance.once_in(6) {
            headers.push(one.clone());
        }
        headers.push(one);
    }
    headers
}

fn trace(chance: &mut impl Chance) -> Vec<u8> {
    match chance.below(5) {
        0 => b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1".to_vec(),
        1 => b"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_vec(),
        2 => b"80f198ee56343ba864fe8b2a57d3eff7".to_vec(),
        3 => b"0".to_vec(),
        _ => value(chance),
    }
}

fn cookie(chance: &mut impl Chance) -> Vec<u8> {
    let mut cookie = match chance.below(6) {
        0 => b"; ;=;sid".to_vec(),
        1 => b"sid=\"quoted\"; sid=second".to_vec(),
        2 => chance.bytes(60),
        _ => b"theme=dark; sid=".to_vec(),
    };
    cookie.extend(value(chance));
    cookie
}

fn any_response_headers(chance: &mut impl Chance) -> Headers {
    let mut headers = Vec::new();
    match chance.below(8) {
        0 => {}
        1 => headers.push(header(":status", value(chance))),
        2 => headers.push(header(":status", "099")),
        _ => headers.push(header(
            ":status",
            chance.of(&["101", "200", "302", "404", "429", "500", "503"]),
        )),
    }
    for _ in 0..chance.below(4) {
        let name = chance.of(&[
            "x-ferromesh-route",
            "x-ferromesh-target",
            "x-ferromesh-attempts",
            "x-other",
        ]);
        headers.push(header(name, value(chance)));
    }
    headers
}

/// What passes through Envoy as it is and leaves nothing to draw: every key that a policy may ask for is there.
fn fitting_request_headers(chance: &mut impl Chance) -> Headers {
    let user = match chance.below(4) {
        0 => vec![b'a', 0xff, 0xc0, 0xa7],
        1 => b"u".repeat(1 + chance.index(2_000)),
        _ => chance.of(&["ada", "bob", "eve"]).as_bytes().to_vec(),
    };
    let mut headers = vec![
        header(":method", chance.of(&["GET", "POST", "DELETE"])),
        header(":path", "/"),
        header(":authority", "color.local"),
        header(":scheme", "http"),
        header("x-user", user),
        header("cookie", format!("theme=dark; sid=s{}", chance.below(9))),
        header("traceparent", TRACE),
        header("x-request-id", format!("id-{}", chance.below(9))),
    ];
    if chance.once_in(2) {
        headers.push(header("x-canary", chance.of(&["blue", "green", "unknown", "\u{fc}"])));
    }
    if chance.once_in(3) {
        headers.push(header("tracestate", "vendor=1"));
    }
    if chance.once_in(3) {
        headers.push(header("x-other", chance.of(&["1", "2"])));
        headers.push(header("x-other", "3"));
    }
    headers
}
