//! HTTP/1.1 by hand: vectors hold header bytes that no HTTP library would send or accept.

use std::io::{Read, Write};

use ferromesh_policy::vectors::{HeaderValue, Headers, Request, Response};

/// The request header that names the step.
pub const STREAM: &str = "x-vector-stream";
/// The request header in which the headers are written down after the filter.
pub const SEEN: &str = "x-vector-seen";

/// A message's first line and headers.
pub struct Head {
    pub first_line: String,
    pub headers: Headers,
}

impl Head {
    /// Reads up to the empty line; `None` when the peer closes before.
    pub fn read(stream: &mut impl Read) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            bytes.push(byte[0]);
        }
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| {
            let end = line.len() - usize::from(line.ends_with(b"\r"));
            &line[..end]
        });
        let first_line = String::from_utf8_lossy(lines.next()?).into_owned();
        let headers = lines
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
                Some((name, HeaderValue(line[colon + 1..].trim_ascii().to_vec())))
            })
            .collect();
        Some(Self { first_line, headers })
    }

    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(&value.0)
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        let status = self.first_line.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The step that a request belongs to.
    pub fn stream(&self) -> Option<usize> {
        let text = std::str::from_utf8(self.header(STREAM)?).ok()?;
        text.parse().ok()
    }

    /// The request headers as they were after the filter.
    pub fn seen(&self) -> Headers {
        let written = self.header(SEEN).expect("headers written down");
        let written = std::str::from_utf8(written).expect("hex");
        written
            .split(',')
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let name = String::from_utf8_lossy(&unhex(name)).into_owned();
                Some((name, HeaderValue(unhex(value))))
            })
            .filter(|(name, _)| name != STREAM)
            .collect()
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

/// The bytes of a vector's request, after the line that says where it comes from.
pub fn request(stream: usize, request: &Request) -> Vec<u8> {
    let pseudo = |name: &str, default: &str| {
        let found = request.headers.iter().find(|(header, _)| header == name);
        found.map_or(default.as_bytes().to_vec(), |(_, value)| value.0.clone())
    };
    let mut bytes = match request.source.as_deref().and_then(|s| s.rsplit_once(':')) {
        Some((ip, port)) => {
            let ip = ip.trim_matches(['[', ']']);
            let (family, own) = match ip.contains(':') {
                true => ("TCP6", "::1"),
                false => ("TCP4", "127.0.0.1"),
            };
            format!("PROXY {family} {ip} {own} {port} 80\r\n").into_bytes()
        }
        None => b"PROXY UNKNOWN\r\n".to_vec(),
    };
    bytes.extend(pseudo(":method", "GET"));
    bytes.push(b' ');
    bytes.extend(pseudo(":path", "/"));
    bytes.extend(b" HTTP/1.1\r\nhost: ");
    bytes.extend(pseudo(":authority", "vector"));
    bytes.extend(format!("\r\n{STREAM}: {stream}\r\ncontent-length: 0\r\n").bytes());
    write_headers(&mut bytes, &request.headers);
    bytes
}

/// The bytes of a vector's response.
pub fn response(response: &Response) -> Vec<u8> {
    let status = response.headers.iter().find(|(name, _)| name == ":status");
    let mut bytes = b"HTTP/1.1 ".to_vec();
    bytes.extend(status.map_or(&b"200"[..], |(_, value)| &value.0));
    bytes.extend(b" x\r\ncontent-length: 0\r\n");
    write_headers(&mut bytes, &response.headers);
    bytes
}

fn write_headers(bytes: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers {
        if name.starts_with(':') || name == "content-length" || name == "host" {
            continue;
        }
        // Writing to a vector cannot fail.
        let _ = write!(bytes, "{name}: ");
        bytes.extend(&value.0);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"\r\n");
}
