//! Regular expressions of paths, as far as a gateway has to compute with them.
//!
//! A gateway route rewrites a prefix and the service's route then matches an expression on the *new* path. In one hop the
//! expression has to be put in terms of the *old* path, which is Brzozowski's derivative: the derivative of an expression by
//! a string matches exactly the texts that make a match when the string is put before them.

mod dialect;
mod limits;

use regex::Regex;
use regex_syntax::ast::{self, Ast};

pub use limits::check;

/// An expression that can be computed with. It matches whole texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// No text.
    Never,
    /// The empty text.
    Empty,
    /// One character of a set, written in RE2's syntax.
    One(String),
    /// One after the other.
    Concat(Vec<Expression>),
    /// Any of them.
    Any(Vec<Expression>),
    /// Between so many and so many times; no maximum is no limit.
    Repeat(Box<Expression>, u32, Option<u32>),
}

/// Why an expression cannot be used, lower case without a full stop.
pub type Refusal = String;

fn syntax(text: &str) -> Result<Ast, Refusal> {
    ast::parse::Parser::new()
        .parse(text)
        .map_err(|_| format!("regular expression {text:?} is not valid"))
}

impl Expression {
    /// Reads an expression that matches whole texts.
    ///
    /// # Errors
    /// The expression is not valid, or uses what cannot be computed with: flags, word boundaries, anchors inside.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        check(text)?;
        let mut ast = syntax(text)?;
        strip_anchors(&mut ast);
        from_ast(&ast, text).map_err(|construct| {
            format!("regular expression {text:?} uses {construct}, which cannot be combined with a rewritten or matched path")
        })
    }

    /// The expression for what may follow `prefix`.
    pub fn after(&self, prefix: &str) -> Self {
        prefix
            .chars()
            .fold(self.clone(), |expression, c| expression.after_char(c))
    }

    fn after_char(&self, c: char) -> Self {
        match self {
            Self::Never | Self::Empty => Self::Never,
            Self::One(set) => {
                if contains(set, c) {
                    Self::Empty
                } else {
                    Self::Never
                }
            }
            Self::Any(members) => any(members.iter().map(|member| member.after_char(c)).collect()),
            Self::Concat(parts) => {
                let mut alternatives = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    let mut sequence = vec![part.after_char(c)];
                    sequence.extend(parts.iter().skip(index + 1).cloned());
                    alternatives.push(concat(sequence));
                    if !part.matches_empty() {
                        break;
                    }
                }
                any(alternatives)
            }
            Self::Repeat(part, min, max) => {
                if *max == Some(0) {
                    return Self::Never;
                }
                let rest = repeat((**part).clone(), min.saturating_sub(1), max.map(|max| max - 1));
                concat(vec![part.after_char(c), rest])
            }
        }
    }

    fn matches_empty(&self) -> bool {
        match self {
            Self::Never | Self::One(_) => false,
            Self::Empty => true,
            Self::Concat(parts) => parts.iter().all(Self::matches_empty),
            Self::Any(members) => members.iter().any(Self::matches_empty),
            Self::Repeat(part, min, _) => *min == 0 || part.matches_empty(),
        }
    }

    /// The same expression, but for texts without `?` and `#`: what it can match in front of a query string.
    ///
    /// # Errors
    /// A set of characters cannot be narrowed.
    pub fn without_query(&self) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Never => Self::Never,
            Self::Empty => Self::Empty,
            Self::One(set) => narrowed(set)?,
            Self::Concat(parts) => concat(parts.iter().map(Self::without_query).collect::<Result<_, _>>()?),
            Self::Any(members) => any(members.iter().map(Self::without_query).collect::<Result<_, _>>()?),
            Self::Repeat(part, min, max) => repeat(part.without_query()?, *min, *max),
        })
    }

    /// The expression in RE2's syntax; `None` if it matches no text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Never => None,
            Self::Empty => Some(String::new()),
            Self::One(set) => Some(set.clone()),
            Self::Concat(parts) => parts.iter().map(Self::text).collect(),
            Self::Any(members) => {
                let members: Option<Vec<String>> = members.iter().map(Self::text).collect();
                Some(format!("(?:{})", members?.join("|")))
            }
            Self::Repeat(part, min, max) => {
                let part = match &**part {
                    Self::One(set) => set.clone(),
                    // `any` writes its own group.
                    part @ Self::Any(_) => part.text()?,
                    part => format!("(?:{})", part.text()?),
                };
                Some(match (min, max) {
                    (0, None) => format!("{part}*"),
                    (1, None) => format!("{part}+"),
                    (0, Some(1)) => format!("{part}?"),
                    (min, None) => format!("{part}{{{min},}}"),
                    (min, Some(max)) if min == max => format!("{part}{{{min}}}"),
                    (min, Some(max)) => format!("{part}{{{min},{max}}}"),
                })
            }
        }
    }
}

