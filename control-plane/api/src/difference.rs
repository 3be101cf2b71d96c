//! What is different between two JSON values, place by place.

use serde_json::{json, Map, Value};

/// The differences in the order of the values: `{"path": "/spec/…", "before": …, "after": …}`, where a member that is not
/// there is left out. A path is a JSON pointer (RFC 6901); what was removed from an array is counted as it was before, and
/// everything else as it is after.
pub fn differences(before: &Value, after: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => objects(path, before, after, found),
        (Value::Array(before), Value::Array(after)) => arrays(path, before, after, found),
        (before, after) if before == after => {}
        (before, after) => found.push(json!({ "path": path, "before": before, "after": after })),
    }
}

fn objects(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Vec<Value>) {
    for (name, value) in before {
        let path = format!("{path}/{}", token(name));
        match after.get(name) {
            Some(new) => compare(&path, value, new, found),
            None => found.push(json!({ "path": path, "before": value })),
        }
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        found.push(json!({ "path": format!("{path}/{}", token(name)), "after": value }));
    }
}

/// Elements that are the same at both ends stay out; what is between them is compared one by one.
fn arrays(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Value>) {
    let shorter = before.len().min(after.len());
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let end = before.iter().rev().zip(after.iter().rev());
    let end = end.take(shorter - start).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[start..before.len() - end], &after[start..after.len() - end]);
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        compare(&format!("{path}/{}", start + index), old, new, found);
    }
    let both = old.len().min(new.len());
    for (index, old) in old.iter().enumerate().skip(both) {
        found.push(json!({ "path": format!("{path}/{}", start + index), "before": old }));
    }
    for (index, new) in new.iter().enumerate().skip(both) {
        found.push(json!({ "path": format!("{path}/{}", start + index), "after": new }));
    }
}

/// A member's name as a part of a JSON pointer.
fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_changed_and_nothing_else() {
        let before = json!({"a": 1, "b": {"c": [1, 2]}, "gone/x": true});
        let after = json!({"a": 1, "b": {"c": [1, 3]}, "~new": null});
        let expected = [
            json!({"path": "/b/c/1", "before": 2, "after": 3}),
            json!({"path": "/gone~1x", "before": true}),
            json!({"path": "/~0new", "after": null}),
        ];
        assert_eq!(differences(&before, &after), expected);
        assert_eq!(differences(&before, &before), Vec::<Value>::new());
    }

    #[test]
    fn an_element_put_first_is_one_difference() {
        let found = differences(&json!(["b", "c"]), &json!(["a", "b", "c"]));
        assert_eq!(found, [json!({"path": "/0", "after": "a"})]);
        let found = differences(&json!(["a", "b", "c"]), &json!(["a", "c"]));
        assert_eq!(found, [json!({"path": "/1", "before": "b"})]);
        assert_eq!(differences(&json!(["a", "a"]), &json!(["a"])).len(), 1);
        let found = differences(&json!([{"w": 1}, 0]), &json!([{"w": 2}, 0]));
        assert_eq!(found, [json!({"path": "/0/w", "before": 1, "after": 2})]);
    }

    #[test]
    fn a_value_of_another_kind_is_replaced_as_a_whole() {
        let found = differences(&json!({"a": [1]}), &json!({"a": {"b": 1}}));
        assert_eq!(found, [json!({"path": "/a", "before": [1], "after": {"b": 1}})]);
        assert_eq!(
            differences(&json!(1), &json!(2)),
            [json!({"path": "", "before": 1, "after": 2})]
        );
    }
}
