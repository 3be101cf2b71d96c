//! One resource, encoded once for both protocol variants and shared by all streams.
//!
//! The delta form of a resource is `Resource { name, version, resource: Any }`, the
//! state-of-the-world form is the bare `Any`. Both messages carry it as field 2 of the response, and
//! the `Any` is field 2 of `Resource` too: with `Resource`'s other fields written first, the
//! state-of-the-world form is the tail of the delta form. So one buffer serves both.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{encode_key, encode_varint, encoded_len_varint, key_len, WireType};
use sha2::{Digest as _, Sha256};

/// A version that says what the content is: equal content has an equal version on every server and
/// after every restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// Reads what [`fmt::Display`] wrote; `None` for a version that some other server has given.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || text.bytes().any(|b| b.is_ascii_uppercase() || b == b'+') {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// 192 bits of the hash over type, name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity(Version, u128);

/// A version of a set of resources: the sum of its members' hashes, so that adding or removing one
/// member costs one addition, and the order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SetVersion(u128);

impl SetVersion {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn with(self, resource: &Resource) -> Self {
        Self(self.0.wrapping_add(resource.share))
    }

    pub(crate) fn without(self, resource: &Resource) -> Self {
        Self(self.0.wrapping_sub(resource.share))
    }
}

impl fmt::Display for SetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// An encoded resource. Cheap to share, never changed.
pub struct Resource {
    name: Arc<str>,
    version: Version,
    share: u128,
    /// `[key, length, Resource { name, version, resource: [key, length, Any] }]`
    delta: Bytes,
    /// Where `[key, length, Any]` begins in `delta`.
    any_at: usize,
}

impl Resource {
    pub(crate) fn encode(type_url: &str, name: Arc<str>, value: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update((type_url.len() as u64).to_le_bytes())
            .chain_update(type_url)
            .chain_update((name.len() as u64).to_le_bytes())
            .chain_update(name.as_bytes())
            .chain_update(value)
            .finalize();
        let version = Version(u64::from_be_bytes(array(&hash[..8])));
        let share = u128::from_be_bytes(array(&hash[8..24]));

        let version_text = version.to_string();
        let any_len = field_len(ANY_TYPE_URL, type_url.len()) + field_len(ANY_VALUE, value.len());
        let named_len = field_len(RESOURCE_NAME, name.len()) + field_len(RESOURCE_VERSION, version_text.len());
        let resource_len = named_len + field_len(RESOURCE_RESOURCE, any_len);

        let mut buf = BytesMut::with_capacity(field_len(RESPONSE_RESOURCES, resource_len));
        put_header(&mut buf, RESPONSE_RESOURCES, resource_len);
        put_field(&mut buf, RESOURCE_NAME, name.as_bytes());
        put_field(&mut buf, RESOURCE_VERSION, version_text.as_bytes());
        let any_at = buf.len();
        put_header(&mut buf, RESOURCE_RESOURCE, any_len);
        put_field(&mut buf, ANY_TYPE_URL, type_url.as_bytes());
        put_field(&mut buf, ANY_VALUE, value);
        Self {
            name,
            version,
            share,
            delta: buf.freeze(),
            any_at,
        }
    }

    /// Whether it was encoded from this type and value. Far cheaper than to encode and hash them.
    pub(crate) fn is_of(&self, type_url: &str, value: &[u8]) -> bool {
        let any_len = field_len(ANY_TYPE_URL, type_url.len()) + field_len(ANY_VALUE, value.len());
        // The type stands before the value, and the value is the end.
        let (any, url) = (&self.delta[self.any_at..], type_url.as_bytes());
        let url_ends = any.len().checked_sub(field_len(ANY_VALUE, value.len()));
        any.len() == field_len(RESOURCE_RESOURCE, any_len)
            && any.ends_with(value)
            && url_ends.is_some_and(|end| any[..end].ends_with(url))
    }

    /// The resource's xDS name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of type, name and content.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What the resource is, among all resources.
    pub(crate) fn identity(&self) -> Identity {
        Identity(self.version, self.share)
    }

    /// Bytes that the resource takes in a delta response, which is a little more than in a
    /// state-of-the-world one.
    pub fn encoded_len(&self) -> usize {
        self.delta.len()
    }

