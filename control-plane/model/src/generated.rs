//! App Mesh's constraint and operation tables, generated from its service model by `generate.py`.

mod operations;
mod shapes;

use std::sync::OnceLock;

use regex::Regex;

/// A shape of the service model: a name for a type with its limits.
#[derive(Debug)]
pub struct Shape {
    /// Name in the service model: `RouteSpec`.
    pub name: &'static str,
    /// What a value must be.
    pub ty: Type,
}

/// What a value must be.
#[derive(Debug)]
pub enum Type {
    /// An object with these members and no others.
    Structure(&'static [Member]),
    /// An object with exactly one of these members.
    Union(&'static [Member]),
    /// An array of `min` to `max` elements.
    List {
        /// Shape of each element.
        member: &'static Shape,
        /// Fewest elements.
        min: usize,
        /// Most elements; `None` is no limit.
        max: Option<usize>,
    },
    /// A string of `min` to `max` characters (Unicode scalar values).
    String {
        /// Fewest characters.
        min: usize,
        /// Most characters; `None` is no limit.
        max: Option<usize>,
        /// What the string must match.
        pattern: Option<&'static Pattern>,
    },
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A number without a fraction, from `min` to `max`.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A number from `min` to `max`; App Mesh's own shapes have none.
    Float {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// `true` or `false`.
    Boolean,
    /// Seconds since 1970-01-01 UTC, with or without a fraction.
    Timestamp,
    /// Whatever JSON it is: something else judges it. App Mesh's own shapes have none.
    Any,
}

/// A member of a structure or union.
#[derive(Debug)]
pub struct Member {
    /// Name on the wire.
    pub name: &'static str,
    /// Its shape.
    pub shape: &'static Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Which part of a request carries it.
    pub location: Location,
}

/// Which part of a request carries a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The JSON body; also every member below the top.
    Body,
    /// A label of the path.
    Uri,
    /// The query string.
    Query,
}

/// A regular expression that is compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// The expression as the service model writes it.
    pub fn as_str(&self) -> &'static str {
        self.text
    }

    /// Whether `value` matches. A pattern that this crate's engine cannot compile matches nothing; a test holds that there
    /// is none.
    pub fn is_match(&self, value: &str) -> bool {
        self.compiled
            .get_or_init(|| Regex::new(self.text).ok())
            .as_ref()
            .is_some_and(|regex| regex.is_match(value))
    }
}

/// An operation of the App Mesh API. Every one answers 200 on success.
#[derive(Debug)]
pub struct Operation {
    /// Name: `CreateRoute`.
    pub name: &'static str,
    /// Request method.
    pub method: &'static str,
    /// Path with labels in braces: `/v20190125/meshes/{meshName}`.
    pub uri: &'static str,
    /// Shape of the request, with all its members wherever they are carried.
    pub input: &'static Shape,
    /// Shape of the response's body.
    pub output: &'static Shape,
    /// Names of the errors it may answer with.
    pub errors: &'static [&'static str],
}

/// The shape with this name in the service model.
pub fn shape(name: &str) -> Option<&'static Shape> {
    let index = shapes::ALL.binary_search_by(|shape| shape.name.cmp(name)).ok()?;
    shapes::ALL.get(index).copied()
}

/// All shapes that requests and responses use, sorted by name.
pub fn shapes() -> &'static [&'static Shape] {
    shapes::ALL
}

/// All 38 operations, sorted by name.
pub fn operations() -> &'static [Operation] {
    operations::ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_shape_by_its_name() {
        for shape in shapes() {
            assert_eq!(super::shape(shape.name).map(|found| found.name), Some(shape.name));
        }
        assert!(super::shape("NoSuchShape").is_none());
    }

    #[test]
    fn compiles_every_pattern() {
        let mut patterns = 0;
        for shape in shapes() {
            if let Type::String {
                pattern: Some(pattern), ..
            } = shape.ty
            {
                assert!(Regex::new(pattern.as_str()).is_ok(), "{}", pattern.as_str());
                patterns += 1;
            }
        }
        assert_eq!(patterns, 2);
    }

    #[test]
    fn holds_all_38_operations() {
        assert_eq!(operations().len(), 38);
        assert!(operations()
            .iter()
            .all(|operation| operation.uri.starts_with("/v20190125/")));
    }
}
