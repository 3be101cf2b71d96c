//! The messages within the bytes of a gRPC stream, which go on as they came.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Why a stream can be passed on but not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// A message is compressed.
    #[error("a message is compressed")]
    Compressed,
    /// A message is longer than what is read along.
    #[error("a message has {length} bytes, and what is read along has at most {limit}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// Finds messages in the pieces of a stream.
#[derive(Debug)]
pub(super) struct Messages {
    limit: usize,
    /// The beginning of a message whose end has not come.
    begun: BytesMut,
}

impl Messages {
    /// Messages of at most `limit` bytes.
    pub fn up_to(limit: usize) -> Self {
        Self {
            limit,
            begun: BytesMut::new(),
        }
    }

    /// Takes the next piece and gives every message that ends in it. A message that lies within one piece is not copied.
    ///
    /// # Errors
    /// The stream cannot be read from here on.
    pub fn feed(&mut self, mut piece: Bytes, mut take: impl FnMut(Bytes)) -> Result<(), Unreadable> {
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(&piece);
            if !self.is_whole(&self.begun)? {
                return Ok(());
            }
            piece = std::mem::take(&mut self.begun).freeze();
        }
        while self.is_whole(&piece)? {
            let length = length(&piece).unwrap_or_default();
            piece.advance(PREFIX);
            take(piece.split_to(length));
        }
        self.begun.extend_from_slice(&piece);
        Ok(())
    }

    /// Whether a message ends in `bytes`, which begin with one.
    fn is_whole(&self, bytes: &[u8]) -> Result<bool, Unreadable> {
        let Some(length) = length(bytes) else { return Ok(false) };
        if bytes.first() != Some(&0) {
            return Err(Unreadable::Compressed);
        }
        if length > self.limit {
            let limit = self.limit;
            return Err(Unreadable::TooLong { length, limit });
        }
        Ok(bytes.len() - PREFIX >= length)
    }
}

/// The length that the prefix says, once it is there.
fn length(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(1..PREFIX)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&[0], &length.to_be_bytes()[..], message].concat()
    }

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let sent: [&[u8]; 4] = [b"first", b"", b"a longer one", &[7; 300]];
        let stream = sent.map(framed).concat();
        for size in 1..stream.len() {
            let mut messages = Messages::up_to(300);
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                let piece = Bytes::copy_from_slice(piece);
                messages.feed(piece, |message| found.push(message)).unwrap();
            }
            assert_eq!(found, sent, "pieces of {size}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_before_it_is_kept() {
        let mut messages = Messages::up_to(4);
        let long = Bytes::from(framed(b"12345"));
        let refused = messages.feed(long.slice(..PREFIX), |_| ());
        assert_eq!(refused, Err(Unreadable::TooLong { length: 5, limit: 4 }));
        let mut compressed = framed(b"1");
        compressed[0] = 1;
        let refused = Messages::up_to(4).feed(compressed.into(), |_| ());
        assert_eq!(refused, Err(Unreadable::Compressed));
    }
}
