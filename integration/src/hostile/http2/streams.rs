//! Streams that no client would make: what is hostile about them is not a header's value but the frames.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::{literal, Http2, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS};
use crate::hostile::{Chance, Request, Told, BATCH};

const PRIORITY: u8 = 2;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 0x20;

/// How long answers are waited for.
const WAIT: Duration = Duration::from_secs(3);

/// Frames of one header block that a server must take; a flood of them may end the connection.
const PARTS: usize = 8;

impl Http2 {
    /// Sends one connection's worth of streams that are cut, split, reset and padded, the last of which may end the
    /// connection, and reads until all that have an end are answered or refused, or for three seconds.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn send_streams(address: &str, seed: u64) -> Result<Told> {
        let chance = &mut Chance::new(seed);
        let mut frames = Self::new();
        let mut open = BTreeSet::new();
        for _ in 1..BATCH {
            open.extend(frames.odd_stream(chance));
        }
        open.extend(frames.last_stream(chance));
        let told = timeout(WAIT, Self::run(address, frames, open, BATCH)).await;
        // What is no request may have no answer; then the connection is left.
        let nothing = Told {
            sent: BATCH,
            answered: 0,
        };
        told.unwrap_or(Ok(nothing))
            .with_context(|| format!("HTTP/2 streams {seed}"))
    }

    /// One stream; its number, where an end of it is to be expected.
    fn odd_stream(&mut self, chance: &mut Chance) -> Option<u32> {
        match chance.below(9) {
            0 => Some(self.any_names(chance)),
            1 => Some(self.large(chance)),
            2 => Some(self.trailers_only(chance)),
            3 => self.connect(chance),
            4 | 5 => {
                self.reset_in_the_middle(chance);
                None
            }
            6 => Some(self.padded(chance)),
            7 => Some(self.odd_pseudo_headers(chance)),
            _ => Some(self.request(&Request::drawn(chance))),
        }
    }

    fn begin(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// Names of any bytes.
    fn any_names(&mut self, chance: &mut Chance) -> u32 {
        let (stream, mut block) = (self.begin(), get());
        for _ in 0..=chance.below(20) {
            let (name, value) = (chance.below(24), chance.below(64));
            literal(&mut block, &chance.bytes(name), &chance.bytes(value));
        }
        self.headers(stream, &block, true);
        stream
    }

    /// About as many headers, or as many bytes, as Envoy takes, in up to eight frames.
    fn large(&mut self, chance: &mut Chance) -> u32 {
        let (stream, mut block) = (self.begin(), get());
        let (count, length) = match chance.below(3) {
            0 => (80 + chance.below(40), 8),
            1 => (1 + chance.below(3), 18_000 + chance.below(4_000)),
            _ => (chance.below(60), chance.below(1_100)),
        };
        for number in 0..count {
            literal(
                &mut block,
                format!("x-{}", number / 2).as_bytes(),
                &chance.bytes(length),
            );
        }
        self.split(stream, &block, 1 + chance.below(PARTS));
        stream
    }

    /// A block in so many frames, empty ones among them.
    fn split(&mut self, stream: u32, block: &[u8], parts: usize) {
        let (mut rest, mut kind, mut flags) = (block, HEADERS, END_STREAM);
        for left in (0..parts).rev() {
            let most = super::MAX_FRAME.min(rest.len());
            let length = if left == 0 {
                most
            } else {
                (rest.len() / (left + 1)).min(most)
            };
            let (part, after) = rest.split_at(length);
            rest = after;
            if left == 0 && rest.is_empty() {
                flags |= END_HEADERS;
            }
            self.frame(kind, flags, stream, part);
            (kind, flags) = (CONTINUATION, 0);
        }
        // What did not fit.
        while !rest.is_empty() {
            let (part, after) = rest.split_at(super::MAX_FRAME.min(rest.len()));
            rest = after;
            self.frame(
                CONTINUATION,
                if rest.is_empty() { END_HEADERS } else { 0 },
                stream,
                part,
            );
        }
    }

    /// A body of nothing but trailers.
    fn trailers_only(&mut self, chance: &mut Chance) -> u32 {
        let stream = self.begin();
        self.headers(stream, &get(), false);
        let mut trailers = Vec::new();
        for _ in 0..=chance.below(8) {
            let request = Request::drawn(chance);
            for (name, value) in request.headers.iter().take(4) {
                literal(&mut trailers, name, value);
            }
        }
        if chance.once_in(4) {
            literal(&mut trailers, b":path", b"/late");
        }
        self.headers(stream, &trailers, true);
        stream
    }

    /// A tunnel, plain or to a web socket, with bytes in it.
    fn connect(&mut self, chance: &mut Chance) -> Option<u32> {
        let (stream, mut block) = (self.begin(), Vec::new());
        literal(&mut block, b":method", b"CONNECT");
        literal(&mut block, b":authority", b"color.local:443");
        if chance.once_in(2) {
            literal(&mut block, b":scheme", b"http");
            literal(&mut block, b":path", b"/");
            literal(&mut block, b":protocol", b"websocket");
        }
        for (name, value) in Request::drawn(chance).headers.iter().take(6) {
            literal(&mut block, name, value);
        }
        self.headers(stream, &block, false);
        let bytes = chance.below(300);
        self.frame(DATA, 0, stream, &chance.bytes(bytes));
        if chance.once_in(2) {
            self.frame(DATA, END_STREAM, stream, &[]);
            return Some(stream);
        }
        self.reset(stream, chance);
        None
    }

    /// Reset at once, within the body, or when all was sent.
    fn reset_in_the_middle(&mut self, chance: &mut Chance) {
        let (stream, mut block) = (self.begin(), get());
        for (name, value) in &Request::drawn(chance).headers {
            literal(&mut block, name, value);
        }
        let is_whole = chance.once_in(3);
        self.headers(stream, &block, is_whole);
        if !is_whole && chance.once_in(2) {
            let bytes = chance.below(2_000);
            self.frame(DATA, 0, stream, &chance.bytes(bytes));
        }
        self.reset(stream, chance);
    }

    fn reset(&mut self, stream: u32, chance: &mut Chance) {
        let code = [0_u32, 2, 5, 8, 0xd, u32::MAX][chance.below(6)];
        self.frame(RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Padding and a priority, and frames that mean nothing around it.
    fn padded(&mut self, chance: &mut Chance) -> u32 {
        let stream = self.begin();
        let padding = chance.below(200) as u8;
        let mut content = vec![padding];
        content.extend([0, 0, 0, 0, chance.below(256) as u8]);
        content.extend(get());
        content.extend(vec![0; usize::from(padding)]);
        self.frame(PING, 0, 0, b"12345678");
        self.frame(0x50 + chance.below(100) as u8, 0xff, stream, b"nobody knows this kind");
        self.frame(HEADERS, PADDED | WITH_PRIORITY | END_HEADERS, stream, &content);
        self.frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 1]);
        self.frame(WINDOW_UPDATE, 0, stream, &[0, 0, 1, 0]);
        self.frame(DATA, PADDED | END_STREAM, stream, &[3, b'a', 0, 0, 0]);
        stream
    }

    /// Pseudo headers that are missing, twice there, late or unheard of.
    fn odd_pseudo_headers(&mut self, chance: &mut Chance) -> u32 {
        let (stream, mut block) = (self.begin(), Vec::new());
        let names: [(&[u8], &[u8]); 7] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", b"color.local"),
            (b":path", b"/"),
            (b"x-user", b"ada"),
            (b":status", b"200"),
            (b":protocol", b"x"),
        ];
        for _ in 0..chance.below(8) {
            let (name, value) = names[chance.below(7)];
            literal(&mut block, name, value);
        }
        self.headers(stream, &block, true);
        stream
    }

    /// What a server may end the whole connection for.
    fn last_stream(&mut self, chance: &mut Chance) -> Option<u32> {
        let stream = self.begin();
        match chance.below(8) {
            // Compressed headers that are none: an index beyond the table, a length beyond the block.
            0 => self.headers(stream, &[0xff, 0xff, 0xff, 0xff, 0x0f], true),
            1 => self.headers(stream, &[0x00, 0x7f, 0xff, 0x01], true),
            2 => self.frame(CONTINUATION, END_HEADERS, stream, &get()),
            3 => self.frame(DATA, END_STREAM, stream, b"to nobody"),
            4 => self.frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
            5 => self.frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
            6 => {
                // Byte by byte.
                let block = get();
                self.split(stream, &block, block.len());
            }
            _ => return self.odd_stream(chance),
        }
        Some(stream)
    }
}

/// The header block of a plain request.
fn get() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "color.local"),
        (":path", "/"),
    ] {
        literal(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_block_is_whole_again_and_its_last_frame_says_so() {
        for parts in [1, 3, 8, 40] {
            let (mut frames, block) = (Http2::new(), vec![7; 40_000]);
            frames.split(1, &block, parts);
            let mut bytes = frames.bytes.split_off(24 + 9);
            let (mut whole, mut last) = (Vec::new(), 0);
            while let Some((_, flags, stream, content)) = super::super::frame(&mut bytes) {
                assert_eq!(stream, 1);
                assert_eq!(last & END_HEADERS, 0, "only the last");
                (whole, last) = ([whole, content].concat(), flags);
            }
            assert_eq!((whole, last & END_HEADERS), (block, END_HEADERS), "{parts}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_streams() {
        let make = || {
            let (mut frames, chance) = (Http2::new(), &mut Chance::new(7));
            let streams: Vec<_> = (0..50).map(|_| frames.odd_stream(chance)).collect();
            (frames.bytes, streams)
        };
        assert_eq!(make(), make());
    }
}
