//! New inputs. Every byte of an input is a choice of the structured generator that reads it, so that any bytes are a
//! case that makes sense, and a changed byte is a changed choice.

use ferromesh_policy::vectors::Chance;

use crate::corpus::{Corpus, MAX_LENGTH};

/// Values that decide more often than others.
const ODD: [u8; 8] = [0, 1, 2, 7, 15, 127, 128, 255];

/// Drawn bytes; short ones are as likely as long ones.
pub fn fresh(chance: &mut impl Chance, input: &mut Vec<u8>) {
    let bound = 16 + chance.below(MAX_LENGTH as u64 - 16);
    let length = 1 + chance.index(bound as usize);
    input.clear();
    while input.len() < length {
        input.extend(chance.below(u64::MAX).to_le_bytes());
    }
    input.truncate(length);
}

/// One of the corpus with a few changes.
pub fn changed(chance: &mut impl Chance, corpus: &Corpus, input: &mut Vec<u8>) {
    input.clear();
    input.extend_from_slice(corpus.any(chance));
    for _ in 0..=chance.below(6) {
        change(chance, corpus, input);
    }
    input.truncate(MAX_LENGTH);
}

fn change(chance: &mut impl Chance, corpus: &Corpus, input: &mut Vec<u8>) {
    let at = chance.index(input.len());
    let until = |chance: &mut _, most: usize| at + Chance::index(chance, (input.len() - at).min(most) + 1);
    match chance.below(10) {
        0 | 1 => set(input, at, |byte| byte ^ 1 << chance.below(8)),
        2 | 3 => set(input, at, |_| chance.below(256) as u8),
        4 => set(input, at, |_| chance.of(&ODD)),
        5 => set(input, at, |byte| {
            byte.wrapping_add(chance.below(7) as u8).wrapping_sub(3)
        }),
        6 => {
            let end = until(chance, 32);
            input.drain(at..end);
        }
        7 => {
            let more: Vec<u8> = (0..=chance.below(16)).map(|_| chance.below(256) as u8).collect();
            input.splice(at..at, more);
        }
        8 => {
            // Again, somewhere else: the same callbacks twice.
            let end = until(chance, 128);
            let copy = input[at..end].to_vec();
            let to = chance.index(input.len() + 1);
            input.splice(to..to, copy);
        }
        _ => {
            // The beginning of one with the end of another.
            let other = corpus.any(chance);
            let from = chance.index(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

fn set(input: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = new(*byte);
    }
}
