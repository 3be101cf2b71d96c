//! Peers' addresses as hosts write them.

/// The address of `ip:port` or `[ip]:port`: a port differs with every connection.
pub(crate) fn without_port(address: &[u8]) -> &[u8] {
    let end = address.iter().rposition(|byte| *byte == b':').unwrap_or(address.len());
    address.get(..end).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_the_port_out() {
        assert_eq!(without_port(b"10.0.0.7:4711"), b"10.0.0.7");
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(without_port(b"10.0.0.7"), b"10.0.0.7");
        assert_eq!(without_port(b""), b"");
    }
}
