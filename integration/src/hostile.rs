//! Requests that nobody's client sends, as bytes: what is not UTF-8, duplicates, underscores, a hundred headers, 60 KiB,
//! trailers without a body, upgrades, CONNECT. Reproducible: the same number is the same request.
//!
//! Most are such that Envoy's codecs let them through, because only these meet a filter; some are not, and end their
//! connection.

mod http2;
mod request;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

pub use http2::Http2;
pub use request::{Chance, Request};

use request::{ending, header};

/// How long answers on one connection are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests on one connection.
pub const BATCH: u64 = 25;

/// What one connection sent and got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Requests that were sent.
    pub sent: u64,
    /// Those that were answered, with whatever.
    pub answered: u64,
}

/// Sends one connection's worth of HTTP/1.1 requests, each when the one before is answered (Envoy closes a connection on
/// which requests wait behind one that it answers itself), on another connection where the server closed one.
///
/// # Errors
/// Nobody listens, or the server neither answers nor closes.
pub async fn http1(address: &str, seed: u64) -> Result<Told> {
    let chance = &mut Chance::new(seed);
    let mut told = Told::default();
    let mut kept = None;
    while told.sent < BATCH {
        let is_last = told.sent + 1 == BATCH;
        let (bytes, has_body) = if is_last {
            (ending(chance), true)
        } else {
            let request = Request::drawn(chance);
            (request.http1(false), request.method != "HEAD")
        };
        let stream = match kept.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(address).await?),
        };
        let answer = timeout(PATIENCE, one(stream, &bytes, has_body)).await;
        let text = || {
            format!(
                "connection {seed}: neither an answer nor an end: {}",
                bytes.escape_ascii()
            )
        };
        let (is_answered, stream) = answer.with_context(text)?;
        told.sent += 1;
        told.answered += u64::from(is_answered);
        kept = stream;
    }
    Ok(told)
}

/// Sends a request and reads its answer; the connection, if it goes on.
async fn one(mut stream: BufReader<TcpStream>, bytes: &[u8], has_body: bool) -> (bool, Option<BufReader<TcpStream>>) {
    let (mut head, mut line) = (String::new(), Vec::new());
    // A server that has closed takes no more; it may have answered before.
    let is_sent = stream.get_mut().write_all(bytes).await.is_ok();
    while !matches!(&line[..], b"\r\n") {
        line.clear();
        match stream.read_until(b'\n', &mut line).await {
            Ok(length) if length > 0 => head.push_str(&String::from_utf8_lossy(&line).to_lowercase()),
            _ => return (false, None),
        }
    }
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let goes_on = is_sent && value("connection:") != Some("close");
    let status = head.get(9..12).unwrap_or_default();
    let body = if !has_body || ["204", "304"].contains(&status) {
        Ok(())
    } else if let Some(length) = value("content-length:").and_then(|length| length.parse::<usize>().ok()) {
        stream.read_exact(&mut vec![0; length]).await.map(|_| ())
    } else if value("transfer-encoding:") == Some("chunked") {
        chunks(&mut stream).await
    } else {
        return (true, None);
    };
    (true, (goes_on && body.is_ok()).then_some(stream))
}

/// Reads chunks and trailers to their end.
async fn chunks(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        stream.read_exact(&mut vec![0; length + 2]).await?;
    }
    while !line.trim().is_empty() {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    Ok(())
}

/// Sends a request to upgrade the connection or to open a tunnel, some bytes for whoever is behind it, and goes.
///
/// # Errors
/// Nobody listens, or there is no answer.
pub async fn tunnel(address: &str, seed: u64) -> Result<Told> {
    let chance = &mut Chance::new(seed);
    let first = match chance.below(3) {
        0 => "CONNECT color.local:443 HTTP/1.1\r\nhost: color.local:443\r\n".to_owned(),
        1 => "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n".to_owned(),
        _ => {
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n"
                .to_owned()
        }
    };
    let mut bytes = first.into_bytes();
    for _ in 0..chance.below(6) {
        let (name, value) = header(chance);
        bytes.extend([&name, &b": "[..], &value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    let payload = chance.below(300);
    bytes.extend(chance.bytes(payload));
    let mut stream = TcpStream::connect(address).await?;
    let _ = stream.write_all(&bytes).await;
    let mut read = [0; 12];
    let answer = timeout(PATIENCE, stream.read(&mut read))
        .await
        .context("no answer to a tunnel")?;
    Ok(Told {
        sent: 1,
        answered: u64::from(matches!(answer, Ok(length) if length > 0)),
    })
}
