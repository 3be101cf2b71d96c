//! A resource that was read, and its place in the order of creation.

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Value};

/// Where a resource was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// Line in it, from 1, where it is known.
    pub line: Option<u32>,
    /// What the file calls it: a logical id, `VirtualNode shop/cart`, `aws_appmesh_route.a`.
    pub subject: String,
    /// Where its spec stands in the file's structure.
    pub path: String,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.subject.is_empty() {
            write!(f, ", {}", self.subject)?;
        }
        Ok(())
    }
}

/// One App Mesh resource, as `aws appmesh create-…` would take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Which one.
    pub key: Key,
    /// Account that owns the mesh, where the input says so.
    pub mesh_owner: Option<String>,
    /// Its spec, in the API's spelling.
    pub spec: Value,
    /// Its tags as key and value; `None` where the input does not speak of tags.
    pub tags: Option<Vec<(String, String)>>,
    /// `metadata` of a describe output: [`crate::write`] puts it into dumps, no format gives it back.
    pub metadata: Option<Value>,
    /// Where it was read.
    pub origin: Origin,
}

impl Resource {
    /// A resource without tags, owner and origin.
    pub fn new(key: Key, spec: Value) -> Self {
        Self {
            key,
            mesh_owner: None,
            spec,
            tags: None,
            metadata: None,
            origin: Origin::default(),
        }
    }

    /// Place in the order of creation: whatever is referred to comes before whatever refers.
    pub fn rank(&self) -> usize {
        Kind::ALL
            .iter()
            .position(|kind| *kind == self.key.kind)
            .unwrap_or(Kind::ALL.len())
    }

    /// The input of `aws appmesh create-…`: `{"meshName": …, "virtualNodeName": …, "spec": …, "tags": […]}`.
    pub fn create_input(&self) -> Value {
        let mut input = json!({ "meshName": self.key.mesh });
        if let (Some(kind), Some(parent)) = (self.key.kind.parent(), &self.key.parent) {
            input[kind.name_member()] = json!(parent);
        }
        input[self.key.kind.name_member()] = json!(self.key.name);
        if let (Some(owner), true) = (&self.mesh_owner, self.key.kind != Kind::Mesh) {
            input["meshOwner"] = json!(owner);
        }
        input["spec"] = self.spec.clone();
        if let Some(tags) = self.tag_list() {
            input["tags"] = tags;
        }
        input
    }

    /// The tags as the API has them: `[{"key": …, "value": …}]`.
    pub fn tag_list(&self) -> Option<Value> {
        let tags = self.tags.as_ref()?;
        Some(
            tags.iter()
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect(),
        )
    }
}

/// Name of the shape of a kind's spec: `VirtualNodeSpec`.
pub fn spec_shape(kind: Kind) -> &'static ferromesh_model::shapes::Shape {
    static EMPTY: ferromesh_model::shapes::Shape = ferromesh_model::shapes::Shape {
        name: "Spec",
        ty: ferromesh_model::shapes::Type::Any,
    };
    let name = format!("{}Spec", kind.shape_name());
    // The service model has a spec for every kind; a test holds that.
    ferromesh_model::shapes::shape(&name).unwrap_or(&EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_spec_in_the_service_model() {
        for kind in Kind::ALL {
            assert_eq!(spec_shape(kind).name, format!("{}Spec", kind.shape_name()));
        }
    }

    #[test]
    fn a_route_is_written_with_both_its_names() {
        let mut route = Resource::new(Key::in_parent("m", Kind::Route, "r", "t"), json!({"a": 1}));
        route.tags = Some(vec![("k".into(), "v".into())]);
        route.mesh_owner = Some("123456789012".into());
        let expected = json!({"meshName": "m", "meshOwner": "123456789012", "virtualRouterName": "r", "routeName": "t",
            "spec": {"a": 1}, "tags": [{"key": "k", "value": "v"}]});
        assert_eq!(route.create_input(), expected);
    }
}
