//! What the host knows about streams and itself, by path.

use std::collections::BTreeMap;

/// Property values by path. Numbers are 8 bytes, little endian, as Envoy gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Properties {
    /// No properties: every read answers "not found".
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value, such as `["xds", "route_name"]`.
    pub fn set(&mut self, path: &[&str], value: impl AsRef<[u8]>) {
        self.values.insert(joined(path), value.as_ref().to_vec());
    }

    /// Sets a number.
    pub fn set_number(&mut self, path: &[&str], value: u64) {
        self.set(path, value.to_le_bytes());
    }

    /// Forgets a value.
    pub fn remove(&mut self, path: &[&str]) {
        self.values.remove(&joined(path));
    }

    /// A value.
    pub fn get(&self, path: &[&str]) -> Option<&[u8]> {
        self.get_joined(&joined(path))
    }

    /// A value by its path in the ABI's form: segments with a zero between them; one may stand at the end.
    pub(crate) fn get_joined(&self, path: &[u8]) -> Option<&[u8]> {
        self.values
            .get(path.strip_suffix(b"\0").unwrap_or(path))
            .map(Vec::as_slice)
    }

    pub(crate) fn set_joined(&mut self, path: &[u8], value: Vec<u8>) {
        self.values
            .insert(path.strip_suffix(b"\0").unwrap_or(path).to_vec(), value);
    }
}

fn joined(path: &[&str]) -> Vec<u8> {
    path.join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_segments_and_not_their_text() {
        let mut properties = Properties::new();
        properties.set(&["xds", "route_name"], "r1");
        properties.set_number(&["upstream", "request_attempt_count"], 2);
        assert_eq!(properties.get_joined(b"xds\0route_name"), Some(&b"r1"[..]));
        assert_eq!(properties.get_joined(b"xds\0route_name\0"), Some(&b"r1"[..]));
        assert_eq!(properties.get_joined(b"xds.route_name"), None);
        assert_eq!(
            properties.get(&["upstream", "request_attempt_count"]),
            Some(&[2, 0, 0, 0, 0, 0, 0, 0][..])
        );
    }
}
