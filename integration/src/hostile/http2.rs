//! Hostile requests in HTTP/2: frames as bytes, header blocks without compression (RFC 9113, RFC 7541).

mod status;
mod streams;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Chance, Request, Told, BATCH, PATIENCE};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The largest frame that a server must take.
const MAX_FRAME: usize = 16_384;

/// One connection's frames.
#[derive(Debug, Default)]
pub struct Http2 {
    bytes: Vec<u8>,
    next: u32,
}

impl Http2 {
    /// The connection's beginning. No window for what the server sends is ever too small: answers are short.
    pub fn new() -> Self {
        let mut frames = Self {
            bytes: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            next: 1,
        };
        frames.frame(SETTINGS, 0, 0, &[]);
        frames
    }

    /// A request on a stream of its own, whose number comes back.
    pub fn request(&mut self, request: &Request) -> u32 {
        self.request_to(b"color.local", request)
    }

    /// A request for a host on a stream of its own, whose number comes back.
    pub fn request_to(&mut self, authority: &[u8], request: &Request) -> u32 {
        let stream = self.next;
        self.next += 2;
        let pseudo: [(&[u8], &[u8]); 4] = [
            (b":method", request.method.as_bytes()),
            (b":scheme", b"http"),
            (b":authority", authority),
            (b":path", &request.path),
        ];
        let mut block = Vec::new();
        for (name, value) in pseudo {
            literal(&mut block, name, value);
        }
        for (name, value) in &request.headers {
            literal(&mut block, name, value);
        }
        self.headers(stream, &block, request.body.is_none());
        if let Some(body) = &request.body {
            let is_end = request.trailers.is_empty();
            if is_end || !body.is_empty() {
                self.frame(DATA, if is_end { END_STREAM } else { 0 }, stream, body);
            }
            if !is_end {
                let mut block = Vec::new();
                for (name, value) in &request.trailers {
                    literal(&mut block, name, value);
                }
                self.headers(stream, &block, true);
            }
        }
        stream
    }

    fn headers(&mut self, stream: u32, block: &[u8], is_end: bool) {
        let mut parts = block.chunks(MAX_FRAME).peekable();
        let mut kind = HEADERS;
        let mut flags = if is_end { END_STREAM } else { 0 };
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                flags |= END_HEADERS;
            }
            self.frame(kind, flags, stream, part);
            (kind, flags) = (CONTINUATION, 0);
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, content: &[u8]) {
        let length = (content.len() as u32).to_be_bytes();
        self.bytes.extend_from_slice(&length[1..]);
        self.bytes.extend([kind, flags]);
        self.bytes.extend(stream.to_be_bytes());
        self.bytes.extend_from_slice(content);
    }

    /// Sends one connection's worth of requests at once and reads until all are answered or refused.
    ///
    /// # Errors
    /// Nobody listens, or the server neither answers nor closes.
    pub async fn send(address: &str, seed: u64) -> Result<Told> {
        let chance = &mut Chance::new(seed);
        let mut requests: Vec<_> = (0..BATCH).map(|_| Request::drawn(chance)).collect();
        if let Some(last) = requests.last_mut() {
            spoil(last, chance);
        }
        let told = Self::exchange(address, &requests).await;
        told.with_context(|| format!("HTTP/2 connection {seed}"))
    }

    /// Sends requests on one connection, all at once, and reads until all are answered or refused.
    ///
    /// # Errors
    /// Nobody listens, or the server neither answers nor closes.
    pub async fn exchange(address: &str, requests: &[Request]) -> Result<Told> {
        let mut frames = Self::new();
        let open = requests.iter().map(|request| frames.request(request)).collect();
        Self::run(address, frames, open, requests.len() as u64).await
    }

    /// Sends frames and reads until these streams are answered or refused.
    async fn run(address: &str, frames: Self, mut open: BTreeSet<u32>, sent: u64) -> Result<Told> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (mut unread, mut answered) = (Vec::new(), 0);
        let reading = async {
            while !open.is_empty() {
                if !matches!(reader.read_buf(&mut unread).await, Ok(length) if length > 0) {
                    return;
                }
                while let Some((kind, flags, stream, _)) = frame(&mut unread) {
                    match kind {
                        GOAWAY => return,
                        RST_STREAM => {
                            open.remove(&stream);
                        }
                        HEADERS | DATA if flags & END_STREAM != 0 && open.remove(&stream) => answered += 1,
                        _ => {}
                    }
                }
            }
        };
        let writing = async {
            let _ = writer.write_all(&frames.bytes).await;
        };
        let both = async { tokio::join!(reading, writing) };
        let done = timeout(PATIENCE, both).await;
        done.context("the server neither answers nor closes")?;
        Ok(Told { sent, answered })
    }
}

/// Makes it one that the protocol forbids, some of the time.
fn spoil(request: &mut Request, chance: &mut Chance) {
    let header: (&[u8], &[u8]) = match chance.below(8) {
        0 => (b"X-User", b"upper case"),
        1 => (b"connection", b"x-user"),
        2 => (b"x-user", b"a\0b"),
        3 => (b":path", b"/twice"),
        4 => (b"", b"no name"),
        5 => (b"x-user", b"a\r\nx-evil: 1"),
        6 => (b"te", b"gzip"),
        _ => return,
    };
    request.headers.push((header.0.to_vec(), header.1.to_vec()));
}

/// A header that is not indexed, its strings not compressed.
fn literal(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    for text in [name, value] {
        length(block, text.len());
        block.extend_from_slice(text);
    }
}

/// A number with a prefix of 7 bits.
fn length(block: &mut Vec<u8>, number: usize) {
    if number < 127 {
        block.push(number as u8);
        return;
    }
    block.push(127);
    let mut rest = number - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// Takes one whole frame: its kind, flags, stream and content.
fn frame(unread: &mut Vec<u8>) -> Option<(u8, u8, u32, Vec<u8>)> {
    let head: [u8; 9] = unread.get(..9)?.try_into().ok()?;
    let [a, b, c, kind, flags, s1, s2, s3, s4] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if unread.len() < 9 + length {
        return None;
    }
    let content = unread.drain(..9 + length).skip(9).collect();
    Some((kind, flags, u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]), content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_have_long_lengths() {
        let mut block = Vec::new();
        length(&mut block, 1_337 + 127);
        assert_eq!(block, [127, 0xb9, 10]);
    }

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        let mut frames = Http2::new();
        let mut bytes = frames.bytes.split_off(24);
        assert_eq!(frame(&mut bytes), Some((SETTINGS, 0, 0, Vec::new())));
        assert_eq!(frame(&mut bytes), None);
    }
}
