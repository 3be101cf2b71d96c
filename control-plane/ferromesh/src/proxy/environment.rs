//! Typed reading of environment variables: every problem is collected, so that one start shows all of them.

use std::{ops::RangeInclusive, time::Duration};

/// Reads variables through a look-up function, so that tests need no process environment.
pub struct Environment<'a> {
    look_up: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Environment<'a> {
    /// An environment over `look_up`, which returns a variable's value or `None` if it is not set.
    pub fn new(look_up: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            look_up,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The value of a variable; an empty one counts as not set, as in App Mesh's agent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        (self.look_up)(name).filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, with its name.
    pub fn first<'n>(&mut self, names: &[&'n str]) -> Option<(&'n str, String)> {
        names.iter().find_map(|name| Some((*name, self.text(name)?)))
    }

    /// A whole number within `range`, else `default`.
    pub fn number(&mut self, name: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.optional_number(name, range).unwrap_or(default)
    }

    /// A whole number within `range`, if the variable is set.
    pub fn optional_number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.text(name)?;
        match value.parse::<u64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.problem(format!(
                    "{name} is {value:?}: expected a whole number from {} to {}",
                    range.start(),
                    range.end()
                ));
                None
            }
        }
    }

    /// A time in whole seconds, else `default`.
    pub fn seconds(&mut self, name: &str, default: u64, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, default, range))
    }

    /// A TCP port; 0 lets the system choose one.
    pub fn port(&mut self, name: &str, default: u16) -> u16 {
        let number = self.number(name, default.into(), 0..=u16::MAX.into());
        u16::try_from(number).unwrap_or(default)
    }

    /// `1`/`true` or `0`/`false`, else `default`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).as_deref().map(str::to_ascii_lowercase) {
            None => default,
            Some(value) => match value.as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => {
                    self.problem(format!("{name} is {value:?}: expected 1, 0, true or false"));
                    default
                }
            },
        }
    }

    /// One of `words`, else the first of them.
    pub fn word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let default = words.first().copied().unwrap_or_default();
        let Some(value) = self.text(name) else {
            return default;
        };
        match words.iter().find(|word| word.eq_ignore_ascii_case(&value)) {
            Some(word) => word,
            None => {
                self.problem(format!("{name} is {value:?}: expected one of {}", words.join(", ")));
                default
            }
        }
    }

    /// Records a mistake of the user: the start is refused.
    pub fn problem(&mut self, message: String) {
        self.problems.push(message);
    }

    /// Records something the user should know that does not stop the start.
    pub fn warn(&mut self, message: String) {
        self.warnings.push(message);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems, if there are any; else the warnings are returned.
    pub fn finish(self) -> Result<Vec<String>, Vec<String>> {
        if self.problems.is_empty() {
            Ok(self.warnings)
        } else {
            Err(self.problems)
        }
    }
}
