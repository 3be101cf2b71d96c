//! What keeps a user with their target: where the key of a sticky choice comes from.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::config::check_token;
use super::issued_cookie::{CookieConfig, IssuedCookie};
use crate::Violation;

const MAX_SOURCES: usize = 8;
const MAX_PARAMETER: usize = 255;

/// The key of a sticky choice. A request without it is drawn by weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(!from, !into, rename_all = "camelCase"))]
#[serde(from = "Written", into = "Written")]
pub enum Sticky {
    /// The value of this request header (names in any case).
    Header(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))] String),
    /// The value of this cookie, whoever sets it: `{"cookie": "sid"}`.
    #[cfg_attr(
        feature = "schema",
        schemars(
            description = "The value of this cookie: by its name, whoever sets it, or as an object, for one that is \
                                signed or set by us."
        )
    )]
    Cookie(#[cfg_attr(feature = "schema", schemars(with = "WrittenCookie"))] String),
    /// A cookie that is signed, or set by us: `{"cookie": {"name": "sid", "set": {}}}`.
    #[cfg_attr(feature = "schema", schemars(skip))]
    ManagedCookie(CookieConfig),
    /// The peer's address without its port.
    SourceAddress(SourceAddress),
    /// The first value of this query parameter, as it is written: 1 to 255 bytes, nothing is decoded.
    Query(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_PARAMETER)))] String),
    /// The path without its query: all requests for one resource meet the same target.
    Path(PathKey),
    /// The first of these (1 to 8, none of them `anyOf`) that the request has. A cookie of ours is only set
    /// for a request that has none of them, so at most one of them may be set.
    AnyOf(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_SOURCES)))] Vec<Sticky>),
}

/// No settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SourceAddress {}

/// No settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PathKey {}

/// As it is written: the two forms of a cookie have one name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Written {
    Header(String),
    Cookie(WrittenCookie),
    SourceAddress(SourceAddress),
    Query(String),
    Path(PathKey),
    AnyOf(Vec<Sticky>),
}

#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged, inline))]
enum WrittenCookie {
    Name(String),
    Managed(CookieConfig),
}

impl From<Written> for Sticky {
    fn from(written: Written) -> Self {
        match written {
            Written::Header(name) => Self::Header(name),
            Written::Cookie(WrittenCookie::Name(name)) => Self::Cookie(name),
            Written::Cookie(WrittenCookie::Managed(config)) => Self::ManagedCookie(config),
            Written::SourceAddress(none) => Self::SourceAddress(none),
            Written::Query(name) => Self::Query(name),
            Written::Path(none) => Self::Path(none),
            Written::AnyOf(sources) => Self::AnyOf(sources),
        }
    }
}

impl From<Sticky> for Written {
    fn from(sticky: Sticky) -> Self {
        match sticky {
            Sticky::Header(name) => Self::Header(name),
            Sticky::Cookie(name) => Self::Cookie(WrittenCookie::Name(name)),
            Sticky::ManagedCookie(config) => Self::Cookie(WrittenCookie::Managed(config)),
            Sticky::SourceAddress(none) => Self::SourceAddress(none),
            Sticky::Query(name) => Self::Query(name),
            Sticky::Path(none) => Self::Path(none),
            Sticky::AnyOf(sources) => Self::AnyOf(sources),
        }
    }
}

