//! Which header names a policy may read and write.

use crate::Violation;

const MAX_NAME: usize = 255;

/// What the mesh and Envoy steer by: a policy that wrote these would decide twice.
const RESERVED_PREFIXES: [&str; 2] = ["x-ferromesh-", "x-envoy-"];

/// What says where a message ends and what its connection does (RFC 9110, 7.6.1, and RFC 9112, 6), and the
/// target's name.
const RESERVED: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// A name that a policy reads.
pub(crate) fn check_read(path: &str, name: &str) -> Option<Violation> {
    let reason = if name.is_empty() || name.len() > MAX_NAME {
        format!("header name of {} bytes must have 1 to {MAX_NAME}", name.len())
    } else if name.bytes().any(|byte| !is_token(byte)) {
        "header name must be lower-case letters, digits and !#$%&'*+-.^`|~".to_owned()
    } else {
        return None;
    };
    Some(Violation::new(path, reason))
}

/// A name that a policy writes.
pub(crate) fn check_written(path: &str, name: &str) -> Option<Violation> {
    let reserved = RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    check_read(path, name).or_else(|| {
        reserved.then(|| {
            let message = ["header ", name, " is reserved: a policy may not write it"].concat();
            Violation::new(path, message)
        })
    })
}

/// RFC 9110, 5.6.2, without upper case and without the underscore, which many applications take for a hyphen.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ordinary_names_and_refuses_others() {
        for name in ["x-user", "x.y~z", "cookie"] {
            assert_eq!(check_read("", name), None);
        }
        for name in ["", "X-User", "x_user", "x user", ":path", "x\n"] {
            assert!(check_read("", name).is_some(), "{name}");
        }
    }

    #[test]
    fn refuses_to_write_what_the_mesh_and_envoy_steer_by() {
        for name in ["x-ferromesh-pick", "x-envoy-max-retries", "host", "transfer-encoding"] {
            assert_eq!(check_read("", name), None);
            assert!(check_written("request[0].set.name", name).is_some(), "{name}");
        }
    }
}
