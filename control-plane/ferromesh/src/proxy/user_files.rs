//! The files that the environment names: parts of a bootstrap, and X-Ray's sampling rules.
//!
//! They are read once, before Envoy starts, and what is wrong with them is said with the name of the variable.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    bootstrap::merge::Part,
    settings::{
        tracing::{Tracer, XRaySampling},
        Settings,
    },
};

/// A bootstrap of that size is a mistake.
const SIZE_LIMIT: u64 = 16 << 20;

/// Reads the parts of a bootstrap in the order in which they are merged, and checks what Envoy would only refuse later.
///
/// # Errors
/// One message for each file that cannot be used.
pub fn read(settings: &Settings) -> Result<Vec<Part>, Vec<String>> {
    let files = [
        ("ENVOY_TRACING_CFG_FILE", &settings.tracing.file),
        ("ENVOY_STATS_CONFIG_FILE", &settings.stats.config_file),
        ("ENVOY_STATS_SINKS_CFG_FILE", &settings.stats.sinks_file),
        ("ENVOY_RESOURCES_CONFIG_FILE", &settings.bootstrap.resources_file),
    ];
    let mut parts = Vec::new();
    let mut problems = Vec::new();
    for (variable, path) in files {
        let Some(path) = path else { continue };
        match object(path) {
            // Such a file could only be meant for something; App Mesh went on with an empty one of resources.
            Ok(content) if content.is_empty() && variable == "ENVOY_RESOURCES_CONFIG_FILE" => {
                ::tracing::warn!("{variable} is {}: the file is empty", path.display());
            }
            Ok(content) if content.is_empty() => {
                problems.push(format!("{variable} is {}: the file is empty", path.display()));
            }
            Ok(content) => parts.push(Part { variable, content }),
            Err(problem) => problems.push(format!("{variable} is {}: {problem}", path.display())),
        }
    }
    problems.extend(manifest(settings));
    if problems.is_empty() {
        Ok(parts)
    } else {
        Err(problems)
    }
}

/// What is wrong with X-Ray's sampling rules. Envoy would go on with its defaults and only log it.
fn manifest(settings: &Settings) -> Option<String> {
    let Some(Tracer::XRay(x_ray)) = &settings.tracing.tracer else {
        return None;
    };
    let XRaySampling::Manifest(path) = &x_ray.sampling else {
        return None;
    };
    let problem = match object(path) {
        Err(problem) => problem,
        Ok(rules) if rules.get("version").and_then(Value::as_u64) != Some(2) => {
            "version 2 is the only one that Envoy reads".to_owned()
        }
        Ok(rules) if !rules.get("default").is_some_and(Value::is_object) => "there is no default rule".to_owned(),
        Ok(_) => return None,
    };
    Some(format!("XRAY_SAMPLING_RULE_MANIFEST is {}: {problem}", path.display()))
}

/// A file's one document in YAML or JSON.
fn object(path: &Path) -> Result<Map<String, Value>, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let size = path.metadata().map_err(|error| said(&error))?.len();
    if size > SIZE_LIMIT {
        return Err(format!("the file has {size} bytes, at most {SIZE_LIMIT} are read"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| said(&error))?;
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_saphyr::from_str(&text).map_err(|error| said(&error))? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err("expected an object in yaml or json".into()),
    }
}
