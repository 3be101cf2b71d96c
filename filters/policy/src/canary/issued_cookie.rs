//! A cookie of our own: an id drawn for a user who has none, signed where there are keys.
//!
//! The value is the id (16 lower-case hex digits), with keys followed by a dot and the tag (32 digits) of
//! `name=id`. The signature keeps users from writing ids until they meet the target they want; it is no
//! proof of who somebody is. Users are chosen for by the id alone, so a rotated key moves nobody.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::check_token;
use crate::sip_hash::Key;
use crate::{Decimal, Violation};

const MAX_NAME: usize = 128;
const MAX_PATH: usize = 128;
/// 400 days: browsers shorten what is longer (RFC 6265bis, 5.5).
const MAX_TTL_SECONDS: u32 = 34_560_000;
const MAX_KEYS: usize = 8;
const ID_DIGITS: usize = 16;
const TAG_DIGITS: usize = 32;
/// Name, value and attributes of at most 366 bytes.
const MAX_SET_COOKIE: usize = 384;

/// A cookie that is verified, set, or both.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CookieConfig {
    /// The cookie's name: a token, of at most 128 bytes if it is set or signed.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_NAME)))]
    pub name: String,
    /// How it is set for a user who has no valid one; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetCookie>,
    /// Up to 8 secret keys of 128 bits in base64. The first signs, all verify, and a cookie signed with
    /// another than the first is signed anew. Without keys any value is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, length(max = MAX_KEYS)))]
    pub signing_keys: Vec<String>,
}

/// The attributes of a cookie that we set (RFC 6265).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetCookie {
    /// How long the browser keeps it: 1 to 34,560,000 seconds (400 days). Absent: until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_TTL_SECONDS)))]
    pub ttl_seconds: Option<u32>,
    /// The paths it is sent to; 1 to 128 visible ASCII characters, `/` first, no `;`.
    #[serde(default = "root")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_PATH)))]
    pub path: String,
    /// Whether other sites' requests carry it.
    #[serde(default)]
    pub same_site: SameSite,
    /// Whether only requests over TLS carry it (the default). Must be `false` where browsers use plain HTTP.
    #[serde(default = "yes")]
    pub secure: bool,
    /// Whether it is hidden from scripts (the default).
    #[serde(default = "yes")]
    pub http_only: bool,
}

/// The attribute `SameSite`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SameSite {
    /// Sent with the site's own requests and when a link leads there.
    #[default]
    Lax,
    /// Sent with the site's own requests only.
    Strict,
    /// Sent always; needs `secure`.
    None,
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}

/// Keys are secrets: they are counted, not shown.
impl fmt::Debug for CookieConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CookieConfig")
            .field("name", &self.name)
            .field("set", &self.set)
            .field("signing_keys", &self.signing_keys.len())
            .finish()
    }
}

impl CookieConfig {
    pub(super) fn check(&self, path: &str) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut say = |field: &str, message: String| found.push(Violation::new(format!("{path}.{field}"), message));
        if self.name.len() > MAX_NAME || check_token("", &self.name).is_some() {
            say(
                "name",
                format!("cookie name must be a token of 1 to {MAX_NAME} characters"),
            );
        }
        if self.signing_keys.len() > MAX_KEYS {
            say(
                "signingKeys",
                format!("{} keys; at most {MAX_KEYS}", self.signing_keys.len()),
            );
        }
        for (index, key) in self.signing_keys.iter().enumerate() {
            // The value is a secret and stays out of the message.
            if decode_key(key).is_none() {
                let message = "key must be 16 bytes in base64".to_owned();
                say(&format!("signingKeys[{index}]"), message);
            }
        }
        let Some(set) = &self.set else { return found };
        if let Some(ttl) = set.ttl_seconds.filter(|ttl| !(1..=MAX_TTL_SECONDS).contains(ttl)) {
            say("set.ttlSeconds", format!("{ttl} s must be 1 to {MAX_TTL_SECONDS} s"));
        }
        let visible = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b';';
        if !set.path.starts_with('/') || set.path.len() > MAX_PATH || !set.path.bytes().all(visible) {
            let limits = format!("path must be 1 to {MAX_PATH} visible ASCII characters without ; and start with /");
            say("set.path", limits);
        }
        if set.same_site == SameSite::None && !set.secure {
            say("set.secure", "browsers refuse sameSite none without secure".to_owned());
        }
        // Browsers refuse these names without their promises (RFC 6265bis, 4.1.3), whatever their case.
        let named = |prefix: &str| {
            self.name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if (named("__Secure-") || named("__Host-")) && !set.secure {
            say(
                "set.secure",
                "a cookie whose name starts with __Secure- or __Host- must be secure".to_owned(),
            );
        }
        if named("__Host-") && set.path != "/" {
            say(
                "set.path",
                "a cookie whose name starts with __Host- must have the path /".to_owned(),
            );
        }
        found
    }
}