/// Removes `^` at the start and `$` at the end, which say nothing where whole texts are matched.
fn strip_anchors(ast: &mut Ast) {
    let is = |ast: &Ast, kinds: [ast::AssertionKind; 2]| matches!(ast, Ast::Assertion(assertion) if kinds.contains(&assertion.kind));
    let start = [ast::AssertionKind::StartLine, ast::AssertionKind::StartText];
    let end = [ast::AssertionKind::EndLine, ast::AssertionKind::EndText];
    if let Ast::Concat(concat) = ast {
        while concat.asts.first().is_some_and(|first| is(first, start.clone())) {
            concat.asts.remove(0);
        }
        while concat.asts.last().is_some_and(|last| is(last, end.clone())) {
            concat.asts.pop();
        }
    }
}

/// # Errors
/// What the syntax tree contains that cannot be computed with.
fn from_ast(ast: &Ast, text: &str) -> Result<Expression, &'static str> {
    let source = |span: &ast::Span| {
        text.get(span.start.offset..span.end.offset)
            .unwrap_or_default()
            .to_owned()
    };
    Ok(match ast {
        Ast::Empty(_) => Expression::Empty,
        Ast::Literal(literal) => Expression::One(regex::escape(&literal.c.to_string())),
        Ast::Dot(_) => Expression::One(".".into()),
        Ast::ClassPerl(class) => Expression::One(source(&class.span)),
        Ast::ClassBracketed(class) => Expression::One(source(&class.span)),
        Ast::ClassUnicode(class) => Expression::One(source(&class.span)),
        Ast::Flags(_) => return Err("flags"),
        Ast::Assertion(_) => return Err("an anchor or a word boundary inside"),
        Ast::Group(group) => match &group.kind {
            ast::GroupKind::NonCapturing(flags) if !flags.items.is_empty() => return Err("flags"),
            _ => from_ast(&group.ast, text)?,
        },
        Ast::Alternation(alternation) => any(alternation
            .asts
            .iter()
            .map(|member| from_ast(member, text))
            .collect::<Result<_, _>>()?),
        Ast::Concat(parts) => concat(
            parts
                .asts
                .iter()
                .map(|part| from_ast(part, text))
                .collect::<Result<_, _>>()?,
        ),
        Ast::Repetition(repetition) => {
            let part = from_ast(&repetition.ast, text)?;
            let (min, max) = match &repetition.op.kind {
                ast::RepetitionKind::ZeroOrOne => (0, Some(1)),
                ast::RepetitionKind::ZeroOrMore => (0, None),
                ast::RepetitionKind::OneOrMore => (1, None),
                ast::RepetitionKind::Range(ast::RepetitionRange::Exactly(n)) => (*n, Some(*n)),
                ast::RepetitionKind::Range(ast::RepetitionRange::AtLeast(n)) => (*n, None),
                ast::RepetitionKind::Range(ast::RepetitionRange::Bounded(min, max)) => (*min, Some(*max)),
            };
            repeat(part, min, max)
        }
    })
}

fn concat(parts: Vec<Expression>) -> Expression {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Expression::Never => return Expression::Never,
            Expression::Empty => {}
            Expression::Concat(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Expression::Empty,
        1 => flat.remove(0),
        _ => Expression::Concat(flat),
    }
}

fn any(members: Vec<Expression>) -> Expression {
    let mut flat = Vec::new();
    for member in members {
        let inner = match member {
            Expression::Never => continue,
            Expression::Any(inner) => inner,
            other => vec![other],
        };
        for member in inner {
            if !flat.contains(&member) {
                flat.push(member);
            }
        }
    }
    match flat.len() {
        0 => Expression::Never,
        1 => flat.remove(0),
        _ => Expression::Any(flat),
    }
}

fn repeat(part: Expression, min: u32, max: Option<u32>) -> Expression {
    match (&part, min, max) {
        (_, _, Some(0)) | (Expression::Empty, _, _) => Expression::Empty,
        (Expression::Never, 0, _) => Expression::Empty,
        (Expression::Never, _, _) => Expression::Never,
        (_, 1, Some(1)) => part,
        _ => Expression::Repeat(Box::new(part), min, max),
    }
}

