//! Outputs of `aws appmesh describe-…` and inputs of `create-…`: bare, in the CLI's wrapper, in lists.
//!
//! Tags are not part of a describe output. An output of `list-tags-for-resource` belongs to the resource that stands
//! before it in the same file; so the dump script writes them.

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use crate::{
    convert::convert,
    document::{below, Document},
    finding::{Place, Report},
    resource::{spec_shape, Origin, Resource},
    spelling::Spelling,
    Options,
};

/// Lists of references that the CLI's `list-…` commands print.
const LISTS: [&str; 7] = [
    "meshes",
    "virtualNodes",
    "virtualServices",
    "virtualRouters",
    "routes",
    "virtualGateways",
    "gatewayRoutes",
];

pub fn read(documents: &[Document], options: &Options, report: &mut Report) -> Vec<Resource> {
    let mut reader = Reader {
        options,
        report,
        resources: Vec::new(),
    };
    for document in documents {
        reader.value(document, &document.value, "");
    }
    reader.resources
}

/// The list of an output of `list-…`.
fn list(members: &Map<String, Value>) -> Option<&'static str> {
    let is_list = |list: &&&str| members.get(**list).is_some_and(Value::is_array);
    LISTS.iter().find(is_list).copied()
}

fn is_tags(members: &Map<String, Value>) -> bool {
    members.contains_key("tags") && members.keys().all(|key| key == "tags" || key == "nextToken")
}

/// Whether a value is what the AWS CLI prints beside resources: lists and tags.
pub fn is_part_of_dump(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|members| list(members).is_some() || is_tags(members))
}

struct Reader<'a> {
    options: &'a Options,
    report: &'a mut Report,
    resources: Vec<Resource>,
}

impl Reader<'_> {
    fn value(&mut self, document: &Document, value: &Value, path: &str) {
        let place = Place {
            file: &document.file,
            lines: &document.lines,
            subject: "",
        };
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(document, item, &format!("{path}[{index}]"));
                }
            }
            Value::Object(members) => {
                if let Some(list) = list(members) {
                    let reason = "a list output has no specs: it is left aside; describe each resource";
                    self.report.warning(place, &below(path, list), reason);
                } else if is_tags(members) {
                    self.tags(document, members, path, place);
                } else {
                    let (members, path) = unwrapped(members, path);
                    self.resource(document, members, &path);
                }
            }
            other => {
                let reason = format!("neither a resource nor a list of them, but {other}");
                let shown: String = reason.chars().take(100).collect();
                self.report.error(place, path, shown);
            }
        }
    }

    fn tags(&mut self, document: &Document, members: &Map<String, Value>, path: &str, place: Place<'_>) {
        let path = below(path, "tags");
        match self
            .resources
            .last_mut()
            .filter(|last| last.origin.file == document.file)
        {
            None => {
                let reason = "tags without a resource before them in the same file: whose they are, nobody can know";
                self.report.error(place, &path, reason);
            }
            Some(resource) => resource.tags = read_tags(members.get("tags"), "key", "value", &path, place, self.report),
        }
    }

    fn resource(&mut self, document: &Document, members: &Map<String, Value>, path: &str) {
        let place = Place {
            file: &document.file,
            lines: &document.lines,
            subject: "",
        };
        let key = match key(members, self.options.mesh.as_deref()) {
            Ok(key) => key,
            Err(reason) => return self.report.error(place, path, reason),
        };
        let subject = key.resource_part();
        let place = Place {
            subject: &subject,
            ..place
        };
        let known = [
            "metadata",
            "status",
            "meshOwner",
            "clientToken",
            "spec",
            "tags",
            "meshName",
        ];
        let names = [Some(key.kind), key.kind.parent()];
        for member in members.keys() {
            let is_name = names.iter().flatten().any(|kind| kind.name_member() == member);
            if !known.contains(&member.as_str()) && !is_name {
                self.report
                    .error(place, &below(path, member), "unknown member: it is not carried over");
            }
        }
        let spec_path = below(path, "spec");
        let spec = match members.get("spec") {
            Some(spec) => convert(
                Spelling::Wire,
                spec_shape(key.kind),
                spec.clone(),
                &spec_path,
                place,
                self.report,
            ),
            None => None,
        };
        let spec = match (spec, key.kind) {
            (Some(spec), _) => spec,
            (None, Kind::Mesh) => json!({}),
            (None, _) => return self.report.error(place, path, "it has no spec"),
        };
        let text = |pointer: &str| members.get("metadata")?.get(pointer)?.as_str().map(str::to_owned);
        let owner = members.get("meshOwner").and_then(Value::as_str).map(str::to_owned);
        if members.get("status").and_then(|status| status.get("status")) == Some(&json!("DELETED")) {
            let reason = "it was deleted when it was described: it is left aside";
            return self.report.warning(place, path, reason);
        }
        let tags = read_tags(
            members.get("tags"),
            "key",
            "value",
            &below(path, "tags"),
            place,
            self.report,
        );
        self.resources.push(Resource {
            mesh_owner: owner.or_else(|| text("meshOwner")),
            spec,
            tags,
            metadata: None,
            origin: Origin {
                file: document.file.clone(),
                line: document.lines.at(path),
                subject: subject.clone(),
                path: spec_path,
            },
            key,
        });
    }
}

