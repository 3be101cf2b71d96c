//! Names as parts of URLs.

/// A name as a part of a path or a query: everything but RFC 3986's unreserved characters is percent-encoded.
pub fn component(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::component;

    #[test]
    fn what_is_not_unreserved_is_encoded_byte_by_byte() {
        assert_eq!(component("a-Z.0_~"), "a-Z.0_~");
        assert_eq!(component("a/b c?%é"), "a%2Fb%20c%3F%25%C3%A9");
    }
}
