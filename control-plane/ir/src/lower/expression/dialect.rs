//! What RE2 does not read, or reads in another way than the engine that expressions are checked and simulated with.

use regex_syntax::ast::{self, Ast};

/// Unicode categories and scripts that both engines know by these names. RE2 takes names to the letter and knows no other
/// properties.
const CLASSES: [&str; 62] = [
    "Cc",
    "Cf",
    "Co",
    "Ll",
    "Lm",
    "Lo",
    "Lt",
    "Lu",
    "Mc",
    "Me",
    "Mn",
    "Nd",
    "Nl",
    "No",
    "Pc",
    "Pd",
    "Pe",
    "Pf",
    "Pi",
    "Po",
    "Ps",
    "Sc",
    "Sk",
    "Sm",
    "So",
    "Zl",
    "Zp",
    "Zs",
    "Any",
    "Arabic",
    "Armenian",
    "Bengali",
    "Bopomofo",
    "Cherokee",
    "Common",
    "Coptic",
    "Cyrillic",
    "Devanagari",
    "Ethiopic",
    "Georgian",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hebrew",
    "Hiragana",
    "Inherited",
    "Kannada",
    "Katakana",
    "Khmer",
    "Lao",
    "Latin",
    "Malayalam",
    "Mongolian",
    "Myanmar",
    "Sinhala",
    "Syriac",
    "Tamil",
    "Telugu",
    "Thai",
    "Tibetan",
];

/// The first construct that RE2 does not have, in words.
pub fn foreign(ast: &Ast, text: &str) -> Option<String> {
    let written = |span: &ast::Span| {
        text.get(span.start.offset..span.end.offset)
            .unwrap_or_default()
            .to_owned()
    };
    match ast {
        Ast::Empty(_) | Ast::Dot(_) | Ast::ClassPerl(_) => None,
        Ast::Flags(flags) => flags_foreign(&flags.flags).then(|| format!("flags {}", written(&flags.span))),
        Ast::Literal(literal) => is_foreign_literal(literal).then(|| written(&literal.span)),
        Ast::Assertion(assertion) => {
            use ast::AssertionKind::{EndLine, EndText, NotWordBoundary, StartLine, StartText, WordBoundary};
            let known = [StartLine, EndLine, StartText, EndText, WordBoundary, NotWordBoundary];
            (!known.contains(&assertion.kind)).then(|| written(&assertion.span))
        }
        Ast::ClassUnicode(class) => (!is_known(class)).then(|| written(&class.span)),
        Ast::ClassBracketed(class) => match &class.kind {
            ast::ClassSet::Item(item) => set_foreign(item, text),
            ast::ClassSet::BinaryOp(operation) => Some(format!("the set operation {}", written(&operation.span))),
        },
        Ast::Group(group) => {
            let own = match &group.kind {
                ast::GroupKind::NonCapturing(flags) if flags_foreign(flags) => {
                    Some(format!("flags {}", written(&flags.span)))
                }
                ast::GroupKind::CaptureName { name, .. } => {
                    let is_word = name
                        .name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                    (!is_word).then(|| format!("group name {}", name.name))
                }
                _ => None,
            };
            own.or_else(|| foreign(&group.ast, text))
        }
        Ast::Alternation(alternation) => alternation.asts.iter().find_map(|member| foreign(member, text)),
        Ast::Concat(parts) => parts.asts.iter().find_map(|part| foreign(part, text)),
        Ast::Repetition(repetition) => {
            let operator = written(&repetition.op.span);
            if matches!(*repetition.ast, Ast::Repetition(_)) {
                return Some(format!("a repetition of a repetition, {}", written(&repetition.span)));
            }
            // RE2 reads it as text.
            if operator.trim_start_matches('{').trim_start().starts_with(',') || operator.contains(' ') {
                return Some(format!("the repetition {operator}"));
            }
            foreign(&repetition.ast, text)
        }
    }
}

fn is_foreign_literal(literal: &ast::Literal) -> bool {
    match &literal.kind {
        ast::LiteralKind::HexFixed(kind) | ast::LiteralKind::HexBrace(kind) => *kind != ast::HexLiteralKind::X,
        ast::LiteralKind::Superfluous | ast::LiteralKind::Meta => literal.c == '_',
        _ => false,
    }
}

fn flags_foreign(flags: &ast::Flags) -> bool {
    use ast::Flag::{CaseInsensitive, DotMatchesNewLine, MultiLine, SwapGreed};
    flags.items.iter().any(|item| match item.kind {
        ast::FlagsItemKind::Negation => false,
        ast::FlagsItemKind::Flag(flag) => ![CaseInsensitive, MultiLine, DotMatchesNewLine, SwapGreed].contains(&flag),
    })
}

fn is_known(class: &ast::ClassUnicode) -> bool {
    match &class.kind {
        ast::ClassUnicodeKind::OneLetter(letter) => "CLMNPSZ".contains(*letter),
        ast::ClassUnicodeKind::Named(name) => {
            CLASSES.contains(&name.as_str()) || (name.len() == 1 && "CLMNPSZ".contains(name.as_str()))
        }
        ast::ClassUnicodeKind::NamedValue { .. } => false,
    }
}

fn set_foreign(item: &ast::ClassSetItem, text: &str) -> Option<String> {
    let written = |span: &ast::Span| {
        text.get(span.start.offset..span.end.offset)
            .unwrap_or_default()
            .to_owned()
    };
    match item {
        ast::ClassSetItem::Empty(_) | ast::ClassSetItem::Ascii(_) | ast::ClassSetItem::Perl(_) => None,
        ast::ClassSetItem::Literal(literal) => is_foreign_literal(literal).then(|| written(&literal.span)),
        ast::ClassSetItem::Range(range) => {
            let is_foreign = is_foreign_literal(&range.start) || is_foreign_literal(&range.end);
            is_foreign.then(|| written(&range.span))
        }
        ast::ClassSetItem::Unicode(class) => (!is_known(class)).then(|| written(&class.span)),
        ast::ClassSetItem::Bracketed(inner) => Some(format!("the set {} inside a set", written(&inner.span))),
        ast::ClassSetItem::Union(union) => union.items.iter().find_map(|item| set_foreign(item, text)),
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::expression::check;

    #[test]
    fn refuses_what_re2_does_not_read_or_reads_in_another_way() {
        for foreign in [
            r"\p{sc=Greek}",
            r"\p{Script=Greek}",
            r"\p{Alphabetic}",
            r"\p{greek}",
            r"\u0041",
            r"\U00000041",
            "[a&&b]",
            "[a--b]",
            "[a~~b]",
            "[a[b]]",
            r"\b{start}a",
            r"\<a\>",
            "a**",
            "a+*",
            "x{2}{3}",
            "a{,5}",
            "(?u)a",
            "(?x)a b",
            "(?R)a",
            "(?-u)a",
            r"[\p{Alphabetic}]",
            "(?P<a.b>x)",
            r"\_",
        ] {
            assert!(check(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn takes_what_re2_takes() {
        for taken in [
            "/(?i)a",
            "(?s).*",
            "(?m)^a$",
            r"\pL\p{Lu}\p{Greek}\PN",
            r"\x41\x{41}",
            "[[:alpha:]_-]+",
            r"[^\d\]]",
            "(?P<n>a)",
            "(?<n>a)",
            "(a+)*",
            r"\.\-\/",
            "a{2,}",
            "a??",
            r"\A/a\z",
            "(?U)a+",
            "[]a]",
            r"\ba\B",
        ] {
            assert_eq!(check(taken), Ok(()), "{taken}");
        }
    }
}