/// Whether a set, written in RE2's syntax, contains `c`. RE2's `\d`, `\s` and `\w` are ASCII, hence the ASCII engine where
/// the character allows it.
fn contains(set: &str, c: char) -> bool {
    let pattern = format!("^(?s-u:{set})$");
    if c.is_ascii() {
        if let Ok(regex) = regex::bytes::Regex::new(&pattern) {
            return regex.is_match(&[c as u8]);
        }
    }
    Regex::new(&format!(r"\A(?:{set})\z")).is_ok_and(|regex| regex.is_match(c.encode_utf8(&mut [0; 4])))
}

/// A set without `?` and `#`.
fn narrowed(set: &str) -> Result<Expression, Refusal> {
    let excluded: String = ['?', '#'].into_iter().filter(|c| contains(set, *c)).collect();
    if excluded.is_empty() {
        return Ok(Expression::One(set.to_owned()));
    }
    if set == "." {
        return Ok(Expression::One(r"[^?#\n]".into()));
    }
    if set == r"\?" || set == "#" || set == r"\#" {
        return Ok(Expression::Never);
    }
    if let Some(rest) = set.strip_prefix("[^") {
        // `]` and `-` are themselves only in the first place, which they lose.
        let escape = if rest.starts_with([']', '-']) { "\\" } else { "" };
        return Ok(Expression::One(format!("[^{excluded}{escape}{rest}")));
    }
    match set {
        r"\D" => Ok(Expression::One(r"[^\d?#]".into())),
        r"\S" => Ok(Expression::One(r"[^\s?#]".into())),
        r"\W" => Ok(Expression::One(r"[^\w?#]".into())),
        _ => Err(format!(
            "characters {set} cannot be told from the start of a query string; leave out ? and #"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::full_match;

    fn derived(regex: &str, prefix: &str) -> Option<String> {
        Expression::parse(regex).unwrap().after(prefix).text()
    }

    #[test]
    fn derives_what_may_follow_a_prefix() {
        assert_eq!(derived("/tell/[a-z]+", "/").as_deref(), Some("tell/[a-z]+"));
        assert_eq!(derived("/tell", "/tell").as_deref(), Some(""));
        assert_eq!(derived("/tell", "/x"), None);
        assert_eq!(derived("^/a.*$", "/ab").as_deref(), Some(".*"));
        assert_eq!(derived("/(a|b)/c", "/a").as_deref(), Some("/c"));
        assert_eq!(derived("/a{2,3}", "/a").as_deref(), Some("a{1,2}"));
    }

    #[test]
    fn a_derivative_matches_what_the_whole_expression_matches_behind_the_prefix() {
        let expressions = [
            "/.*",
            ".*",
            "/a.*b",
            "(/a|/ab)+",
            "/a?b*c",
            "/[^/]+/x",
            r"/\d{2,4}(-\w+)?",
            "(/x){0,2}",
            "/(a|)(b|c)*",
            ".*a",
            "/a+a",
        ];
        let prefixes = ["/", "/a", "/ab", "/12", "/x/x"];
        let rests = ["", "a", "b", "/x", "3-z", "aab", "bcbc", "/a/b", "12"];
        for expression in expressions {
            for prefix in prefixes {
                let derived = derived(expression, prefix);
                for rest in rests {
                    let whole = full_match(expression, &format!("{prefix}{rest}"));
                    let part = derived.as_deref().is_some_and(|derived| full_match(derived, rest));
                    assert_eq!(part, whole, "{expression} after {prefix} on {rest:?}: {derived:?}");
                }
            }
        }
    }

    #[test]
    fn narrows_sets_to_what_may_stand_before_a_query() {
        let narrowed = |regex: &str| Expression::parse(regex).unwrap().without_query().unwrap().text();
        assert_eq!(narrowed("/a.*").as_deref(), Some(r"/a[^?#\n]*"));
        assert_eq!(narrowed("/[^/]+").as_deref(), Some("/[^?#/]+"));
        assert_eq!(narrowed("/[^]-]").as_deref(), Some(r"/[^?#\]-]"));
        assert_eq!(narrowed("/[^-a]").as_deref(), Some(r"/[^?#\-a]"));
        assert_eq!(narrowed(r"/a\?b"), None);
        assert_eq!(narrowed(r"/\d+").as_deref(), Some(r"/\d+"));
        assert!(Expression::parse("/[!-~]").unwrap().without_query().is_err());
    }

    #[test]
    fn says_what_cannot_be_computed_with() {
        for (regex, word) in [
            ("(?i)/a", "flags"),
            (r"/a\b", "boundary"),
            ("/a^b", "anchor"),
            ("/(", "not valid"),
            ("a{1001}", "1001"),
            ("(a{100}){10}", "instructions"),
        ] {
            let refusal = Expression::parse(regex).unwrap_err();
            assert!(refusal.contains(word), "{refusal}");
        }
    }
}
