//! A user's own parts of a bootstrap, merged by App Mesh's rules.
//!
//! `tracing` and `stats_config` are exclusive: two of one kind are a mistake. `stats_sinks` and the listeners, clusters and
//! secrets of `static_resources` are added to what is there. Anything else replaces what is there. Names are snake_case or
//! lowerCamelCase, not both for one field.
//!
//! One rule is ours: a `stats_config` of the user's keeps the labels and buckets of our filters' metrics, which would
//! otherwise lose their labels in their names.

use serde_json::{json, Map, Value};

use super::stats_tags;

/// A file of the user's, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The variable that names it.
    pub variable: &'static str,
    /// What stands in it.
    pub content: Map<String, Value>,
}

const TRACING: &str = "tracing";
const STATS_CONFIG: &str = "stats_config";
const STATS_SINKS: &str = "stats_sinks";
const STATIC_RESOURCES: &str = "static_resources";

/// The files that have one purpose, and the field that must be in each.
pub const PURPOSES: [(&str, &str); 3] = [
    ("ENVOY_TRACING_CFG_FILE", TRACING),
    ("ENVOY_STATS_CONFIG_FILE", STATS_CONFIG),
    ("ENVOY_STATS_SINKS_CFG_FILE", STATS_SINKS),
];

/// Merges parts into a bootstrap of ours, in their order.
///
/// # Errors
/// The variable and what is wrong with its file.
pub fn merge(bootstrap: &mut Value, parts: Vec<Part>) -> Result<(), String> {
    let mut given = Given {
        tracing: bootstrap.get(TRACING).is_some(),
        stats_config: false,
    };
    for part in parts {
        let variable = part.variable;
        one(bootstrap, part, &mut given).map_err(|problem| format!("{variable}: {problem}"))?;
    }
    Ok(())
}

/// What there may be once.
struct Given {
    tracing: bool,
    stats_config: bool,
}

fn one(bootstrap: &mut Value, part: Part, given: &mut Given) -> Result<(), String> {
    let content = snake_case(part.content)?;
    let purpose = PURPOSES.iter().find(|(variable, _)| *variable == part.variable);
    if let Some((_, field)) = purpose.filter(|(_, field)| !content.contains_key(*field)) {
        return Err(format!("the file has no {field}"));
    }
    for (field, value) in content {
        match field.as_str() {
            TRACING => {
                if std::mem::replace(&mut given.tracing, true) {
                    return Err("there is a tracing configuration already, and Envoy has one tracer".to_owned());
                }
                bootstrap[TRACING] = value;
            }
            STATS_CONFIG => {
                if std::mem::replace(&mut given.stats_config, true) {
                    return Err("there is a stats_config already".to_owned());
                }
                bootstrap[STATS_CONFIG] = stats_config(value)?;
            }
            STATS_SINKS => append(bootstrap, STATS_SINKS, value)?,
            STATIC_RESOURCES => {
                let resources = snake_case(object(value, STATIC_RESOURCES)?)?;
                for (kind, value) in resources {
                    append(&mut bootstrap[STATIC_RESOURCES], &kind, value)?;
                }
            }
            _ => bootstrap[field.as_str()] = value,
        }
    }
    Ok(())
}

/// The user's, with what our own metrics need.
fn stats_config(value: Value) -> Result<Value, String> {
    let mut config = Value::Object(snake_case(object(value, STATS_CONFIG)?)?);
    let own = |name: &str| stats_tags::filters().any(|tag| tag["tag_name"] == name);
    for tag in config["stats_tags"].as_array().into_iter().flatten() {
        let name = tag.get("tag_name").or(tag.get("tagName")).and_then(Value::as_str);
        if let Some(name) = name.filter(|name| own(name)) {
            return Err(format!(
                "stats_tags has {name:?}, which is a label of the filters' metrics"
            ));
        }
    }
    append(&mut config, "stats_tags", stats_tags::filters().collect())?;
    append(&mut config, "histogram_bucket_settings", json!([super::buckets()]))?;
    Ok(config)
}

fn append(into: &mut Value, field: &str, more: Value) -> Result<(), String> {
    let Value::Array(more) = more else {
        return Err(format!("{field} is no list"));
    };
    match &mut into[field] {
        Value::Array(there) => there.extend(more),
        other => *other = Value::Array(more),
    }
    Ok(())
}

