//! One cookie out of a `cookie` header of any bytes.

/// The value of the first cookie of this name.
pub(super) fn value<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    header.split(|byte| *byte == b';').find_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next()?, parts.next()?);
        (key.trim_ascii() == name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_cookie_between_others() {
        assert_eq!(value(b"a=1; sid=x=y ;b=2", b"sid"), Some(&b"x=y"[..]));
        assert_eq!(value(b"sid=", b"sid"), Some(&b""[..]));
        assert_eq!(value(b"sid=1; sid=2", b"sid"), Some(&b"1"[..]));
    }

    #[test]
    fn is_not_misled_by_names_inside_names_or_values() {
        assert_eq!(value(b"xsid=1; a=sid; sid", b"sid"), None);
        assert_eq!(value(b"\xff;=;;=\xff; sid=\xff", b"sid"), Some(&b"\xff"[..]));
        assert_eq!(value(b"", b"sid"), None);
    }
}
