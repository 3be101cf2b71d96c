//! One mistake at a random place of a configuration.

use serde_json::{json, Value};

use crate::vectors::Chance;

/// Replaces, removes or adds something: the deeper, the likelier that everything above still holds.
pub(super) fn spoil(chance: &mut impl Chance, value: &mut Value) {
    let down = chance.below(4) > 0;
    match value {
        Value::Object(members) if down && !members.is_empty() => {
            let index = chance.index(members.len());
            if let Some(member) = members.values_mut().nth(index) {
                spoil(chance, member);
            }
        }
        Value::Array(items) if down && !items.is_empty() => {
            let index = chance.index(items.len());
            spoil(chance, &mut items[index]);
        }
        Value::Object(members) if chance.once_in(2) => {
            let name = members.keys().nth(chance.index(members.len())).cloned();
            if let Some(name) = name {
                members.remove(&name);
            }
        }
        Value::Object(members) => {
            members.insert("unheardOf".to_owned(), json!(1));
        }
        Value::Array(items) if chance.once_in(2) => items.clear(),
        other => *other = junk(chance),
    }
}

fn junk(chance: &mut impl Chance) -> Value {
    match chance.below(12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(u64::MAX),
        5 => json!(u64::from(u32::MAX) + 1),
        6 => json!(0.5),
        7 => json!(1e300),
        8 => json!(""),
        9 => json!("\u{0}\r\n\u{7f}"),
        10 => json!([[]]),
        _ => json!({ "header": "x" }),
    }
}
