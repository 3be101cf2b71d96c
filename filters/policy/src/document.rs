//! JSON documents: serde_json reads the text, and configurations are read from what it says.
//!
//! In two steps for two reasons. A mistake names its field, where serde_json alone names a line and a column.
//! And modules stay small: what serde derives for each type is compiled against the few calls of [`read`],
//! without serde_json's own forms of structs (lists, bytes) and of numbers in messages, which is a quarter of
//! a module.

mod read;
mod value;

use serde::de::DeserializeOwned;

use crate::Violation;
use value::Value;

/// Parses JSON; a mistake names its field.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Violation> {
    // Text that is no JSON is rare and its place is a line: the message has it.
    let value: Value = serde_json::from_slice(json).map_err(|error| {
        let place = [("line ", error.line()), (", column ", error.column())];
        let place: String = place
            .iter()
            .map(|(name, number)| [*name, &number.to_string()].concat())
            .collect();
        Violation::new("", ["the text is no JSON (", &place, ")"].concat())
    })?;
    T::deserialize(read::Reader::new(&value)).map_err(read::Mistake::into_violation)
}

#[cfg(test)]
mod tests;
