//! A value in a format's spelling as a value of a shape of the service model.
//!
//! The shapes decide: which member a name means, whether `"80"` is a number, whether one block is a list. What no
//! shape knows is a finding. Limits are not looked at here; the model's own check sees the result.

use ferromesh_model::{
    resource::Key,
    shapes::{Member, Shape, Type},
};
use serde_json::{json, Map, Value};

use crate::{
    document::below,
    finding::{Place, Report},
    spelling::Spelling,
};

/// Converts `value`, which stands at `path`, into the wire form of `shape`. `None`: there is nothing, or nothing that
/// can be carried over, which is a finding then.
pub fn convert(
    spelling: Spelling,
    shape: &'static Shape,
    value: Value,
    path: &str,
    place: Place<'_>,
    report: &mut Report,
) -> Option<Value> {
    let mut converter = Converter {
        spelling,
        place,
        report,
    };
    converter.value(shape, value, path)
}

struct Converter<'a, 'r> {
    spelling: Spelling,
    place: Place<'a>,
    report: &'r mut Report,
}

impl Converter<'_, '_> {
    fn value(&mut self, shape: &'static Shape, value: Value, path: &str) -> Option<Value> {
        if value.is_null() {
            return None;
        }
        match &shape.ty {
            Type::Structure(members) | Type::Union(members) => self.structure(shape, members, value, path),
            Type::List { member, .. } => Some(self.list(shape, member, value, path)),
            _ => Some(self.scalar(shape, value)),
        }
    }

    fn structure(
        &mut self,
        shape: &'static Shape,
        members: &'static [Member],
        value: Value,
        path: &str,
    ) -> Option<Value> {
        let object = match value {
            Value::Object(object) => object,
            // Terraform's one block is a list with one element; an empty block's element is null.
            Value::Array(mut blocks) if self.spelling == Spelling::Terraform && blocks.len() < 2 => {
                match blocks.pop() {
                    Some(Value::Object(object)) => object,
                    Some(Value::Null) => Map::new(),
                    Some(other) => return Some(other),
                    None => return None,
                }
            }
            Value::Array(blocks) if self.spelling == Spelling::Terraform => {
                let reason = format!("it stands {} times where only one block is allowed", blocks.len());
                self.report.error(self.place, path, reason);
                return None;
            }
            other => return Some(other),
        };
        let mut converted = Map::new();
        for (name, value) in object {
            let path = below(path, &name);
            let Some((member, exact)) = self.spelling.find(members, &name) else {
                let reason = format!("{} has no such member: it is not carried over", shape.name);
                self.report.error(self.place, &path, reason);
                continue;
            };
            if !exact {
                let reason = format!("it is read as {}, which is how it is spelled", self.spelling.of(member));
                self.report.warning(self.place, &path, reason);
            }
            if self.spelling == Spelling::Terraform && is_unset(shape, member, &value) {
                continue;
            }
            if let Some(value) = self.value(member.shape, value, &path) {
                converted.insert(member.name.to_owned(), value);
            }
        }
        Some(Value::Object(converted))
    }

    fn list(&mut self, shape: &'static Shape, member: &'static Shape, value: Value, path: &str) -> Value {
        let elements = match value {
            Value::Array(elements) => elements,
            // Terraform has Cloud Map's attributes as a map.
            Value::Object(attributes)
                if self.spelling == Spelling::Terraform && shape.name == "AwsCloudMapInstanceAttributes" =>
            {
                let pair = |(key, value): (String, Value)| json!({"key": key, "value": text_of(value)});
                return attributes.into_iter().map(pair).collect();
            }
            other => return other,
        };
        let element = |(index, element)| self.value(member, element, &format!("{path}[{index}]"));
        Value::Array(elements.into_iter().enumerate().filter_map(element).collect())
    }

