//! Bindings as they are written on the command line: `ROLE`, `ROLE:MESH` or `ROLE:MESH:KIND,KIND`.

use ferromesh_api::{Binding, Subject};
use serde_json::{json, Value};

/// Reads one.
pub(super) fn read(text: &str) -> Result<Binding, String> {
    let mut parts = text.splitn(3, ':');
    let role = parts.next().unwrap_or_default();
    let role = serde_json::from_value(json!(role))
        .map_err(|_| format!("role {role:?}: expected reader, operator or admin"))?;
    let mesh = parts.next().unwrap_or("*");
    if mesh.is_empty() {
        return Err("the mesh is empty: expected a name, a pattern, or * for all".to_owned());
    }
    let kinds = parts
        .next()
        .map(|kinds| kinds.split(',').map(kind).collect::<Result<_, _>>());
    Ok(Binding {
        role,
        mesh: mesh.to_owned(),
        kinds: kinds.transpose()?.unwrap_or_default(),
    })
}

fn kind(text: &str) -> Result<Subject, String> {
    let found = Subject::ALL.into_iter().find(|subject| subject.name() == text);
    found.ok_or_else(|| {
        let known: Vec<&str> = Subject::ALL.into_iter().map(Subject::name).collect();
        format!("kind {text:?}: expected one of {}", known.join(", "))
    })
}

/// The bindings of a key, in the same form.
pub(super) fn show(key: &Value) -> String {
    let one = |binding: &Value| {
        let text = |member: &str| {
            binding
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let kinds: Vec<&str> = binding
            .get("kinds")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut shown = format!("{}:{}", text("role"), text("mesh"));
        if !kinds.is_empty() {
            shown = format!("{shown}:{}", kinds.join(","));
        }
        shown
    };
    let all: Vec<String> = key
        .get("bindings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(one)
        .collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_shown_as_they_are_written() {
        for text in ["admin:*", "reader:shop-*", "operator:shop:route,virtualRouter"] {
            let binding = read(text).unwrap();
            assert_eq!(show(&json!({ "bindings": [binding] })), text);
        }
        assert_eq!(read("admin").unwrap(), read("admin:*").unwrap());
        for wrong in ["", "root", "admin:", "admin:*:", "admin:*:pod"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
