//! The order of routes.
//!
//! App Mesh documents priorities (0 first, unset after 1000) and longest prefix first; for what is left it gave no
//! guarantee. Here every order is total and the same for ever: exact paths, then prefixes from long to short, then regular
//! expressions, then more conditions first, then the older route, then the name.

use std::cmp::{Ordering, Reverse};

use crate::matcher::{Match, PathMatch};

/// Place of a route among its siblings; less is earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Rank {
    priority: i64,
    path: (u8, Reverse<usize>),
    conditions: Reverse<usize>,
    created_at: f64,
    name: String,
}

/// Priority of a route that has none: after the largest, 1000.
const UNSET: i64 = 1001;

impl Rank {
    /// The rank of a route.
    pub fn new(priority: Option<i64>, matcher: &Match, created_at: f64, name: &str) -> Self {
        let path = match &matcher.path {
            PathMatch::Exact(_) => (0, Reverse(0)),
            PathMatch::Prefix(prefix) => (1, Reverse(prefix.len())),
            PathMatch::Regex(_) => (2, Reverse(0)),
        };
        Self {
            priority: priority.unwrap_or(UNSET),
            path,
            conditions: Reverse(matcher.headers.len() + matcher.query.len()),
            created_at,
            name: name.to_owned(),
        }
    }

    /// Total order.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.priority
            .cmp(&other.priority)
            .then_with(|| self.path.cmp(&other.path))
            .then_with(|| self.conditions.cmp(&other.conditions))
            .then_with(|| self.created_at.total_cmp(&other.created_at))
            .then_with(|| self.name.cmp(&other.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::{HeaderMatch, HeaderTest};

    #[test]
    fn orders_by_priority_then_path_then_conditions_then_age_then_name() {
        let match_on = |path: PathMatch, headers: usize| Match {
            headers: vec![HeaderMatch::new("a", HeaderTest::Present); headers],
            ..Match::path(path)
        };
        let prefix = |prefix: &str| PathMatch::Prefix(prefix.into());
        let expected = [
            Rank::new(Some(0), &match_on(PathMatch::Regex(".*".into()), 0), 9.0, "p0"),
            Rank::new(Some(1000), &match_on(prefix("/"), 0), 9.0, "p1000"),
            Rank::new(None, &match_on(PathMatch::Exact("/a".into()), 0), 9.0, "exact"),
            Rank::new(None, &match_on(prefix("/ab"), 0), 9.0, "long"),
            Rank::new(None, &match_on(prefix("/a"), 2), 9.0, "two headers"),
            Rank::new(None, &match_on(prefix("/a"), 1), 9.0, "one header"),
            Rank::new(None, &match_on(prefix("/a"), 0), 1.0, "old"),
            Rank::new(None, &match_on(prefix("/a"), 0), 2.0, "new a"),
            Rank::new(None, &match_on(prefix("/a"), 0), 2.0, "new b"),
            Rank::new(None, &match_on(PathMatch::Regex("/a.*".into()), 5), 0.0, "regex"),
        ];
        let mut sorted = expected.to_vec();
        sorted.reverse();
        sorted.sort_by(Rank::compare);
        assert_eq!(sorted, expected);
    }
}
