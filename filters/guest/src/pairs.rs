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
        assert_eq!(buffer, [0; 4]);
    }
}
