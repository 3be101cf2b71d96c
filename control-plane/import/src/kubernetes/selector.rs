//! Label selectors.

use std::collections::BTreeMap;

use serde_json::Value;

/// Whether a selector matches labels. An empty selector matches everything; `None`: it cannot be read.
pub fn matches(selector: &Value, labels: &BTreeMap<String, String>) -> Option<bool> {
    let selector = selector.as_object()?;
    let mut all = true;
    match selector.get("matchLabels") {
        None | Some(Value::Null) => {}
        Some(wanted) => {
            for (name, value) in wanted.as_object()? {
                all &= labels.get(name).map(String::as_str) == Some(value.as_str()?);
            }
        }
    }
    match selector.get("matchExpressions") {
        None | Some(Value::Null) => {}
        Some(expressions) => {
            for expression in expressions.as_array()? {
                all &= holds(expression, labels)?;
            }
        }
    }
    Some(all)
}

fn holds(expression: &Value, labels: &BTreeMap<String, String>) -> Option<bool> {
    let value = labels.get(expression.get("key")?.as_str()?);
    let values = expression.get("values").and_then(Value::as_array);
    let is_listed = || {
        let values = values?;
        Some(value.is_some_and(|value| values.iter().any(|listed| listed.as_str() == Some(value))))
    };
    match expression.get("operator")?.as_str()? {
        "In" => is_listed(),
        // Also where there is no such label.
        "NotIn" => is_listed().map(|listed| !listed),
        "Exists" => Some(value.is_some()),
        "DoesNotExist" => Some(value.is_none()),
        _ => None,
    }
}

/// Whether the selector asks for anything at all.
pub fn is_empty(selector: &Value) -> bool {
    matches(selector, &BTreeMap::new()) == Some(true)
        && ["matchLabels", "matchExpressions"].into_iter().all(|part| {
            selector.get(part).is_none_or(|part| {
                part.is_null()
                    || part.as_object().is_some_and(serde_json::Map::is_empty)
                    || part.as_array().is_some_and(Vec::is_empty)
            })
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_expressions_are_all_asked_for() {
        let labels = BTreeMap::from([("mesh".to_owned(), "shop".to_owned())]);
        let one = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!({}), Some(true)),
            (json!({"matchLabels": {"mesh": "shop"}}), Some(true)),
            (json!({"matchLabels": {"mesh": "shop", "a": "b"}}), Some(false)),
            (one("mesh", "In", json!(["shop", "x"])), Some(true)),
            (one("mesh", "NotIn", json!(["shop"])), Some(false)),
            (one("other", "NotIn", json!(["shop"])), Some(true)),
            (one("mesh", "Exists", Value::Null), Some(true)),
            (one("other", "DoesNotExist", Value::Null), Some(true)),
            (one("mesh", "Like", json!(["s"])), None),
            (json!("all"), None),
        ] {
            assert_eq!(matches(&selector, &labels), expected, "{selector}");
        }
        assert!(is_empty(&json!({"matchLabels": {}})) && !is_empty(&one("a", "DoesNotExist", Value::Null)));
    }
}
