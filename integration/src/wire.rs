//! Requests as bytes on a socket, for what no client library would send.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends bytes on a connection of their own and returns what comes until the server closes or `enough` is in it.
///
/// # Errors
/// Nobody listens, or neither happens in time. A server that resets the connection has closed it.
pub async fn exchange(address: &str, bytes: &[u8], enough: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    loop {
        let more = timeout(PATIENCE, stream.read_buf(&mut read)).await;
        let more = more.with_context(|| format!("no end of {:?}", String::from_utf8_lossy(&read)))?;
        let text = String::from_utf8_lossy(&read);
        if matches!(more, Ok(0) | Err(_)) || (!enough.is_empty() && text.contains(enough)) {
            return Ok(text.into_owned());
        }
    }
}

/// Sends one HTTP/1.1 request on a connection of its own and returns its answer: to the end that `content-length` tells,
/// for Envoy may keep a connection open for a second after it has said that it closes it, else to the connection's.
///
/// # Errors
/// Nobody listens, or the answer does not end in time.
pub async fn ask(address: &str, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let _ = stream.write_all(request).await;
    let mut read = Vec::new();
    loop {
        let more = timeout(PATIENCE, stream.read_buf(&mut read)).await;
        let more = more.with_context(|| format!("no end of {:?}", String::from_utf8_lossy(&read)))?;
        let text = String::from_utf8_lossy(&read);
        if matches!(more, Ok(0) | Err(_)) || is_whole(&text) {
            return Ok(text.into_owned());
        }
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// The status of an HTTP/1.1 answer.
pub fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}
