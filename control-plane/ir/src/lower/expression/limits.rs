//! What Envoy takes: it refuses a whole route table for one expression that it does not.

use regex::Regex;
use regex_syntax::ast::{self, Ast};

use super::{dialect, syntax, Refusal};

/// Longest repetition that RE2 takes.
const MAX_REPETITION: u32 = 1000;
/// Largest program, in RE2's instructions, that an Envoy with App Mesh's runtime settings takes
/// (`re2.max_program_size.error_level`; without the setting Envoy 1.40 takes 100).
const MAX_PROGRAM: u64 = 1000;

/// Whether Envoy takes the expression.
///
/// # Errors
/// What is wrong with it. A few expressions that RE2 takes and that have no counterpart here are refused too.
pub fn check(text: &str) -> Result<(), Refusal> {
    Regex::new(text).map_err(|_| format!("regular expression {text:?} is not valid"))?;
    let ast = syntax(text)?;
    if let Some(construct) = dialect::foreign(&ast, text) {
        return Err(format!(
            "regular expression {text:?} uses {construct}, which RE2 does not have"
        ));
    }
    if let Some(times) = longest_repetition(&ast).filter(|times| *times > MAX_REPETITION) {
        return Err(format!(
            "regular expression {text:?} repeats {times} times, the limit is {MAX_REPETITION}"
        ));
    }
    let size = program_size(&ast);
    if size > MAX_PROGRAM {
        return Err(format!(
            "regular expression {text:?} compiles to about {size} instructions, the limit is {MAX_PROGRAM}"
        ));
    }
    Ok(())
}

/// About how many instructions RE2 makes of an expression, rather more than it does.
fn program_size(ast: &Ast) -> u64 {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => 1,
        // Bytes of UTF-8.
        Ast::Literal(literal) => literal.c.len_utf8() as u64,
        // Measured on Envoy 1.40: 2 for a dot, 3 for a negated class, 7 for a Unicode class; some are larger.
        Ast::Dot(_) => 3,
        Ast::ClassPerl(class) => {
            if class.negated {
                5
            } else {
                2
            }
        }
        Ast::ClassBracketed(class) => {
            if class.negated {
                5
            } else {
                3
            }
        }
        Ast::ClassUnicode(_) => 50,
        Ast::Group(group) => program_size(&group.ast).saturating_add(2),
        Ast::Alternation(alternation) => alternation
            .asts
            .iter()
            .map(program_size)
            .fold(1, |sum, size| sum.saturating_add(size + 1)),
        Ast::Concat(concat) => concat.asts.iter().map(program_size).fold(0, u64::saturating_add),
        Ast::Repetition(repetition) => {
            let times = match &repetition.op.kind {
                ast::RepetitionKind::Range(range) => match range {
                    ast::RepetitionRange::Exactly(n)
                    | ast::RepetitionRange::AtLeast(n)
                    | ast::RepetitionRange::Bounded(_, n) => *n,
                },
                _ => 1,
            };
            program_size(&repetition.ast)
                .saturating_add(1)
                .saturating_mul(times.max(1).into())
        }
    }
}

fn longest_repetition(ast: &Ast) -> Option<u32> {
    match ast {
        Ast::Repetition(repetition) => {
            let own = match &repetition.op.kind {
                ast::RepetitionKind::Range(ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::AtLeast(n)) => {
                    Some(*n)
                }
                ast::RepetitionKind::Range(ast::RepetitionRange::Bounded(_, n)) => Some(*n),
                _ => None,
            };
            own.max(longest_repetition(&repetition.ast))
        }
        Ast::Group(group) => longest_repetition(&group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().filter_map(longest_repetition).max(),
        Ast::Concat(concat) => concat.asts.iter().filter_map(longest_repetition).max(),
        _ => None,
    }
}
