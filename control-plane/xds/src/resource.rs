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

use crate::content::{Content, Piece};

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

/// 192 bits of the hash over type, name and the hashes of the content's pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity(Version, u128);

/// A version of a set of resources: the sum of its members' hashes, so that adding or removing one
/// member costs one addition, and the order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SetVersion(u128);

impl SetVersion {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn with(self, resource: &Resource) -> Self {
        Self(self.0.wrapping_add(resource.identity.1))
    }

    pub(crate) fn without(self, resource: &Resource) -> Self {
        Self(self.0.wrapping_sub(resource.identity.1))
    }
}

impl fmt::Display for SetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A piece from this size on is shared; a smaller one that stands first is copied.
const SHARED_FROM_BYTES: usize = 4 * 1024;

impl Identity {
    /// Of a resource of this type, name and content.
    pub fn of(type_url: &str, name: &str, content: &Content) -> Self {
        let mut hash = Sha256::new()
            .chain_update((type_url.len() as u64).to_le_bytes())
            .chain_update(type_url)
            .chain_update((name.len() as u64).to_le_bytes())
            .chain_update(name);
        for piece in content.pieces() {
            hash.update(piece.digest());
        }
        let hash = hash.finalize();
        Self(
            Version(u64::from_be_bytes(array(&hash[..8]))),
            u128::from_be_bytes(array(&hash[8..24])),
        )
    }

    /// The same resource under the version that another server has given it.
    pub fn with_version(self, version: Version) -> Self {
        Self(version, self.1)
    }
}

/// An encoded resource. Cheap to share, never changed.
pub struct Resource {
    name: Arc<str>,
    identity: Identity,
    /// `[key, length, Resource { name, version, resource: [key, length, Any] }]`, or its beginning.
    head: Bytes,
    /// Where `[key, length, Any]` begins in `head`.
    any_at: usize,
    /// What follows `head`.
    rest: Box<[Bytes]>,
}

impl Resource {
    #[cfg(test)]
    pub(crate) fn encode(type_url: &str, name: Arc<str>, value: &[u8]) -> Self {
        let content = Content::from(Bytes::copy_from_slice(value));
        Self::new(type_url, name, &content)
    }

    pub(crate) fn new(type_url: &str, name: Arc<str>, content: &Content) -> Self {
        let identity = Identity::of(type_url, &name, content);
        Self::identified(identity, type_url, name, content)
    }

    /// `identity` must be that of the rest.
    pub(crate) fn identified(identity: Identity, type_url: &str, name: Arc<str>, content: &Content) -> Self {
        let pieces = content.pieces();
        let value_len = pieces.iter().map(|piece| piece.bytes().len()).sum();
        // One buffer of its own, unless there is something to share.
        let is_shared = |piece: &Piece| piece.bytes().len() >= SHARED_FROM_BYTES;
        let copied = match pieces {
            [_] | [] => pieces.len(),
            [first, ..] => usize::from(!is_shared(first)),
        };
        let (copied, shared) = pieces.split_at(copied);
        let copied_len: usize = copied.iter().map(|piece| piece.bytes().len()).sum();

        let version_text = identity.0.to_string();
        let any_len = field_len(ANY_TYPE_URL, type_url.len()) + field_len(ANY_VALUE, value_len);
        let named_len = field_len(RESOURCE_NAME, name.len()) + field_len(RESOURCE_VERSION, version_text.len());
        let resource_len = named_len + field_len(RESOURCE_RESOURCE, any_len);
        let head_len = field_len(RESPONSE_RESOURCES, resource_len) - (value_len - copied_len);

        let mut buf = BytesMut::with_capacity(head_len);
        put_header(&mut buf, RESPONSE_RESOURCES, resource_len);
        put_field(&mut buf, RESOURCE_NAME, name.as_bytes());
        put_field(&mut buf, RESOURCE_VERSION, version_text.as_bytes());
        let any_at = buf.len();
        put_header(&mut buf, RESOURCE_RESOURCE, any_len);
        put_field(&mut buf, ANY_TYPE_URL, type_url.as_bytes());
        put_header(&mut buf, ANY_VALUE, value_len);
        for piece in copied {
            buf.put_slice(piece.bytes());
        }
        Self {
            name,
            identity,
            head: buf.freeze(),
            any_at,
            rest: shared.iter().map(|piece| piece.bytes().clone()).collect(),
        }
    }

    /// Whether it was encoded from this type and value. Far cheaper than to encode and hash them.
    pub(crate) fn is_of(&self, type_url: &str, value: &[u8]) -> bool {
        let any_len = field_len(ANY_TYPE_URL, type_url.len()) + field_len(ANY_VALUE, value.len());
        let rest_len = self.rest_len();
        let (any, url) = (&self.head[self.any_at..], type_url.as_bytes());
        let Some((copied, mut shared)) = value.len().checked_sub(rest_len).map(|end| value.split_at(end)) else {
            return false;
        };
        for piece in &self.rest {
            let Some(after) = shared.strip_prefix(&piece[..]) else {
                return false;
            };
            shared = after;
        }
        // The type stands before the value, and the value is the end.
        let url_ends = (any.len() + rest_len).checked_sub(field_len(ANY_VALUE, value.len()));
        any.len() + rest_len == field_len(RESOURCE_RESOURCE, any_len)
            && any.ends_with(copied)
            && url_ends.is_some_and(|end| end <= any.len() && any[..end].ends_with(url))
    }