/// The CLI prints `{"virtualNode": {…}}`; the service itself answers without the wrapper.
fn unwrapped<'v>(members: &'v Map<String, Value>, path: &str) -> (&'v Map<String, Value>, String) {
    if let (1, Some((name, Value::Object(inner)))) = (members.len(), members.iter().next()) {
        if Kind::from_wire_name(name).is_some() {
            return (inner, below(path, name));
        }
    }
    (members, path.to_owned())
}

fn key(members: &Map<String, Value>, default_mesh: Option<&str>) -> Result<Key, String> {
    let name = |kind: Kind| match members.get(kind.name_member()) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if !name.is_empty() => Ok(Some(name.clone())),
        Some(other) => Err(format!("{} is {other}: expected a name", kind.name_member())),
    };
    let mut names = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mesh) {
        if let Some(name) = name(kind)? {
            names.push((kind, name));
        }
    }
    let own_mesh = name(Kind::Mesh)?;
    let mesh = || {
        let mesh = own_mesh.clone().or(default_mesh.map(str::to_owned));
        mesh.ok_or_else(|| "it has no meshName, and none was given".to_owned())
    };
    // A router stands beside its route; which of the two is the resource, the route says.
    let child = names.iter().find(|(kind, _)| kind.parent().is_some()).cloned();
    match (child, names.as_slice()) {
        (Some((kind, name)), both) if both.len() == 2 => {
            let parent = both.iter().find(|(other, _)| kind.parent() == Some(*other));
            let (_, parent) = parent.ok_or_else(|| format!("{} {name:?} has no parent", kind.name_member()))?;
            Ok(Key::in_parent(mesh()?, kind, parent.clone(), name))
        }
        (Some((kind, name)), [_]) => {
            let parent = kind.parent().map_or("", Kind::name_member);
            Err(format!("{} {name:?} has no {parent}", kind.name_member()))
        }
        (None, [(kind, name)]) => Ok(Key::in_mesh(mesh()?, *kind, name.clone())),
        (None, []) => own_mesh.clone().map(Key::mesh).ok_or_else(|| {
            "it is no resource of App Mesh: none of meshName, virtualNodeName, virtualServiceName, virtualRouterName, \
             routeName, virtualGatewayName, gatewayRouteName"
                .to_owned()
        }),
        (_, several) => {
            let members: Vec<_> = several.iter().map(|(kind, _)| kind.name_member()).collect();
            Err(format!("it is several resources at once: {}", members.join(", ")))
        }
    }
}

/// A list of tags in a format's spelling.
pub fn read_tags(
    tags: Option<&Value>,
    key_name: &str,
    value_name: &str,
    path: &str,
    place: Place<'_>,
    report: &mut Report,
) -> Option<Vec<(String, String)>> {
    let items = match tags? {
        Value::Null => return None,
        Value::Array(items) => items,
        other => {
            report.error(place, path, format!("expected a list of tags, found {other}"));
            return None;
        }
    };
    let mut read = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let text = |name: &str| match item.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        let known = item
            .as_object()
            .is_some_and(|tag| tag.keys().all(|name| name == key_name || name == value_name));
        match (text(key_name), text(value_name)) {
            (Some(key), Some(value)) if known => read.push((key, value)),
            // A tag may have no value.
            (Some(key), None) if known && item.get(value_name).is_none_or(Value::is_null) => {
                read.push((key, String::new()));
            }
            _ => {
                let reason = format!("expected a tag with {key_name} and {value_name}");
                report.error(place, &format!("{path}[{index}]"), reason);
            }
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read, Source};

    #[test]
    fn tags_belong_to_the_resource_before_them() {
        let text = r#"{"mesh": {"meshName": "m", "spec": {}, "metadata": {"meshOwner": "123456789012"}, "status": {}}}
            {"tags": [{"key": "a", "value": "b"}]}
            [{"meshName": "m", "virtualRouterName": "r", "spec": {}}]"#;
        let imported = read(&[Source::new("dump.json", text)], &Options::default());
        assert!(imported.findings.is_empty(), "{:?}", imported.findings);
        assert_eq!(imported.resources[0].tags, Some(vec![("a".into(), "b".into())]));
        assert_eq!(imported.resources[0].mesh_owner.as_deref(), Some("123456789012"));
        assert_eq!(imported.resources[1].tags, None);
        assert_eq!(imported.resources[1].origin.line, Some(3));
    }

    #[test]
    fn lists_lost_tags_and_unknown_members_are_findings() {
        let text = "{\"tags\": []}\n{\"meshes\": [{\"meshName\": \"m\"}]}\n{\"meshName\": \"m\", \"colour\": 1}\n7\n\
                    {\"meshName\": \"m\", \"routeName\": \"t\", \"spec\": {}}\n{\"virtualNodeName\": \"n\", \"spec\": {}}";
        let imported = read(&[Source::new("f.json", text)], &Options::default());
        let lines: Vec<String> = imported.findings.iter().map(ToString::to_string).collect();
        for (index, start) in [
            "f.json:1: error: tags: tags without",
            "f.json:2: warning: meshes: a list output",
            "f.json:3: error: mesh/m: colour: unknown member",
            "f.json:4: error: neither",
            "f.json:5: error: routeName \"t\" has no virtualRouterName",
            "f.json:6: error: it has no meshName",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(lines[index].starts_with(start), "{lines:?}");
        }
        assert_eq!(imported.resources.len(), 1);
    }
}
