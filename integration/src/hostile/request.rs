//! What is drawn: names, values, paths and whole requests.

/// Headers that our filters read or write, and some that Envoy does.
const NAMES: &[&str] = &[
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-amzn-trace-id",
    "x-request-id",
    "cookie",
    "x-user",
    "x-canary",
    "x-fault",
    "x-tenant",
    "content-type",
    "grpc-timeout",
    "x-ferromesh-pick",
    "x-ferromesh-target",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-attempt-count",
    "x-envoy-upstream-rq-timeout-ms",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "idempotency-key",
    "user-agent",
    "accept",
    "range",
    "authorization",
    "x-v-id",
    "server-timing",
    "ratelimit",
    "via",
    "forwarded",
];

/// Values that a filter may take for its own, whole or nearly.
const VALUES: &[&str] = &[
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
    "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
    "0",
    "1",
    "d",
    "-",
    "--",
    "---",
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "Root=;Parent=;Sampled=?",
    "fm=0123456789abcdef.0123456789abcdef0123456789abcdef",
    "fm=",
    "fm",
    "=",
    ";;;=;=;",
    "try=green; try=blue",
    "try=",
    "blue",
    "green",
    "Green",
    "\"",
    "{request.path}",
    "{{",
    "}",
    "%s%n%00",
    "../../etc/passwd",
    "4294967295",
    "4294967296",
    "-1",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e309",
    "NaN",
    "application/grpc",
    "application/grpc+proto",
    "trailers",
    "1S",
    "99999999H",
    "bytes=0-",
    "5xx,reset,connect-failure",
    "true",
    "null",
];

/// Random numbers: splitmix64.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Whether something that happens once in so many happens.
    pub(super) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Bytes that a header's value may have on the wire: visible ones and those beyond ASCII, which are often no UTF-8.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let byte = |chance: &mut Self| match chance.below(3) {
            0 => 0x80 | chance.below(0x80) as u8,
            _ => 0x21 + chance.below(0x5e) as u8,
        };
        (0..length).map(|_| byte(self)).collect()
    }
}

/// A request, before it is written in the form of one protocol.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request {
    /// A plain GET.
    pub fn get(path: &str, headers: &[(String, String)]) -> Self {
        let bytes = |(name, value): &(String, String)| (name.clone().into_bytes(), value.clone().into_bytes());
        Self {
            method: "GET",
            path: path.as_bytes().to_vec(),
            headers: headers.iter().map(bytes).collect(),
            body: None,
            trailers: Vec::new(),
        }
    }

    /// A request that codecs take.
    pub fn drawn(chance: &mut Chance) -> Self {
        let count = match chance.below(50) {
            0 => 90,
            1 => 0,
            _ => 1 + chance.below(12),
        };
        let mut headers: Vec<_> = (0..count).map(|_| header(chance)).collect();
        if chance.once_in(100) {
            // Near Envoy's limit of 60 KiB for all of them.
            let length = 50_000 + chance.below(12_000);
            headers.push((name(chance), chance.bytes(length)));
        }
        if chance.once_in(4) {
            let twice = headers.first().cloned().unwrap_or_else(|| header(chance));
            headers.push(twice.clone());
            headers.push((twice.0, value(chance)));
        }
        let has_trailers = chance.once_in(8);
        let has_body = has_trailers || chance.once_in(4);
        Self {
            method: if has_body {
                chance.of(&["POST", "PUT", "PATCH"])
            } else {
                chance.of(&[
                    "GET", "GET", "GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PURGE", "M-SEARCH",
                ])
            },
            path: path(chance),
            headers,
            // Trailers only: a body of no bytes.
            body: has_body.then(|| match chance.below(2) {
                0 => Vec::new(),
                _ => {
                    let length = chance.below(200);
                    chance.bytes(length)
                }
            }),
            trailers: if has_trailers {
                (0..1 + chance.below(4)).map(|_| header(chance)).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Its bytes in HTTP/1.1.
    pub fn http1(&self, is_last: bool) -> Vec<u8> {
        let mut bytes = self.method.as_bytes().to_vec();
        bytes.push(b' ');
        bytes.extend_from_slice(&self.path);
        bytes.extend_from_slice(b" HTTP/1.1\r\nHost: color.local\r\n");
        for (name, value) in &self.headers {
            bytes.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        if is_last {
            bytes.extend_from_slice(b"connection: close\r\n");
        }
        let Some(body) = &self.body else {
            bytes.extend_from_slice(b"\r\n");
            return bytes;
        };
        bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        if !body.is_empty() {
            bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in &self.trailers {
            bytes.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

pub(super) fn header(chance: &mut Chance) -> (Vec<u8>, Vec<u8>) {
    (name(chance), value(chance))
}

fn name(chance: &mut Chance) -> Vec<u8> {
    match chance.below(20) {
        // Applications read it like the one with hyphens.
        0 => chance.of(NAMES).replace('-', "_").into_bytes(),
        1 => {
            let length = 1 + chance.below(40);
            (0..length)
                .map(|_| b"abcdefghijklmnopqrstuvwxyz-!#$%&'*+.^`|~"[chance.below(39)])
                .collect()
        }
        _ => chance.of(NAMES).as_bytes().to_vec(),
    }
}

fn value(chance: &mut Chance) -> Vec<u8> {
    let known = chance.of(VALUES).as_bytes().to_vec();
    match chance.below(6) {
        0 | 1 => known,
        2 => {
            // One byte of it is another.
            let mut spoilt = known;
            let at = chance.below(spoilt.len());
            spoilt[at] = chance.bytes(1)[0];
            spoilt
        }
        3 => known.repeat(1 + chance.below(20)),
        _ => {
            let length = chance.of(&[0, 1, 15, 16, 31, 32, 54, 55, 56, 255, 256, 1_000, 4_097]);
            chance.bytes(length)
        }
    }
}

fn path(chance: &mut Chance) -> Vec<u8> {
    match chance.below(6) {
        0 => b"/".to_vec(),
        1 => b"*".to_vec(),
        2 => format!(
            "/{}?user=%00&user={}",
            "a/../".repeat(chance.below(30)),
            "x".repeat(chance.below(300))
        )
        .into_bytes(),
        3 => b"/?user=&=&&user".to_vec(),
        4 => format!("/{}", "%ff%0d%0a".repeat(chance.below(200))).into_bytes(),
        _ => format!("/{}", "p".repeat(chance.below(4_000))).into_bytes(),
    }
}

/// What ends a connection's requests: something that no codec takes, or a plain end.
pub(super) fn ending(chance: &mut Chance) -> Vec<u8> {
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-user: {}\r\n\r\n", "x".repeat(70_000)).into_bytes();
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x-user: 1\r\n".repeat(120)).into_bytes();
    let fixed: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nhost: a\r\nx-user: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx user: 1\r\n\r\n",
        b"GET /\x80\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
    ];
    match chance.below(20) {
        0 => long,
        1 => many,
        2..=9 => fixed[chance.below(fixed.len())].to_vec(),
        _ => Request::drawn(chance).http1(true),
    }
}