    /// CloudFormation and Terraform convert between texts, numbers and booleans; the others do not.
    fn scalar(&mut self, shape: &'static Shape, value: Value) -> Value {
        if matches!(self.spelling, Spelling::Wire | Spelling::Kubernetes) {
            return value;
        }
        match (&shape.ty, value) {
            (Type::Integer { .. }, Value::String(text)) => match text.trim().parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => Value::String(text),
            },
            (Type::Integer { .. }, Value::Number(number)) => match number.as_f64() {
                // 80.0 is a port all the same.
                #[allow(clippy::cast_possible_truncation)]
                Some(float) if number.as_i64().is_none() && float.fract() == 0.0 && float.abs() < 9e15 => {
                    json!(float as i64)
                }
                _ => Value::Number(number),
            },
            (Type::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => json!(true),
                "false" | "no" | "off" => json!(false),
                _ => Value::String(text),
            },
            (Type::String { .. } | Type::Enum(_), value @ (Value::Number(_) | Value::Bool(_))) => {
                Value::String(text_of(value))
            }
            (Type::String { .. }, Value::String(text)) if is_name(shape) => Value::String(name_of(text)),
            (_, value) => value,
        }
    }
}

/// A scalar as a text.
pub fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Whether the shape is a name of a resource.
fn is_name(shape: &Shape) -> bool {
    matches!(shape.name, "ResourceName" | "ServiceName")
}

/// The name in an App Mesh ARN: `Ref` gives ARNs where names are meant. Any other text is itself.
pub fn name_of(text: String) -> String {
    if text.starts_with("arn:") {
        if let Some(key) = Key::parse(&text) {
            return key.name;
        }
    }
    text
}

/// A Terraform state has a value for every attribute. Those that are not required and have the value of nothing were
/// not written; its provider does not send them either. Booleans it does send, and a duration of 0 means "no limit".
fn is_unset(shape: &Shape, member: &Member, value: &Value) -> bool {
    if member.required || (shape.name == "Duration" && member.name == "value") {
        return value.is_null();
    }
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty() && matches!(member.shape.ty, Type::List { .. }),
        Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_model::resource::Kind;

    use super::*;
    use crate::{document::Lines, resource::spec_shape};

    fn read(spelling: Spelling, kind: Kind, value: Value) -> (Value, Vec<String>) {
        let mut report = Report::default();
        let place = Place {
            file: "f",
            lines: Lines::NONE,
            subject: "",
        };
        let spec = convert(spelling, spec_shape(kind), value, "spec", place, &mut report).unwrap();
        (spec, report.into_findings().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn templates_and_states_become_the_same_spec() {
        let expected = json!({"listeners": [{
            "portMapping": {"port": 80, "protocol": "http"},
            "timeout": {"http": {"perRequest": {"unit": "s", "value": 0}}},
        }], "serviceDiscovery": {"awsCloudMap": {"namespaceName": "n", "serviceName": "7",
            "attributes": [{"key": "k", "value": "v"}]}}});
        let template = json!({"Listeners": [{
            "PortMapping": {"Port": "80", "Protocol": "http"},
            "Timeout": {"HTTP": {"PerRequest": {"Unit": "s", "Value": 0}}},
        }], "ServiceDiscovery": {"AWSCloudMap": {"NamespaceName": "n", "ServiceName": 7,
            "Attributes": [{"Key": "k", "Value": "v"}]}}});
        let state = json!({"backend": [], "backend_defaults": [], "logging": [], "listener": [{
            "connection_pool": [], "health_check": [], "tls": [],
            "port_mapping": [{"port": 80.0, "protocol": "http"}],
            "timeout": [{"http": [{"idle": [], "per_request": [{"unit": "s", "value": 0}]}], "tcp": []}],
        }], "service_discovery": [{"dns": [], "aws_cloud_map": [
            {"namespace_name": "n", "service_name": "7", "attributes": {"k": "v"}}]}]});
        assert_eq!(
            read(Spelling::CloudFormation, Kind::VirtualNode, template),
            (expected.clone(), vec![])
        );
        assert_eq!(read(Spelling::Terraform, Kind::VirtualNode, state), (expected, vec![]));
    }

    #[test]
    fn what_no_shape_knows_is_a_finding() {
        let spec = json!({"Provider": {"VirtualRouter": {"VirtualRouterName":
            "arn:aws:appmesh:eu-west-1:1:mesh/m/virtualRouter/r", "Colour": 1}}, "provider": null});
        let (read, findings) = read(Spelling::CloudFormation, Kind::VirtualService, spec);
        assert_eq!(read, json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}}));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(
            findings
                .iter()
                .any(|finding| finding.contains("spec.Provider.VirtualRouter.Colour: ")),
            "{findings:?}"
        );
        assert!(
            findings
                .iter()
                .any(|finding| finding.contains("warning: spec.provider: ")),
            "{findings:?}"
        );
    }
}
