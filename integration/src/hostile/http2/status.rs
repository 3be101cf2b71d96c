//! One request on one connection and the status of its answer, from the header block as it is: `:status` comes first
//! (RFC 9113, 8.3), and on a new connection nothing before it can have changed the table (RFC 7541).

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Http2, DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM};
use crate::hostile::{Request, PATIENCE};

/// The statuses that the static table holds, from index 8 on.
const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];

impl Http2 {
    /// Sends one request for a host on a connection of its own; the status of the answer, `None` where the stream or the
    /// connection was refused.
    ///
    /// # Errors
    /// Nobody listens, or there is neither an answer nor a refusal.
    pub async fn ask(address: &str, authority: &str, request: &Request) -> Result<Option<u16>> {
        let mut frames = Self::new();
        let asked = frames.request_to(authority.as_bytes(), request);
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        // A server may refuse before it has read everything.
        let _ = stream.write_all(&frames.bytes).await;
        let (mut unread, mut status) = (Vec::new(), None);
        loop {
            while let Some((kind, flags, stream, content)) = super::frame(&mut unread) {
                let is_ours = stream == asked;
                match kind {
                    GOAWAY => return Ok(status),
                    RST_STREAM if is_ours => return Ok(status),
                    HEADERS if is_ours && status.is_none() => {
                        status = Some(first_status(&content).context("an answer without a status")?);
                    }
                    _ => {}
                }
                if is_ours && matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
                    return Ok(status);
                }
            }
            let more = timeout(PATIENCE, stream.read_buf(&mut unread)).await;
            let more = more.context("neither an answer nor a refusal")?;
            if matches!(more, Ok(0) | Err(_)) {
                return Ok(status);
            }
        }
    }
}

/// The status at the beginning of a header block.
fn first_status(block: &[u8]) -> Option<u16> {
    // The size of the table may be told first: 001, then a number of five bits or more.
    let at = match block.first()? {
        0x3f => 1 + block.get(1..)?.iter().position(|byte| byte & 0x80 == 0)? + 1,
        size if size & 0xe0 == 0x20 => 1,
        _ => 0,
    };
    let block = block.get(at..)?;
    let first = *block.first()?;
    if let Some(status) = INDEXED.get(usize::from(first).wrapping_sub(0x88)) {
        return Some(*status);
    }
    // A literal whose name is one of the table's: with indexing, without, or never.
    let name = if first & 0x40 != 0 { first & 0x3f } else { first & 0x0f };
    if !(8..=14).contains(&name) {
        return None;
    }
    let length = *block.get(1)?;
    let text = block.get(2..2 + usize::from(length & 0x7f))?;
    if length & 0x80 == 0 {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    huffman_digits(text)
}

/// Three digits in the static Huffman code: five bits for 0 to 2, six for the others.
fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let all = bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    let mut left = 8 * u32::try_from(bytes.len()).ok()?;
    let mut number = 0;
    for _ in 0..3 {
        let short = all >> left.checked_sub(5)? & 0x1f;
        let digit = if short <= 2 {
            left -= 5;
            short
        } else {
            left = left.checked_sub(6)?;
            (all >> left & 0x3f).checked_sub(0x19)? + 3
        };
        number = number * 10 + u16::try_from(digit).ok()?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_form_it_may_have() {
        assert_eq!(first_status(&[0x88]), Some(200));
        assert_eq!(first_status(&[0x3f, 0xe1, 0x1f, 0x8c]), Some(400));
        assert_eq!(first_status(&[0x20, 0x8d]), Some(404));
        assert_eq!(first_status(b"\x48\x03429"), Some(429));
        // 5, 0, 3: 011011 00000 011001, padded with ones.
        assert_eq!(
            first_status(&[0x48, 0x83, 0b0110_1100, 0b0000_1100, 0b1111_1111]),
            Some(503)
        );
        assert_eq!(first_status(b"\x5f\x03abc"), None);
        assert_eq!(first_status(b""), None);
    }
}
