//! Bytes in a text format: a string stands for its UTF-8, `{hex: "ff00"}` for anything else.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The headers of a message, in order.
pub type Headers = Vec<(String, HeaderValue)>;

/// A header's value: a string, or `{hex: "ff00"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(pub Vec<u8>);

/// JSON for the filter: any mapping, serialised; or a string (or `{hex}`), whose bytes are handed on as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Repeated { repeat: String, times: usize },
    Hex { hex: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPayload {
    Text(String),
    Hex(OnlyHex),
    Json(serde_json::Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyHex {
    hex: String,
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Repeated { repeat, times } => Ok(Self(repeat.repeat(times).into_bytes())),
            Written::Hex { hex } => decode(&hex).map(Self).map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match WrittenPayload::deserialize(deserializer)? {
            WrittenPayload::Text(text) => Ok(Self(text.into_bytes())),
            WrittenPayload::Hex(OnlyHex { hex }) => decode(&hex).map(Self).map_err(D::Error::custom),
            WrittenPayload::Json(value) => serde_json::to_vec(&value).map(Self).map_err(D::Error::custom),
        }
    }
}

impl Serialize for HeaderValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

/// As text, whether it is JSON or not.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry("hex", &hex)?;
            map.end()
        }
    }
}

fn decode(hex: &str) -> Result<Vec<u8>, String> {
    if hex.len() % 2 != 0 || !hex.is_ascii() {
        return Err(format!("hex {hex:?} must be pairs of hexadecimal digits"));
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| {
            u8::from_str_radix(&hex[at..at + 2], 16)
                .map_err(|_| format!("hex {hex:?} must be pairs of hexadecimal digits"))
        })
        .collect()
}