/// 16 bytes in base64 (RFC 4648, 4): 22 digits, with or without the two `=`.
fn decode_key(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_suffix("==").unwrap_or(text).as_bytes();
    if digits.len() != 22 {
        return None;
    }
    let mut key = [0; 16];
    let mut bytes = key.iter_mut();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.next()? = u8::try_from((bits >> held) & 0xff).ok()?;
        }
    }
    // The last 4 bits belong to no byte and are 0.
    (bits & 0xf == 0).then_some(key)
}

/// The id in a cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieId(u64);

impl CookieId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }

    /// The bytes that the user's target is chosen by.
    pub(super) fn key(self) -> [u8; ID_DIGITS] {
        hex(self.0.to_be_bytes())
    }
}

/// `2 * bytes` digits; the caller's type says how many.
fn hex<const BYTES: usize, const DIGITS: usize>(bytes: [u8; BYTES]) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    digits
}

/// Lower-case digits only: one id has one spelling.
fn id_of(digits: &[u8]) -> Option<CookieId> {
    if digits.len() != ID_DIGITS {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |id, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some((id << 4) | u64::from(value))
        })
        .map(CookieId)
}

/// A compiled cookie.
#[derive(Clone, PartialEq)]
pub(super) struct IssuedCookie {
    name: String,
    keys: Vec<Key>,
    /// `; Max-Age=…` and so on; `None`: the cookie is never set.
    attributes: Option<Vec<u8>>,
}

/// What a request's cookie is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held<'h> {
    /// Any value, where nothing is signed.
    Unsigned(&'h [u8]),
    /// Signed with the first key.
    Current(CookieId),
    /// Signed with a key that is on its way out.
    Outdated(CookieId),
}

/// A rendered `set-cookie` value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SetCookieValue {
    bytes: [u8; MAX_SET_COOKIE],
    length: usize,
}

impl SetCookieValue {
    /// The header's value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if let Some(space) = self.bytes.get_mut(self.length..end) {
            space.copy_from_slice(part);
            self.length = end;
        }
    }
}

impl fmt::Debug for SetCookieValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for IssuedCookie {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IssuedCookie")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl IssuedCookie {
    /// Compiles a checked configuration.
    pub(super) fn new(config: &CookieConfig) -> Self {
        Self {
            name: config.name.clone(),
            keys: config
                .signing_keys
                .iter()
                .filter_map(|key| decode_key(key))
                .map(Key::new)
                .collect(),
            attributes: config.set.as_ref().map(attributes),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_set(&self) -> bool {
        self.attributes.is_some()
    }

    /// Reads a cookie's value; `None`: it is none of ours.
    pub(super) fn read<'h>(&self, value: &'h [u8]) -> Option<Held<'h>> {
        if self.keys.is_empty() {
            return (!value.is_empty()).then_some(Held::Unsigned(value));
        }
        if value.len() != ID_DIGITS + 1 + TAG_DIGITS {
            return None;
        }
        let (digits, signature) = value.split_at_checked(ID_DIGITS)?;
        let (id, tag) = (id_of(digits)?, signature.strip_prefix(b".")?);
        let signer = self.keys.iter().position(|key| is_equal(&self.tag(key, id), tag))?;
        Some(if signer == 0 {
            Held::Current(id)
        } else {
            Held::Outdated(id)
        })
    }

    /// The `set-cookie` value that gives a user this id; `None` for a cookie that is never set.
    pub(super) fn render(&self, id: CookieId) -> Option<SetCookieValue> {
        let attributes = self.attributes.as_ref()?;
        let mut value = SetCookieValue {
            bytes: [0; MAX_SET_COOKIE],
            length: 0,
        };
        value.push(self.name.as_bytes());
        value.push(b"=");
        value.push(&id.key());
        if let Some(key) = self.keys.first() {
            value.push(b".");
            value.push(&self.tag(key, id));
        }
        value.push(attributes);
        Some(value)
    }

    fn tag(&self, key: &Key, id: CookieId) -> [u8; TAG_DIGITS] {
        hex(key.tag(&[self.name.as_bytes(), b"=", &id.key()]))
    }
}

/// Compares in a time that does not depend on where the first difference is.
fn is_equal(one: &[u8; TAG_DIGITS], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    other.len() == TAG_DIGITS && std::hint::black_box(differences) == 0
}

fn attributes(set: &SetCookie) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(ttl) = set.ttl_seconds {
        text.extend_from_slice(b"; Max-Age=");
        text.extend_from_slice(Decimal::new(u64::from(ttl)).as_bytes());
    }
    text.extend_from_slice(b"; Path=");
    text.extend_from_slice(set.path.as_bytes());
    if set.secure {
        text.extend_from_slice(b"; Secure");
    }
    if set.http_only {
        text.extend_from_slice(b"; HttpOnly");
    }
    text.extend_from_slice(match set.same_site {
        SameSite::Lax => b"; SameSite=Lax",
        SameSite::Strict => b"; SameSite=Strict",
        SameSite::None => b"; SameSite=None",
    });
    text
}
