//! What is wrong with a value that a user sent, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One mistake in a user's input.
///
/// The display form is `path: message`, or the message alone when the value as a whole is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Violation {
    /// Where, in wire names: `spec.httpRoute.action.weightedTargets[0].weight`. Empty for the value as a whole.
    pub path: String,
    /// What, lower case without a full stop, with the value and the limit.
    pub message: String,
}

impl Violation {
    /// A violation at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// The same violation with `prefix` put before its path.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        if self.path.is_empty() {
            self.path = prefix.to_owned();
        } else if !prefix.is_empty() {
            let separator = if self.path.starts_with('[') { "" } else { "." };
            self.path = format!("{prefix}{separator}{}", self.path);
        }
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_a_prefix_before_members_and_elements() {
        assert_eq!(
            Violation::new("weight", "m").under("targets[1]").path,
            "targets[1].weight"
        );
        assert_eq!(Violation::new("[1]", "m").under("targets").path, "targets[1]");
        assert_eq!(Violation::new("", "m").under("targets").path, "targets");
        assert_eq!(Violation::new("weight", "m").under("").path, "weight");
        assert_eq!(Violation::new("a", "is wrong").to_string(), "a: is wrong");
        assert_eq!(Violation::new("", "is wrong").to_string(), "is wrong");
    }
}
