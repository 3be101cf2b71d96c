//! Which forms of trace context are read and written, as it is configured.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A form of trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Format {
    /// `traceparent` and `tracestate` (W3C Trace Context).
    W3c,
    /// `b3` (openzipkin B3, single header).
    B3,
    /// `x-b3-traceid`, `x-b3-spanid`, `x-b3-parentspanid`, `x-b3-sampled`, `x-b3-flags` (openzipkin B3).
    B3Multi,
    /// `x-amzn-trace-id` (AWS X-Ray).
    Xray,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::W3c, Self::B3, Self::B3Multi, Self::Xray];

    /// The header that says whether there is a trace in this form.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::W3c => "traceparent",
            Self::B3 => "b3",
            Self::B3Multi => super::b3::TRACE_ID,
            Self::Xray => "x-amzn-trace-id",
        }
    }
}

/// Formats in an order, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, extend("uniqueItems" = true)))]
#[serde(try_from = "Vec<Format>", into = "Vec<Format>")]
pub struct FormatList([Option<Format>; 4]);

impl FormatList {
    const W3C: Self = Self([Some(Format::W3c), None, None, None]);

    pub(super) fn iter(&self) -> impl Iterator<Item = Format> + '_ {
        self.0.iter().flatten().copied()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl TryFrom<Vec<Format>> for FormatList {
    type Error = &'static str;

    fn try_from(formats: Vec<Format>) -> Result<Self, Self::Error> {
        let mut list = Self::default();
        for format in formats {
            let free = list
                .0
                .iter_mut()
                .find(|place| place.is_none_or(|known| known == format));
            match free {
                Some(place @ None) => *place = Some(format),
                // There are as many places as formats.
                _ => return Err("accept and emit name each format at most once"),
            }
        }
        Ok(list)
    }
}

impl From<FormatList> for Vec<Format> {
    fn from(list: FormatList) -> Self {
        list.iter().collect()
    }
}

/// Which formats are read and which are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Formats {
    /// The first valid one, in this order, is the request's trace. Absent: W3C. Empty: every request begins one.
    #[serde(default = "w3c")]
    pub accept: FormatList,
    /// What upstreams get, at least one. Absent: W3C.
    #[serde(default = "w3c")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub emit: FormatList,
}

impl Formats {
    /// W3C Trace Context and nothing else.
    pub const W3C: Self = Self {
        accept: FormatList::W3C,
        emit: FormatList::W3C,
    };
}

impl Default for Formats {
    fn default() -> Self {
        Self::W3C
    }
}

fn w3c() -> FormatList {
    FormatList::W3C
}

/// Trace context as it is written: `true` (W3C), `false`, or [`Formats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "crate::schema::SwitchOrFormats"))]
pub struct TraceContext(pub Option<Formats>);

impl Default for TraceContext {
    fn default() -> Self {
        Self(Some(Formats::W3C))
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_bool(false),
            Some(Formats::W3C) => serializer.serialize_bool(true),
            Some(formats) => formats.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = TraceContext;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("true, false, or the formats to accept and to emit")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<TraceContext, E> {
                Ok(TraceContext(value.then_some(Formats::W3C)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TraceContext, A::Error> {
                Formats::deserialize(MapAccessDeserializer::new(map)).map(|formats| TraceContext(Some(formats)))
            }
        }

        deserializer.deserialize_any(Written)
    }
}
