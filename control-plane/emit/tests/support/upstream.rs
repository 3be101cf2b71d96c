//! Upstreams that say what they were asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// An HTTP/1.1 server on a port of 127.0.0.1. It answers with its name and the request; `x-fail: n` makes it answer the
/// first n requests of an `x-test` value with 503.
pub struct Upstream {
    pub port: u16,
    /// Requests so far.
    pub requests: Arc<AtomicUsize>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    /// A line `key: value` of an upstream's body.
    pub fn said(&self, key: &str) -> Option<&str> {
        self.body
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}: ")))
    }
}

impl Upstream {
    pub fn start(name: &'static str) -> Self {
        Self::with(name, None)
    }

    /// An application that asks the next one, through the Envoy on this port, and answers as that did. It passes on the trace.
    pub fn relay(next: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = counter.clone();
                std::thread::spawn(move || drop(pass_on(stream, next, &counter)));
            }
        });
        Self { port, requests }
    }

    /// The same over TLS. It also says whether the client has shown a certificate.
    pub fn start_tls(name: &'static str, config: ServerConfig) -> Self {
        Self::with(name, Some(Arc::new(config)))
    }

    fn with(name: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        // Ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counter, tls) = (counter.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None if is_tls(&stream) => drop(name_only(stream, name)),
                    None => drop(serve(stream, name, &counter)),
                    Some(config) => drop(serve_tls(stream, name, &counter, config)),
                });
            }
        });
        Self { port, requests }
    }
}

/// Whether a client says hello in TLS.
fn is_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).is_ok() && first == [0x16]
}

/// To TLS where plain text is spoken the only answer is the name.
fn name_only(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    writeln!(stream, "upstream: {name}")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn serve_tls(
    mut stream: TcpStream,
    name: &str,
    counter: &AtomicUsize,
    config: Arc<ServerConfig>,
) -> std::io::Result<()> {
    let mut connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let shown = if connection.peer_certificates().is_some() {
        "a"
    } else {
        "no"
    };
    let asked_for = connection.server_name().unwrap_or("-").to_owned();
    let name = format!("{name}\nclient: {shown} certificate\nserver name: {asked_for}");
    serve(StreamOwned::new(connection, stream), &name, counter)
}

fn serve(stream: impl Read + Write, name: &str, counter: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Some((first, headers)) = head(&mut reader)? else {
            return Ok(());
        };
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        reader.read_exact(&mut vec![0; length])?;
        let fails: usize = headers.get("x-fail").and_then(|fails| fails.parse().ok()).unwrap_or(0);
        let status = if number < fails { "503 Unavailable" } else { "200 OK" };
        let mut body = format!("upstream: {name}\nrequest: {first}\n");
        for (key, value) in headers {
            body.push_str(&format!("{key}: {value}\n"));
        }
        let lies = "x-ferromesh-target: a lie\r\n";
        write!(
            reader.get_mut(),
            "HTTP/1.1 {status}\r\n{lies}content-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        reader.get_mut().flush()?;
    }
}

fn pass_on(stream: impl Read + Write, next: u16, counter: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((_, headers)) = head(&mut reader)? {
        counter.fetch_add(1, Ordering::SeqCst);
        let passed_on = ["host", "traceparent", "tracestate", "x-fail"];
        let headers: Vec<(&str, &str)> = passed_on
            .into_iter()
            .filter_map(|name| Some((name, headers.get(name)?.as_str())))
            .collect();
        let status = ask(next, "GET", "/", &headers).status;
        write!(reader.get_mut(), "HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n")?;
        reader.get_mut().flush()?;
    }
    Ok(())
}

type Head = (String, BTreeMap<String, String>);

fn head(reader: &mut impl BufRead) -> std::io::Result<Option<Head>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some((first.trim().to_owned(), headers)));
        }
        if let Some((key, value)) = line.split_once(':') {
            headers.insert(key.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
}

/// Sends one request.
pub fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("Envoy listens");
    exchange(stream, method, path, headers).expect("an answer")
}

/// Sends one request over a connection.
///
/// # Errors
/// The connection gives no answer.
pub fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Answer> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str("host: gateway.example.com:8080\r\n");
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        text.push_str("content-length: 0\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = head(&mut reader)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let mut body = String::new();
    let length: u64 = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    reader.take(length).read_to_string(&mut body)?;
    Ok(Answer { status, headers, body })
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