impl Serialize for WrittenCookie {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Managed(config) => config.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenCookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// By hand and not `untagged`, whose errors name no field.
struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = WrittenCookie;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a cookie's name or an object with name, set and signingKeys")
    }

    fn visit_str<E>(self, name: &str) -> Result<WrittenCookie, E> {
        Ok(WrittenCookie::Name(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenCookie, A::Error> {
        CookieConfig::deserialize(MapAccessDeserializer::new(map)).map(WrittenCookie::Managed)
    }
}

impl Sticky {
    pub(super) fn check(&self, path: &str) -> Vec<Violation> {
        let at = |member: &str| format!("{path}.{member}");
        match self {
            Self::Header(name) => check_token(&at("header"), name).into_iter().collect(),
            Self::Cookie(name) => check_token(&at("cookie"), name).into_iter().collect(),
            Self::ManagedCookie(config) => config.check(&at("cookie")),
            Self::SourceAddress(_) | Self::Path(_) => Vec::new(),
            Self::Query(name) => {
                let separates = |byte: u8| matches!(byte, b'&' | b'=' | b'#');
                let valid = (1..=MAX_PARAMETER).contains(&name.len()) && !name.bytes().any(separates);
                let message = format!("parameter must have 1 to {MAX_PARAMETER} bytes and no &, = or #");
                (!valid)
                    .then(|| Violation::new(at("query"), message))
                    .into_iter()
                    .collect()
            }
            Self::AnyOf(sources) => check_all(&at("anyOf"), sources),
        }
    }

    /// What is read for it, in order.
    pub(super) fn sources(&self) -> Vec<Source> {
        match self {
            // Hosts look names up as they are stored: in lower case. Cookies keep their case.
            Self::Header(name) => vec![Source::Header(name.to_ascii_lowercase())],
            Self::Cookie(name) => vec![Source::Cookie(name.clone())],
            Self::ManagedCookie(config) => vec![Source::Managed(IssuedCookie::new(config))],
            Self::SourceAddress(_) => vec![Source::Address],
            Self::Query(name) => vec![Source::Query(name.clone())],
            Self::Path(_) => vec![Source::Path],
            Self::AnyOf(sources) => sources.iter().flat_map(Self::sources).collect(),
        }
    }

    fn is_set_by_us(&self) -> bool {
        matches!(self, Self::ManagedCookie(CookieConfig { set: Some(_), .. }))
    }
}

fn check_all(path: &str, sources: &[Sticky]) -> Vec<Violation> {
    let mut found = Vec::new();
    if !(1..=MAX_SOURCES).contains(&sources.len()) {
        let message = format!("{} sources; there must be 1 to {MAX_SOURCES}", sources.len());
        found.push(Violation::new(path, message));
    }
    if sources.iter().filter(|source| source.is_set_by_us()).count() > 1 {
        found.push(Violation::new(path, "more than one of the cookies is to be set"));
    }
    for (index, source) in sources.iter().enumerate() {
        let at = format!("{path}[{index}]");
        if matches!(source, Sticky::AnyOf(_)) {
            found.push(Violation::new(at, "anyOf must not hold another anyOf"));
        } else {
            found.extend(source.check(&at));
        }
    }
    found
}

/// One place to read a key from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Header(String),
    Cookie(String),
    Managed(IssuedCookie),
    Address,
    Query(String),
    Path,
}

/// The path of `:path`, without its query.
pub(super) fn path_of(target: &[u8]) -> &[u8] {
    target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

/// The first value of a query parameter in `:path`, as it is written.
pub(super) fn query_value<'t>(target: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let target = target.split(|byte| *byte == b'#').next()?;
    let query = target.splitn(2, |byte| *byte == b'?').nth(1)?;
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        (parts.next()? == name).then(|| parts.next()).flatten()
    })
}

/// The address of `ip:port` or `[ip]:port`: a port differs with every connection.
pub(super) fn without_port(address: &[u8]) -> &[u8] {
    match address.iter().rposition(|byte| *byte == b':') {
        Some(colon) => address.get(..colon).unwrap_or(address),
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_parameter_between_others() {
        assert_eq!(
            query_value(b"/a?x=1&user=ada&user=b#user=c", b"user"),
            Some(&b"ada"[..])
        );
        assert_eq!(query_value(b"/a?user=x=y?z", b"user"), Some(&b"x=y?z"[..]));
        assert_eq!(query_value(b"/user=a?user&xuser=1#?user=1", b"user"), None);
        assert_eq!(query_value(b"", b"user"), None);
    }

    #[test]
    fn a_path_ends_before_its_query() {
        assert_eq!(path_of(b"/a/b?c=d"), b"/a/b");
        assert_eq!(path_of(b"/a#b?c"), b"/a");
        assert_eq!(path_of(b"*"), b"*");
    }
}
