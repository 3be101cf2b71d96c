//! Parsing with field paths: serde_json tells the line and column of a mistake, users need the field.

use serde::de::DeserializeOwned;

use crate::Violation;

/// Parses JSON; a mistake names its field.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Violation> {
    serde_json::from_slice(json).map_err(|error| {
        let full = error.to_string();
        // serde_json appends " at line L column C", which the path replaces.
        let message = full
            .rsplit_once(" at line ")
            .map_or(full.as_str(), |(message, _)| message);
        Violation::new(path_at(json, offset(json, error.line(), error.column())), message)
    })
}

/// The byte offset of a one-based line and column.
fn offset(json: &[u8], line: usize, column: usize) -> usize {
    let start: usize = json
        .split(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum();
    start.saturating_add(column).min(json.len())
}

enum Level {
    Object { key: Option<String> },
    Array { index: usize },
}

/// The path of the value that the first `end` bytes lead into. Lenient: the text may be any bytes.
fn path_at(json: &[u8], end: usize) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut bytes = json.iter().copied().take(end).peekable();
    let mut key_expected = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' => {
                levels.push(Level::Object { key: None });
                key_expected = true;
            }
            b'[' => {
                levels.push(Level::Array { index: 0 });
                key_expected = false;
            }
            b'}' | b']' => {
                // The offset of a mistake found at a closing bracket is just behind it: it is that level's.
                if bytes.peek().is_some() {
                    levels.pop();
                } else if let Some(Level::Object { key }) = levels.last_mut() {
                    *key = None;
                }
                key_expected = false;
            }
            b',' => match levels.last_mut() {
                Some(Level::Array { index }) => *index += 1,
                Some(Level::Object { .. }) => key_expected = true,
                None => {}
            },
            b'"' => {
                let text = string(&mut bytes);
                if key_expected {
                    if let Some(Level::Object { key }) = levels.last_mut() {
                        *key = Some(text);
                    }
                    key_expected = false;
                }
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object { key: Some(key) } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            }
            Level::Object { key: None } => {}
            Level::Array { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The rest of a string, after its opening quote. Escapes stay as they are written.
fn string(bytes: &mut impl Iterator<Item = u8>) -> String {
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => {
                text.push(byte);
                text.extend(bytes.next());
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::mesh::{PluginConfig, RouteConfig};
    use proptest::prelude::*;

    fn path_of(json: &str) -> String {
        RouteConfig::parse(json.as_bytes()).unwrap_err().path
    }

    #[test]
    fn names_the_field_of_a_wrong_type() {
        let json = r#"{"labels":{"virtualService":"v","route":"r"},
            "targets":["a","b"],
            "canary":{"weights":[1,"x"]}}"#;
        assert_eq!(path_of(json), "canary.weights[1]");
    }

    #[test]
    fn names_an_unknown_field() {
        let json = r#"{"labels":{"virtualService":"v","route":"r","colour":1},"targets":["a"]}"#;
        assert_eq!(path_of(json), "labels.colour");
    }

    #[test]
    fn names_the_object_that_lacks_a_field() {
        let json = r#"{"labels":{"virtualService":"v"},"targets":["a"]}"#;
        let violation = RouteConfig::parse(json.as_bytes()).unwrap_err();
        assert_eq!(violation.path, "labels");
        assert_eq!(violation.message, "missing field `route`");
    }

    #[test]
    fn names_nested_routes_of_a_plugin() {
        let json = r#"{"mesh":"m","node":"n","reporter":"source","routes":{"r.1":{"labels":{"virtualService":"v","route":"r"},"targets":[7]}}}"#;
        assert_eq!(
            PluginConfig::parse(json.as_bytes()).unwrap_err().path,
            "routes.r.1.targets[0]"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_policy_or_a_violation(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RouteConfig::parse(&bytes);
            let _ = PluginConfig::parse(&bytes);
        }

        #[test]
        fn any_cut_and_any_flip_of_a_policy_is_a_policy_or_a_violation(cut in 0_usize..200, at in 0_usize..200, with: u8) {
            let mut json = br#"{"labels":{"virtualService":"v","route":"r"},"targets":["a","b"],"canary":{"weights":[1,2],"sticky":{"header":"x"}}}"#.to_vec();
            json.truncate(cut);
            if let Some(byte) = json.get_mut(at) { *byte = with; }
            if let Ok(config) = RouteConfig::parse(&json) { let _ = config.compile(); }
        }
    }
}
