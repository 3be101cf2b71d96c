//! What a connection manager makes of a request before it looks for a route.

use super::Request;
use crate::listener::{ClientAddress, Http};

/// Prefixes of headers that a client may not send; they are taken away.
const CONTROL: [&str; 2] = ["x-envoy-", "x-ferromesh-"];
/// Stands for a value that the proxy makes up.
const MADE_UP: &str = "(made by the proxy)";

/// The request as routes see it, or why it is answered with 400.
///
/// `encrypted`: whether the client spoke TLS with this proxy.
///
/// # Errors
/// The request is refused, with the reason.
pub fn arrive(http: &Http, request: &Request, encrypted: bool) -> Result<Request, String> {
    let mut seen = request.clone();
    for (name, _) in &mut seen.headers {
        name.make_ascii_lowercase();
    }
    if let Some((name, _)) = seen.headers.iter().find(|(name, _)| name.contains('_')) {
        return Err(format!(
            "header {name} has an underscore, which applications confuse with a hyphen"
        ));
    }
    if let Some(odd) = seen.host.chars().find(|c| !is_authority(*c)) {
        return Err(format!("the host has the character {odd:?}"));
    }
    if seen.method == "CONNECT" {
        return Err("CONNECT asks for a tunnel, and no listener gives one".into());
    }
    if seen.path.contains('#') {
        return Err("the path has a fragment, which clients keep to themselves".into());
    }
    seen.headers
        .retain(|(name, _)| !CONTROL.iter().any(|prefix| name.starts_with(prefix)));
    let speaks = if encrypted { "https" } else { "http" };
    let has = |seen: &Request, name: &str| seen.headers.iter().any(|(header, _)| header == name);
    match http.client_address {
        // Whoever connects is the client: what it says of the protocol does not count.
        ClientAddress::Append if http.trusted_hops == 0 => {
            seen.headers.retain(|(name, _)| name != "x-forwarded-proto");
            seen.headers.push(("x-forwarded-proto".into(), speaks.into()));
        }
        _ if !has(&seen, "x-forwarded-proto") => seen.headers.push(("x-forwarded-proto".into(), speaks.into())),
        _ => {}
    }
    if http.client_address == ClientAddress::Append && !has(&seen, "x-forwarded-for") {
        seen.headers.push(("x-forwarded-for".into(), MADE_UP.into()));
    }
    if !has(&seen, "x-request-id") {
        seen.headers.push(("x-request-id".into(), MADE_UP.into()));
    }
    if http.normalize_paths {
        seen.path = normalized(&seen.path).ok_or("the path cannot be normalised")?;
    }
    Ok(seen)
}

/// What may stand in a host with its port (RFC 3986, 3.2).
fn is_authority(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%[]".contains(c)
}

/// A path as Envoy's `normalize_path` and `merge_slashes` leave it; the query stays. `None` where Envoy gives up.
pub fn normalized(path: &str) -> Option<String> {
    let (name, query) = match path.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (path, None),
    };
    let mut output: Vec<u8> = Vec::with_capacity(name.len());
    let bytes = name.as_bytes();
    let mut at = 0;
    if bytes.first() != Some(&b'/') {
        output.push(b'/');
    }
    while let Some(&byte) = bytes.get(at) {
        let escaped = escape(bytes, at);
        let is_segment_start = output.last() == Some(&b'/');
        if is_segment_start {
            if let Some((dots, length)) = dots(bytes, at) {
                at += length;
                if dots == 2 {
                    output.pop();
                    while output.last().is_some_and(|last| *last != b'/') {
                        output.pop();
                    }
                    if output.is_empty() {
                        output.push(b'/');
                    }
                }
                // The slash behind the dots goes with them.
                if matches!(bytes.get(at), Some(b'/' | b'\\')) {
                    at += 1;
                }
                continue;
            }
        }
        match (byte, escaped) {
            (b'\\', _) => output.push(b'/'),
            (b'%', Some(0)) | (0, _) => return None,
            (b'%', Some(value)) if is_unreserved(value) => {
                output.push(value);
                at += 2;
            }
            (b'%', _) => output.push(b'%'),
            _ if must_be_escaped(byte) => output.extend(format!("%{byte:02X}").into_bytes()),
            _ => output.push(byte),
        }
        at += 1;
    }
    let mut merged: Vec<u8> = Vec::with_capacity(output.len());
    let only_slashes = output.len() > 1 && output.iter().all(|byte| *byte == b'/');
    for byte in output {
        if byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(byte);
        }
    }
    // Envoy puts a slash before and one behind what is between, which here is nothing.
    if only_slashes {
        merged.push(b'/');
    }
    let name = String::from_utf8(merged).ok()?;
    Some(match query {
        Some(query) => format!("{name}?{query}"),
        None => name,
    })
}

/// The byte that `%XX` at this place stands for.
fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    if bytes.get(at) != Some(&b'%') {
        return None;
    }
    let digits = bytes.get(at + 1..at + 3)?;
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
    u8::from_str_radix(digits, 16).ok()
}

/// A segment of one or two dots, escaped or not: how many, and how many bytes they take.
fn dots(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let (mut count, mut at) = (0, start);
    while count < 3 {
        match bytes.get(at) {
            Some(b'.') => at += 1,
            Some(b'%') if escape(bytes, at) == Some(b'.') => at += 3,
            _ => break,
        }
        count += 1;
    }
    let ends = matches!(bytes.get(at), None | Some(b'/' | b'\\'));
    (ends && (count == 1 || count == 2)).then_some((count, at - start))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn must_be_escaped(byte: u8) -> bool {
    !byte.is_ascii_graphic() || b"\"#<>?`{}".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn paths_are_normalised_as_envoy_does() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/./b", "/a/b"),
            ("/a/../b?x=/../", "/b?x=/../"),
            ("/../a", "/a"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("//a///b/", "/a/b/"),
            ("/%72ed", "/red"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/...", "/a/..."),
            ("/a\\b", "/a/b"),
            ("/a%zz", "/a%zz"),
            ("/%7E", "/~"),
            ("//", "//"),
            ("///?a", "//?a"),
        ] {
            assert_eq!(normalized(path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(normalized("/%00"), None);
    }
}