    fn rest_len(&self) -> usize {
        self.rest.iter().map(Bytes::len).sum()
    }

    /// The resource's xDS name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of type, name and content.
    pub fn version(&self) -> Version {
        self.identity.0
    }

    /// Bytes that the resource takes in a delta response, which is a little more than in a
    /// state-of-the-world one.
    pub fn encoded_len(&self) -> usize {
        self.head.len() + self.rest_len()
    }

    /// The encoded field `resources` of a `DiscoveryResponse`: these buffers, one after the other, all of them shared.
    pub fn as_state_of_the_world_field(&self) -> impl Iterator<Item = Bytes> + '_ {
        [self.head.slice(self.any_at..)]
            .into_iter()
            .chain(self.rest.iter().cloned())
    }

    /// The encoded field `resources` of a `DeltaDiscoveryResponse`: these buffers, one after the other, all of them shared.
    pub fn as_delta_field(&self) -> impl Iterator<Item = Bytes> + '_ {
        [self.head.clone()].into_iter().chain(self.rest.iter().cloned())
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version())
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

            let full = DiscoveryResponse::decode(joined(resource.as_state_of_the_world_field())).unwrap();
            assert_eq!(full.resources[0].type_url, "type/T");
            assert_eq!(full.resources[0].value, value);

            let delta = DeltaDiscoveryResponse::decode(joined(resource.as_delta_field())).unwrap();
            assert_eq!(delta.resources[0].name, "name");
            assert_eq!(delta.resources[0].version, resource.version().to_string());
            let any = delta.resources[0].resource.as_ref().unwrap();
            assert_eq!((any.type_url.as_str(), &any.value), ("type/T", &value));
            assert_eq!(resource.encoded_len(), joined(resource.as_delta_field()).len());
        }
    }

    fn joined(buffers: impl Iterator<Item = Bytes>) -> Bytes {
        buffers.collect::<Vec<_>>().concat().into()
    }

    fn in_pieces(lens: &[usize]) -> (Vec<u8>, Resource, Vec<Bytes>) {
        let whole: Vec<u8> = (0..lens.iter().sum()).map(|at| (at % 251) as u8).collect();
        let mut left = Bytes::from(whole.clone());
        let pieces: Vec<Bytes> = lens.iter().map(|len| left.split_to(*len)).collect();
        let content = Content::of(pieces.iter().cloned().map(Piece::new).collect());
        (whole, Resource::new("type/T", "name".into(), &content), pieces)
    }

    #[test]
    fn pieces_are_on_the_wire_what_the_whole_is_and_are_not_copied() {
        for lens in [
            &[300, 20_000, 5][..],
            &[5_000, 5_000],
            &[0, 1, 0, 4_096],
            &[10, 10],
            &[],
            &[9_000],
        ] {
            let (whole, resource, pieces) = in_pieces(lens);
            let full = DiscoveryResponse::decode(joined(resource.as_state_of_the_world_field())).unwrap();
            assert_eq!(full.resources[0].value, whole, "{lens:?}");
            let delta = DeltaDiscoveryResponse::decode(joined(resource.as_delta_field())).unwrap();
            assert_eq!(delta.resources[0].resource.as_ref().unwrap().value, whole, "{lens:?}");
            assert_eq!(delta.resources[0].version, resource.version().to_string());
            assert_eq!(resource.encoded_len(), joined(resource.as_delta_field()).len());
            assert!(resource.is_of("type/T", &whole) && !resource.is_of("type/U", &whole));
            assert!(!resource.is_of("type/T", &[&whole[..], b"x"].concat()));
            if let Some(last) = whole.len().checked_sub(1) {
                let mut other = whole.clone();
                other[last] ^= 1;
                assert!(!resource.is_of("type/T", &other) && !resource.is_of("type/T", &whole[1..]));
            }
            if pieces.len() > 1 {
                let sent: Vec<_> = resource.as_delta_field().map(|buffer| buffer.as_ptr()).collect();
                assert!(
                    pieces[1..].iter().all(|piece| sent.contains(&piece.as_ptr())),
                    "{lens:?}"
                );
            }
        }
    }

    #[test]
    fn one_piece_is_the_whole() {
        let content = Content::of(vec![Piece::new(Bytes::from_static(b"v"))]);
        let (one, whole) = (
            Resource::new("t", "n".into(), &content),
            Resource::encode("t", "n".into(), b"v"),
        );
        assert_eq!(one.version(), whole.version());
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