    /// The encoded field `resources` of a `DiscoveryResponse`. Shares the buffer.
    pub fn as_state_of_the_world_field(&self) -> Bytes {
        self.delta.slice(self.any_at..)
    }

    /// The encoded field `resources` of a `DeltaDiscoveryResponse`. Shares the buffer.
    pub fn as_delta_field(&self) -> Bytes {
        self.delta.clone()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

// Field numbers of envoy/service/discovery/v3/discovery.proto and google/protobuf/any.proto.
const RESPONSE_RESOURCES: u32 = 2;
const RESOURCE_VERSION: u32 = 1;
const RESOURCE_RESOURCE: u32 = 2;
const RESOURCE_NAME: u32 = 3;
const ANY_TYPE_URL: u32 = 1;
const ANY_VALUE: u32 = 2;
// The tail of the delta form is the state-of-the-world form only because these two are equal.
const _: () = assert!(RESPONSE_RESOURCES == RESOURCE_RESOURCE);

fn field_len(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64) + len
}

fn put_header(buf: &mut BytesMut, field: u32, len: usize) {
    encode_key(field, WireType::LengthDelimited, buf);
    encode_varint(len as u64, buf);
}

fn put_field(buf: &mut BytesMut, field: u32, bytes: &[u8]) {
    put_header(buf, field, bytes.len());
    buf.put_slice(bytes);
}

/// `bytes` must have exactly `N` bytes: both callers cut a SHA-256 at constant places.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse};
    use prost::Message as _;

    #[test]
    fn one_buffer_decodes_as_both_response_forms() {
        for len in [0, 1, 127, 128, 20_000] {
            let value = vec![7u8; len];
            let resource = Resource::encode("type/T", "name".into(), &value);

            let full = DiscoveryResponse::decode(resource.as_state_of_the_world_field()).unwrap();
            assert_eq!(full.resources[0].type_url, "type/T");
            assert_eq!(full.resources[0].value, value);

            let delta = DeltaDiscoveryResponse::decode(resource.as_delta_field()).unwrap();
            assert_eq!(delta.resources[0].name, "name");
            assert_eq!(delta.resources[0].version, resource.version().to_string());
            let any = delta.resources[0].resource.as_ref().unwrap();
            assert_eq!((any.type_url.as_str(), &any.value), ("type/T", &value));
            assert_eq!(resource.encoded_len(), resource.as_delta_field().len());
        }
    }

    #[test]
    fn is_known_by_its_type_and_value() {
        for value in [b"".as_slice(), b"v", &[7; 300]] {
            let resource = Resource::encode("type/T", "name".into(), value);
            assert!(resource.is_of("type/T", value));
            assert!(!resource.is_of("type/U", value));
            assert!(!resource.is_of("type/TT", value));
            assert!(!resource.is_of("type/T", &[value, b"x"].concat()));
        }
        assert!(!Resource::encode("t", "n".into(), b"ab").is_of("t", b"xb"));
        assert!(!Resource::encode("t", "n".into(), b"ab").is_of("t", b"b"));
    }

    #[test]
    fn the_version_depends_on_type_name_and_content_only() {
        let version = |t: &str, n: &str, v: &[u8]| Resource::encode(t, n.into(), v).version();
        assert_eq!(version("t", "n", b"v"), version("t", "n", b"v"));
        assert_ne!(version("t", "n", b"v"), version("t", "n", b"w"));
        assert_ne!(version("t", "na", b"v"), version("t", "n", b"av"));
        assert_ne!(version("tn", "a", b"v"), version("t", "na", b"v"));
    }

    #[test]
    fn a_version_is_read_back_and_foreign_ones_are_not_taken_for_ours() {
        let version = Resource::encode("t", "n".into(), b"v").version();
        assert_eq!(Version::parse(&version.to_string()), Some(version));
        for foreign in [
            "",
            "1",
            "v1",
            "00000000000000FF",
            "+000000000000001",
            "000000000000000é",
        ] {
            assert_eq!(Version::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_version_of_a_set_does_not_depend_on_the_order() {
        let [a, b] = ["a", "b"].map(|n| Resource::encode("t", n.into(), b"v"));
        let none = SetVersion::default();
        assert_eq!(none.with(&a).with(&b), none.with(&b).with(&a));
        assert_ne!(none.with(&a), none.with(&b));
    }
}
