//! What a request must look like to take a route. The meaning is Envoy's; [`crate::simulate`] implements it.

/// All of a route's conditions; every one must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The path without its query string.
    pub path: PathMatch,
    /// Headers, including the pseudo headers `:method`, `:scheme` and `:path`.
    pub headers: Vec<HeaderMatch>,
    /// Query parameters.
    pub query: Vec<QueryMatch>,
    /// Whether only gRPC requests match (by content type).
    pub grpc_only: bool,
}

impl Match {
    /// A match on the path alone.
    pub fn path(path: PathMatch) -> Self {
        Self {
            path,
            headers: Vec::new(),
            query: Vec::new(),
            grpc_only: false,
        }
    }

    /// The one method that requests must have, if the match names one.
    pub fn exact_method(&self) -> Option<&str> {
        self.headers.iter().find_map(|header| match &header.test {
            HeaderTest::Exact(method) if header.name == ":method" && !header.invert => Some(method.as_str()),
            _ => None,
        })
    }
}

/// How the path without its query string must look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// It equals this.
    Exact(String),
    /// It starts with this, as a plain string.
    Prefix(String),
    /// All of it matches this RE2 expression.
    Regex(String),
}

/// How one header must look. Of several values any may fulfil the condition, and of a negated one none may (Envoy 1.40).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Lower-case name.
    pub name: String,
    /// The condition.
    pub test: HeaderTest,
    /// Whether the condition is negated. A missing header fulfils no condition but the negated [`HeaderTest::Present`].
    pub invert: bool,
}

impl HeaderMatch {
    /// A condition that is not negated.
    pub fn new(name: &str, test: HeaderTest) -> Self {
        Self {
            name: name.to_ascii_lowercase(),
            test,
            invert: false,
        }
    }
}

/// A condition on a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderTest {
    /// The header is there.
    Present,
    /// It equals this.
    Exact(String),
    /// It starts with this.
    Prefix(String),
    /// It ends with this.
    Suffix(String),
    /// This is somewhere in it.
    Contains(String),
    /// All of it matches this RE2 expression.
    Regex(String),
    /// It is an integer of `start..end`.
    Range {
        /// Least value.
        start: i64,
        /// First value that is too large.
        end: i64,
    },
}

/// How one query parameter must look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryMatch {
    /// Name.
    pub name: String,
    /// Value of its first occurrence; `None` asks only for its presence.
    pub exact: Option<String>,
}
