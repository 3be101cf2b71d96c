//! Who is at the other end of a stream.

use envoy_types::pb::google::protobuf;
use prost::Message as _;
use serde_json::{Map, Number, Value};

use crate::wire;

/// What a proxy says about itself in the first request of a stream. It counts for the whole stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeInfo {
    /// `node.id`, never empty.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.metadata` as JSON.
    pub metadata: Map<String, Value>,
    /// Name and version of the client, as in `envoy/1.40.0`; just the name when it gives no version.
    pub user_agent: String,
}

impl NodeInfo {
    /// Whether the client is Envoy, by its own word.
    pub fn is_envoy(&self) -> bool {
        self.user_agent == "envoy" || self.user_agent.starts_with("envoy/")
    }
}

impl From<wire::Node> for NodeInfo {
    fn from(node: wire::Node) -> Self {
        let version = match node.user_agent_build_version.and_then(|build| build.version) {
            Some(v) => Some(format!("{}.{}.{}", v.major_number, v.minor_number, v.patch)),
            None => Some(node.user_agent_version).filter(|v| !v.is_empty()),
        };
        let user_agent = match version {
            Some(version) => format!("{}/{version}", node.user_agent_name),
            None => node.user_agent_name,
        };
        Self {
            id: node.id,
            cluster: node.cluster,
            metadata: protobuf::Struct::decode(node.metadata).map(object).unwrap_or_default(),
            user_agent,
        }
    }
}

fn object(from: protobuf::Struct) -> Map<String, Value> {
    from.fields
        .into_iter()
        .map(|(name, value)| (name, json(value)))
        .collect()
}

/// Recursion is bounded by the decoder, which refuses messages nested more than 100 deep.
fn json(value: protobuf::Value) -> Value {
    use protobuf::value::Kind;
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(b)) => Value::Bool(b),
        Some(Kind::NumberValue(n)) => Number::from_f64(n).map_or(Value::Null, Value::Number),
        Some(Kind::StringValue(s)) => Value::String(s),
        Some(Kind::StructValue(s)) => Value::Object(object(s)),
        Some(Kind::ListValue(l)) => Value::Array(l.values.into_iter().map(json).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_is_name_and_version_in_either_form() {
        let named = |version: &str, build| wire::Node {
            user_agent_name: "envoy".into(),
            user_agent_version: version.into(),
            user_agent_build_version: build,
            ..Default::default()
        };
        let build = wire::BuildVersion {
            version: Some(wire::SemanticVersion {
                major_number: 1,
                minor_number: 40,
                patch: 0,
            }),
        };
        for (node, expected) in [
            (named("", Some(build)), "envoy/1.40.0"),
            (named("1.9", None), "envoy/1.9"),
            (named("", None), "envoy"),
        ] {
            let node = NodeInfo::from(node);
            assert_eq!(node.user_agent, expected);
            assert!(node.is_envoy());
        }
    }

    #[test]
    fn metadata_becomes_json() {
        use protobuf::value::Kind;
        let value = |kind| protobuf::Value { kind: Some(kind) };
        let inner = protobuf::Struct {
            fields: [("n".into(), value(Kind::NumberValue(1.5)))].into(),
        };
        let list = protobuf::ListValue {
            values: vec![value(Kind::BoolValue(true)), value(Kind::StructValue(inner))],
        };
        let metadata = protobuf::Struct {
            fields: [
                ("l".into(), value(Kind::ListValue(list))),
                ("nan".into(), value(Kind::NumberValue(f64::NAN))),
                ("s".into(), value(Kind::StringValue("x".into()))),
            ]
            .into(),
        };
        let node = NodeInfo::from(wire::Node {
            metadata: metadata.encode_to_vec().into(),
            ..Default::default()
        });
        let expected = serde_json::json!({"l": [true, {"n": 1.5}], "nan": null, "s": "x"});
        assert_eq!(Value::Object(node.metadata), expected);
    }
}
