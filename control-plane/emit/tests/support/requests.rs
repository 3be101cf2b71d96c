//! Requests for a route table: most of them meet a route or miss it by little.

use ferromesh_generate::{text, Draw};
use ferromesh_ir::matcher::{HeaderMatch, HeaderTest, PathMatch, QueryMatch};
use ferromesh_ir::route::{Domain, Route, RouteTable};
use ferromesh_ir::simulate::Request;

/// A request for some route of a table, or for nothing.
pub fn request(draw: &mut Draw, table: Option<&RouteTable>) -> Request {
    let host = table
        .filter(|table| !table.hosts.is_empty())
        .map(|table| draw.of(&table.hosts));
    let mut request = Request {
        scheme: "http".into(),
        method: draw.text(&["GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"]),
        host: "nobody.example".into(),
        path: sendable(&draw.text(text::PATHS)),
        headers: Vec::new(),
    };
    let Some(host) = host else { return request };
    if !host.domains.is_empty() && draw.chance(92) {
        let domain = draw.of(&host.domains).clone();
        request.host = name(draw, &domain);
    }
    if !host.routes.is_empty() {
        let route = draw.of(&host.routes).clone();
        aim(draw, &route, &mut request);
    }
    if draw.chance(15) {
        request.path = disguised(draw, &request.path);
    }
    if draw.chance(5) {
        let name = draw.text(&[
            "x-envoy-max-retries",
            "x-ferromesh-pick",
            "x-forwarded-proto",
            "X-Request-Id",
        ]);
        request.headers.push((name, "https".into()));
    }
    request.headers.retain(|(name, value)| is_sendable(name, value));
    request
}

fn name(draw: &mut Draw, domain: &Domain) -> String {
    let name = match domain {
        Domain::Exact(host) => host.clone(),
        Domain::Suffix(suffix) => format!("{}{suffix}", draw.text(&["", "a", "x.y", "sub"])),
        Domain::Any => draw.text(text::HOSTS),
    };
    let name = match draw.between(0, 11) {
        0 => name.to_ascii_uppercase(),
        1 => format!("{name}:8080"),
        2 => format!("x{name}"),
        3 => format!("{name}."),
        _ => name,
    };
    if is_sendable("host", &name) && !name.is_empty() {
        name
    } else {
        "nobody.example".into()
    }
}

/// Lets a request fulfil a route's conditions, mostly.
fn aim(draw: &mut Draw, route: &Route, request: &mut Request) {
    let path = match &route.matcher.path {
        PathMatch::Exact(exact) => match draw.between(0, 9) {
            0 => format!("{exact}/"),
            1 => format!("{exact}x"),
            _ => exact.clone(),
        },
        PathMatch::Prefix(prefix) => match draw.between(0, 9) {
            0 => prefix.trim_end_matches('/').to_owned(),
            1 => prefix.chars().take(prefix.chars().count().saturating_sub(1)).collect(),
            2 => prefix.clone(),
            3 => format!("{prefix}{}", draw.text(text::PATHS)),
            _ => format!("{prefix}{}", draw.text(&["", "/", "x", "/x/y", "er", "tell"])),
        },
        PathMatch::Regex(regex) => match draw.between(0, 3) {
            0 => draw.text(text::PATHS),
            1 => draw.text(&[
                "/a", "/b/x", "/v1/x", "/v12/x", "/1", "/abc/b", "/A", "/aaa", "/ab", "/a/",
            ]),
            _ => regex
                .replace(".*", "x")
                .replace("[a-z]+", "q")
                .replace("(a|b)", "b")
                .replace(['^', '$', '\\'], ""),
        },
    };
    request.path = sendable(&path);
    if route.matcher.grpc_only && draw.chance(85) {
        let kind = draw.text(&[
            "application/grpc",
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web",
        ]);
        request.headers.push(("content-type".into(), kind));
    }
    for header in &route.matcher.headers {
        if draw.chance(85) {
            fulfil(draw, header, request);
        }
    }
    let pairs: Vec<String> = route
        .matcher
        .query
        .iter()
        .filter(|_| draw.chance(85))
        .map(pair)
        .collect();
    if !pairs.is_empty() {
        let separator = if request.path.contains('?') { '&' } else { '?' };
        request.path = sendable(&format!("{}{separator}{}", request.path, pairs.join("&")));
    }
}

fn pair(query: &QueryMatch) -> String {
    match &query.exact {
        Some(value) => format!("{}={value}", query.name),
        None => query.name.clone(),
    }
}

fn fulfil(draw: &mut Draw, header: &HeaderMatch, request: &mut Request) {
    let near = match &header.test {
        HeaderTest::Present => "x".to_owned(),
        HeaderTest::Exact(value) => value.clone(),
        HeaderTest::Prefix(value) => format!("{value}x"),
        HeaderTest::Suffix(value) => format!("x{value}"),
        HeaderTest::Contains(value) => format!("x{value}x"),
        HeaderTest::Regex(_) => draw.text(&["/a", "/b/x", "a", "", "/1", "/v1/x", "/red", "xyx"]),
        HeaderTest::Range { start, end } => {
            let number = *draw.of(&[*start, end.saturating_sub(1), *end, start.saturating_sub(1)]);
            if draw.chance(20) {
                format!("+{number}")
            } else {
                number.to_string()
            }
        }
    };
    let value = if header.invert && draw.chance(70) {
        "other".to_owned()
    } else {
        near
    };
    match header.name.as_str() {
        ":method" if value.bytes().all(|byte| byte.is_ascii_uppercase()) && !value.is_empty() => request.method = value,
        ":authority" | "host" if is_sendable("host", &value) && !value.is_empty() => request.host = value,
        name if name.starts_with(':') || name == "host" => {}
        name => {
            request.headers.push((name.to_owned(), value.trim().to_owned()));
            // Headers that Envoy knows by name are joined by it.
            if draw.chance(15) && name.starts_with("x-") && !name.starts_with("x-forwarded") && name != "x-request-id" {
                request.headers.push((name.to_owned(), "again".into()));
            }
        }
    }
}

/// The same path in another spelling.
fn disguised(draw: &mut Draw, path: &str) -> String {
    match draw.between(0, 6) {
        0 => path.replacen('/', "//", 1),
        1 => format!("/./{}", path.trim_start_matches('/')),
        2 => format!("/zz/..{path}"),
        3 => path.replacen('a', "%61", 1),
        4 => path.replacen('r', "%72", 1),
        5 => format!("{path}{}x=1", if path.contains('?') { '&' } else { '?' }),
        _ => path.replacen("/a", "/%2e%2E/a", 1),
    }
}

/// What can stand in a request line.
fn sendable(path: &str) -> String {
    let kept: String = path.chars().filter(|c| c.is_ascii_graphic()).collect();
    if kept.starts_with('/') {
        kept
    } else {
        format!("/{kept}")
    }
}

fn is_sendable(name: &str, value: &str) -> bool {
    // What these mean is the connection's, not the route's.
    const NOT_OURS: [&str; 5] = ["te", "connection", "upgrade", "content-length", "transfer-encoding"];
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_text = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    is_token && is_text && value.trim() == value && !NOT_OURS.contains(&name)
}
