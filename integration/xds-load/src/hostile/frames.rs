//! HTTP/2 frames written by hand (RFC 9113), for clients that break what a library keeps.

use std::hash::{BuildHasher, RandomState};

/// What a connection begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW: u16 = 4;
/// The largest that every server takes.
const FRAME: usize = 16_384;

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Preface and settings, with a window for what the server sends on each stream; the connection's is as large as can be.
pub(super) fn beginning(window: u32) -> Vec<u8> {
    let mut settings = INITIAL_WINDOW.to_be_bytes().to_vec();
    settings.extend(window.to_be_bytes());
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &settings));
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(i32::MAX as u32 - 65_535).to_be_bytes()));
    bytes
}

/// The headers of a gRPC call: literals that no table remembers (RFC 7541 6.2.2).
pub(super) fn call(stream: u32, authority: &str, path: &str) -> Vec<u8> {
    // `:method: POST` and `:scheme: http` are in the static table.
    let mut block = vec![0x83, 0x86];
    let mut field = |index: u8, name: &str, value: &str| {
        block.push(index);
        for text in [name, value].into_iter().filter(|text| !text.is_empty()) {
            // Shorter than 127, so one byte says how long.
            block.push(u8::try_from(text.len()).unwrap_or(126));
            block.extend(text.bytes().take(126));
        }
    };
    field(1, "", authority);
    field(4, "", path);
    field(0, "content-type", "application/grpc");
    field(0, "te", "trailers");
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// Bytes of a stream.
pub(super) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks(FRAME)
        .flat_map(|chunk| frame(DATA, 0, stream, chunk))
        .collect()
}

/// Bytes that mean nothing, others each time.
pub(super) fn noise() -> Vec<u8> {
    let state = RandomState::new();
    (0..512_u64)
        .flat_map(|number| state.hash_one(number).to_be_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_length_its_kind_and_its_stream_in_front() {
        assert_eq!(frame(DATA, 1, 3, b"abc"), [0, 0, 3, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c']);
        assert_eq!(data(1, &vec![0; FRAME + 1]).len(), FRAME + 1 + 2 * 9);
        assert!(beginning(7).starts_with(PREFACE));
    }
}
