//! A spec in a format's spelling.

use ferromesh_model::shapes::{Shape, Type};
use serde_json::Value;

use crate::spelling::Spelling;

/// The wire value of a shape with its members spelled as the format has them.
pub fn respell(spelling: Spelling, shape: &Shape, value: &Value) -> Value {
    match (&shape.ty, value) {
        (Type::Structure(members) | Type::Union(members), Value::Object(object)) => {
            let member = |(name, value): (&String, &Value)| match members.iter().find(|member| member.name == name) {
                Some(member) => (spelling.of(member), respell(spelling, member.shape, value)),
                None => (name.clone(), value.clone()),
            };
            Value::Object(object.iter().map(member).collect())
        }
        (Type::List { member, .. }, Value::Array(items)) => {
            items.iter().map(|item| respell(spelling, member, item)).collect()
        }
        (_, value) => value.clone(),
    }
}
