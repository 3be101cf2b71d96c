//! The example meshes of App Mesh: jq templates, filled in and turned into input for the `aws` CLI.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, Context, Result};
use serde_json::{json, Value};

use super::paths;

/// One example folder.
#[derive(Debug)]
pub struct Example {
    folder: PathBuf,
}

impl Example {
    /// The example's folder of resources, or `None`, said on standard output, when the examples are not on
    /// this machine: the only input that a test may go without.
    pub fn find(name: &str) -> Option<Self> {
        let Self { folder } = Self::find_files(name)?;
        Some(Self {
            folder: folder.join("mesh"),
        })
    }

    /// The same for an example whose files are not in a folder `mesh`.
    pub fn find_files(name: &str) -> Option<Self> {
        let Some(examples) = paths::examples() else {
            paths::say_skipped(&format!("{name}: FERROMESH_EXAMPLES names no folder of example meshes"));
            return None;
        };
        let folder = examples.join(name);
        Some(Self { folder })
    }

    /// A file filled in with `variables` and joined with the members that the walkthroughs give on the
    /// command line (mesh and resource names).
    pub fn input(&self, file: &str, variables: &[(&str, &str)], names: Value) -> Result<Value> {
        let mut input = read(&self.folder.join(file), variables)?;
        let (Some(input), Value::Object(names)) = (input.as_object_mut(), names) else {
            bail!("{file}: not an object");
        };
        input.extend(names);
        Ok(json!(input))
    }
}

fn read(file: &Path, variables: &[(&str, &str)]) -> Result<Value> {
    let template = std::fs::read_to_string(file).with_context(|| format!("example file {}", file.display()))?;
    let text = fill(&template, variables).with_context(|| format!("in {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} filled in", file.display()))
}

/// What `jq -n --arg NAME VALUE … -f FILE` makes of a template that is JSON with `$NAME` for values.
fn fill(template: &str, variables: &[(&str, &str)]) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    let mut quoted = false;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            quoted = !quoted;
        } else if quoted && next == '\\' {
            // The escaped character goes with its backslash.
            let end = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            filled.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        } else if !quoted && next == '$' {
            let name = rest[1..]
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            let (_, value) = variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .ok_or_else(|| anyhow!("no value for ${name}"))?;
            filled.push_str(&json!(value).to_string());
            rest = &rest[1 + name.len()..];
            continue;
        }
        filled.push(next);
        rest = &rest[next.len_utf8()..];
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_variables_outside_of_strings_only() {
        let filled = fill(
            r#"{"a": $HOST, "b": "$HOST \" $HOST", "c": $HOST}"#,
            &[("HOST", "x\"y")],
        );
        assert_eq!(
            filled.expect("filled"),
            r#"{"a": "x\"y", "b": "$HOST \" $HOST", "c": "x\"y"}"#
        );
    }

    #[test]
    fn a_variable_without_value_is_named() {
        let error = fill("{\"a\": $ARN}", &[]).expect_err("no value");
        assert_eq!(error.to_string(), "no value for $ARN");
    }
}
