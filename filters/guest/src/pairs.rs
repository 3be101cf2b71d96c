//! Header maps as the ABI passes them: the number of headers, the lengths of names and values, then the bytes.
//!
//! Source: proxy-wasm specification, `abi-versions/v0.2.1`, "Serialized maps".

use ferromesh_policy::Reply;

/// Writes a reply's headers into a buffer, whose memory is used again.
pub(crate) fn serialize(reply: &Reply<'_>, buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut count = 0_u32;
    reply.for_each_header(|_, _| count += 1);
    buffer.extend_from_slice(&count.to_le_bytes());
    reply.for_each_header(|name, value| {
        for length in [name.len(), value.len()] {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            buffer.extend_from_slice(&length.to_le_bytes());
        }
    });
    reply.for_each_header(|name, value| {
        for bytes in [name.as_bytes(), value] {
            buffer.extend_from_slice(bytes);
            buffer.push(0);
        }
    });
}

/// No headers.
#[cfg(any(all(target_arch = "wasm32", not(feature = "sdk")), test))]
pub(crate) const NONE: [u8; 4] = [0; 4];

/// The headers of a call that posts JSON to a path.
#[cfg(any(target_arch = "wasm32", test))]
pub(crate) fn post(path: &str) -> [(&str, &str); 4] {
    [
        (":method", "POST"),
        (":path", path),
        (":authority", "ferromesh"),
        ("content-type", "application/json"),
    ]
}

/// Headers in the ABI's form.
#[cfg(any(all(target_arch = "wasm32", not(feature = "sdk")), test))]
pub(crate) fn of(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let size = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    buffer.extend_from_slice(&u32::try_from(headers.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (name, value) in headers {
        buffer.extend_from_slice(&size(name));
        buffer.extend_from_slice(&size(value));
    }
    for (name, value) in headers {
        for text in [name, value] {
            buffer.extend_from_slice(text.as_bytes());
            buffer.push(0);
        }
    }
    buffer
}

/// A status code as a header's value.
#[cfg(any(target_arch = "wasm32", test))]
pub(crate) fn status(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use ferromesh_policy::Decimal;

    use super::*;

    fn reply(retry_after: Option<Decimal>, is_final: bool) -> Reply<'static> {
        Reply {
            status: 429,
            grpc_status: None,
            reason: "test",
            retry_after,
            limit: None,
            is_final,
            protects: false,
        }
    }

    #[test]
    fn lengths_come_before_names_and_values() {
        let mut buffer = vec![9; 3];
        serialize(&reply(Some(Decimal::new(7)), true), &mut buffer);
        let mut expected = vec![2, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 18, 0, 0, 0, 4, 0, 0, 0];
        expected.extend_from_slice(b"retry-after\x007\x00x-envoy-overloaded\x00true\x00");
        assert_eq!(buffer, expected);
    }

    #[test]
    fn no_headers_are_the_number_0() {
        let mut buffer = Vec::new();
        serialize(&reply(None, false), &mut buffer);
        assert_eq!(buffer, NONE);
    }

    #[test]
    fn a_call_has_the_headers_that_hosts_ask_for() {
        let buffer = of(&post("/a"));
        assert_eq!(buffer.get(..12), Some(&[4, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0][..]));
        let texts = b":method\0POST\0:path\0/a\0:authority\0ferromesh\0content-type\0application/json\0";
        assert_eq!(buffer.get(36..), Some(&texts[..]));
    }

    #[test]
    fn a_status_is_a_number_or_nothing() {
        assert_eq!(status(b"204"), Some(204));
        for odd in [&b""[..], b"x", b"-1", b"99999", b"\xff"] {
            assert_eq!(status(odd), None);
        }
    }
}
