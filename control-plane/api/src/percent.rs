//! Percent-encoding of paths and query strings.

/// The decoded text; `None` when it is not UTF-8 or a `%` has no two hexadecimal digits after it.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = (bytes.next()? as char).to_digit(16)?;
            let low = (bytes.next()? as char).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// The decoded text of a query string's name or value, where `+` is a blank.
pub(crate) fn decode_query(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_labels_and_refuses_half_escapes() {
        assert_eq!(decode("a%2Fb%3a+c").as_deref(), Some("a/b:+c"));
        assert_eq!(decode("%C3%A9").as_deref(), Some("é"));
        assert_eq!(decode_query("a+b%2B").as_deref(), Some("a b+"));
        for wrong in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
