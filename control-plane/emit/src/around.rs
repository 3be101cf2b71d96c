//! An encoded message around bytes that are not in it yet: large ones, which many messages share and nobody shall copy.

use bytes::Bytes;
use prost::encoding::{encode_key, encode_varint, WireType};
use prost::Message;

/// What stands before and behind the bytes, from the innermost message outwards.
pub struct Around {
    before: Vec<u8>,
    /// How many bytes are missing.
    missing: usize,
    behind: Vec<u8>,
}

impl Around {
    /// Around so many bytes.
    pub fn new(missing: usize) -> Self {
        Self {
            before: Vec::new(),
            missing,
            behind: Vec::new(),
        }
    }

    /// All there is so far becomes a field of a message.
    pub fn within(&mut self, field: u32) -> &mut Self {
        let len = self.before.len() + self.missing + self.behind.len();
        let mut header = Vec::new();
        encode_key(field, WireType::LengthDelimited, &mut header);
        encode_varint(len as u64, &mut header);
        self.before.splice(0..0, header);
        self
    }

    /// The message's fields of lower numbers.
    pub fn after(&mut self, lower: &impl Message) -> &mut Self {
        self.before.splice(0..0, lower.encode_to_vec());
        self
    }

    /// The message's fields of higher numbers.
    pub fn before(&mut self, higher: &impl Message) -> &mut Self {
        self.behind.extend(higher.encode_to_vec());
        self
    }

    /// What stands before the bytes, and what stands behind them.
    pub fn finish(self) -> (Bytes, Bytes) {
        (self.before.into(), self.behind.into())
    }
}