fn object(value: Value, field: &str) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(format!("{field} is no object")),
    }
}

/// The members by their names in snake_case.
fn snake_case(members: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut renamed = Map::new();
    for (name, value) in members {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        if renamed.insert(snake.clone(), value).is_some() {
            return Err(format!("{snake} stands there in snake_case and in lowerCamelCase"));
        }
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(variable: &'static str, content: Value) -> Part {
        let Value::Object(content) = content else {
            panic!("{content}")
        };
        Part { variable, content }
    }

    fn resources(content: Value) -> Part {
        part("ENVOY_RESOURCES_CONFIG_FILE", content)
    }

    fn ours() -> Value {
        json!({
            "static_resources": { "clusters": [{ "name": "ferromesh_xds" }] },
            "stats_config": { "stats_tags": stats_tags::filters().collect::<Vec<_>>() },
            "admin": {},
        })
    }

    #[test]
    fn resources_and_sinks_are_added_and_the_rest_is_replaced() {
        let mut bootstrap = ours();
        let parts = vec![
            resources(json!({ "staticResources": { "clusters": [{ "name": "more" }], "secrets": [{ "name": "s" }] } })),
            part("ENVOY_STATS_SINKS_CFG_FILE", json!({ "statsSinks": [{ "name": "a" }] })),
            resources(json!({ "stats_sinks": [{ "name": "b" }], "admin": { "address": 1 } })),
        ];
        merge(&mut bootstrap, parts).unwrap();
        assert_eq!(bootstrap["static_resources"]["clusters"][1]["name"], "more");
        assert_eq!(bootstrap["static_resources"]["secrets"][0]["name"], "s");
        assert_eq!(bootstrap["stats_sinks"], json!([{ "name": "a" }, { "name": "b" }]));
        assert_eq!(bootstrap["admin"], json!({ "address": 1 }));
    }

    #[test]
    fn a_second_tracer_is_refused_wherever_the_first_stands() {
        let file = || part("ENVOY_TRACING_CFG_FILE", json!({ "tracing": { "http": {} } }));
        let mut bootstrap = ours();
        merge(&mut bootstrap, vec![file()]).unwrap();
        let refused = merge(&mut bootstrap, vec![file()]).unwrap_err();
        assert!(refused.starts_with("ENVOY_TRACING_CFG_FILE: "), "{refused}");
        let twice = merge(&mut ours(), vec![file(), resources(json!({ "tracing": {} }))]).unwrap_err();
        assert!(twice.starts_with("ENVOY_RESOURCES_CONFIG_FILE: "), "{twice}");
    }

    #[test]
    fn a_stats_config_replaces_ours_but_for_the_filters_labels() {
        let mut bootstrap = ours();
        let tags = json!({ "statsConfig": { "statsTags": [{ "tag_name": "mine", "fixed_value": "x" }] } });
        merge(&mut bootstrap, vec![part("ENVOY_STATS_CONFIG_FILE", tags)]).unwrap();
        let names: Vec<_> = bootstrap["stats_config"]["stats_tags"]
            .as_array()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(names[0]["tag_name"], "mine");
        assert_eq!(names.len(), 1 + stats_tags::filters().count());
        let taken = json!({ "stats_config": { "stats_tags": [{ "tag_name": "mesh", "fixed_value": "x" }] } });
        let refused = merge(&mut ours(), vec![part("ENVOY_STATS_CONFIG_FILE", taken)]).unwrap_err();
        assert!(refused.contains("\"mesh\""), "{refused}");
    }

    #[test]
    fn a_file_without_what_it_is_for_is_refused() {
        let file = part("ENVOY_STATS_SINKS_CFG_FILE", json!({ "admin": {} }));
        let refused = merge(&mut ours(), vec![file]).unwrap_err();
        assert_eq!(refused, "ENVOY_STATS_SINKS_CFG_FILE: the file has no stats_sinks");
        let both = resources(json!({ "statsSinks": [], "stats_sinks": [] }));
        assert!(merge(&mut ours(), vec![both]).unwrap_err().contains("lowerCamelCase"));
    }
}
