//! A command's configuration file: YAML with the same settings as its flags, which go before it.

use std::path::Path;

use serde::de::DeserializeOwned;

/// What the file of `--config` says; nothing without one.
///
/// # Errors
/// The file cannot be read, or says something that is no setting.
pub fn read<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T, String> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    let named = |error: &dyn std::fmt::Display| format!("--config {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    serde_saphyr::from_str(&text).map_err(|error| named(&error))
}

/// Values of a flag that may be given several times: given once, it replaces all that the file lists.
pub fn listed<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() {
        file
    } else {
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_or_says_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let read = || read::<Vec<u8>>(Some(&path));
        let missing = read().unwrap_err();
        assert!(
            missing.starts_with("--config ") && missing.contains("c.yaml"),
            "{missing}"
        );
        std::fs::write(&path, "[1, no]").unwrap();
        assert!(read().unwrap_err().contains("c.yaml"));
        std::fs::write(&path, "[1, 2]").unwrap();
        assert_eq!(read(), Ok(vec![1, 2]));
        assert_eq!(super::read::<Vec<u8>>(None), Ok(Vec::new()));
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        assert_eq!(listed(vec![1], vec![2, 3]), [1]);
        assert_eq!(listed(Vec::new(), vec![2, 3]), [2, 3]);
    }
}
