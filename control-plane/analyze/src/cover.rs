//! Whether every request that one match takes is taken by another one too. Where that cannot be known the answer is no.

use ferromesh_ir::matcher::{HeaderMatch, HeaderTest, Match, PathMatch};
use regex::Regex;

/// Whether `wide` takes every request that `narrow` takes.
pub(crate) fn covers(wide: &Match, narrow: &Match) -> bool {
    let query = |wanted: &ferromesh_ir::matcher::QueryMatch| {
        narrow
            .query
            .iter()
            .any(|given| given.name == wanted.name && (wanted.exact.is_none() || wanted.exact == given.exact))
    };
    (!wide.grpc_only || narrow.grpc_only)
        && path(&wide.path, &narrow.path)
        && wide
            .headers
            .iter()
            .all(|wanted| narrow.headers.iter().any(|given| implies(given, wanted)))
        && wide.query.iter().all(query)
}

fn path(wide: &PathMatch, narrow: &PathMatch) -> bool {
    match (wide, narrow) {
        // Every path begins so.
        (PathMatch::Prefix(prefix), _) if prefix == "/" => true,
        (PathMatch::Prefix(wide), PathMatch::Prefix(narrow) | PathMatch::Exact(narrow)) => narrow.starts_with(wide),
        (PathMatch::Prefix(wide), PathMatch::Regex(narrow)) => literal_start(narrow).starts_with(wide.as_str()),
        (PathMatch::Exact(wide), PathMatch::Exact(narrow)) => wide == narrow,
        (PathMatch::Exact(_), _) => false,
        (PathMatch::Regex(wide), PathMatch::Regex(narrow)) => wide == narrow || is_everything(wide),
        (PathMatch::Regex(wide), PathMatch::Exact(narrow)) => whole(wide, narrow),
        (PathMatch::Regex(wide), PathMatch::Prefix(narrow)) => {
            let start = wide.strip_suffix(".*");
            is_everything(wide) || start.is_some_and(|start| is_literal(start) && narrow.starts_with(start))
        }
    }
}

fn is_everything(expression: &str) -> bool {
    matches!(expression, ".*" | "/.*" | "^/.*$" | "^.*$")
}

fn is_literal(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_~".contains(c))
}

/// The characters that every match of an expression begins with, as far as they are easily seen.
fn literal_start(expression: &str) -> &str {
    let text = expression.strip_prefix('^').unwrap_or(expression);
    if text.contains('|') {
        return "";
    }
    let end = text
        .find(|c: char| !is_literal(c.encode_utf8(&mut [0; 4])))
        .unwrap_or(text.len());
    let (start, rest) = text.split_at(end);
    if rest.starts_with(['?', '*', '{', '+']) {
        // What stands before it may be missing.
        let mut characters = start.chars();
        characters.next_back();
        return characters.as_str();
    }
    start
}

fn whole(expression: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{expression})$")).is_ok_and(|regex| regex.is_match(text))
}

/// Whether a header that fulfils `given` fulfils `wanted`.
fn implies(given: &HeaderMatch, wanted: &HeaderMatch) -> bool {
    if given.name != wanted.name {
        return false;
    }
    if given == wanted {
        return true;
    }
    if given.invert || wanted.invert {
        return false;
    }
    match (&given.test, &wanted.test) {
        (_, HeaderTest::Present) => true,
        (HeaderTest::Exact(value) | HeaderTest::Prefix(value), HeaderTest::Prefix(wanted)) => value.starts_with(wanted),
        (HeaderTest::Exact(value) | HeaderTest::Suffix(value), HeaderTest::Suffix(wanted)) => value.ends_with(wanted),
        (
            HeaderTest::Exact(value) | HeaderTest::Prefix(value) | HeaderTest::Suffix(value),
            HeaderTest::Contains(wanted),
        ) => value.contains(wanted),
        (HeaderTest::Exact(value), HeaderTest::Regex(wanted)) => whole(wanted, value),
        (HeaderTest::Exact(value), HeaderTest::Range { start, end }) => {
            value.parse::<i64>().is_ok_and(|value| (*start..*end).contains(&value))
        }
        (
            HeaderTest::Range { start, end },
            HeaderTest::Range {
                start: least,
                end: most,
            },
        ) => least <= start && end <= most,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Match {
        Match::path(PathMatch::Prefix(text.into()))
    }

    fn regex(text: &str) -> Match {
        Match::path(PathMatch::Regex(text.into()))
    }

    fn exact(text: &str) -> Match {
        Match::path(PathMatch::Exact(text.into()))
    }

    fn with(test: HeaderTest) -> Match {
        Match {
            headers: vec![HeaderMatch::new("x", test)],
            ..prefix("/")
        }
    }

    #[test]
    fn a_prefix_covers_what_begins_with_it() {
        assert!(covers(&prefix("/"), &prefix("/a")) && covers(&prefix("/a"), &exact("/ab")));
        assert!(!covers(&prefix("/a"), &prefix("/")) && !covers(&exact("/a"), &prefix("/a")));
        assert!(covers(&prefix("/a"), &regex("/ab[0-9]+")) && !covers(&prefix("/ab"), &regex("/ab?c")));
        assert!(!covers(&prefix("/a"), &regex("/ab|/c")) && covers(&prefix("/"), &regex("/ab|/c")));
    }

    #[test]
    fn an_expression_covers_what_it_is_known_to_match() {
        assert!(covers(&regex("/a.*"), &prefix("/ab")) && covers(&regex("/a/[0-9]+"), &exact("/a/12")));
        assert!(!covers(&regex("/a/[0-9]+"), &prefix("/a/1")) && !covers(&regex("/a.b.*"), &prefix("/a.b")));
        assert!(covers(&regex("/x+"), &regex("/x+")) && !covers(&regex("/x+"), &regex("/xx")));
    }

    #[test]
    fn conditions_of_the_wider_match_must_follow_from_the_narrower_one() {
        let is = |text: &str| HeaderTest::Exact(text.into());
        assert!(
            covers(&with(HeaderTest::Present), &with(is("1"))) && !covers(&with(is("1")), &with(HeaderTest::Present))
        );
        assert!(covers(&prefix("/"), &with(is("1"))) && !covers(&with(is("1")), &prefix("/")));
        assert!(covers(&with(HeaderTest::Range { start: 0, end: 10 }), &with(is("9"))));
        assert!(!covers(&with(HeaderTest::Range { start: 0, end: 10 }), &with(is("10"))));
        let not = Match {
            headers: vec![HeaderMatch {
                invert: true,
                ..HeaderMatch::new("x", is("1"))
            }],
            ..prefix("/")
        };
        assert!(covers(&not, &not) && !covers(&not, &with(is("2"))));
        let grpc = Match {
            grpc_only: true,
            ..prefix("/")
        };
        assert!(covers(&prefix("/"), &grpc) && !covers(&grpc, &prefix("/")));
    }
}
