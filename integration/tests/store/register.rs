//! Whether a history of reads and writes of one register is linearizable: each call has an effect at one moment between its
//! beginning and its end. The search of Wing and Gong, with Lowe's memory of what was tried.

use std::collections::HashSet;

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Wrote a value.
    Write(u64),
    /// Read a value.
    Read(u64),
}

/// A call with its moments. One whose answer was lost has no end: it may have happened at any time since, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub call: Call,
    pub began: u64,
    pub ended: Option<u64>,
}

/// The most operations of one register: they are bits of a number.
pub const MOST: usize = 128;

/// Whether there is an order.
pub fn is_linearizable(first: u64, history: &[Operation]) -> bool {
    assert!(history.len() <= MOST, "{} operations", history.len());
    let mut tried = HashSet::new();
    search(history, 0, first, &mut tried)
}

fn search(history: &[Operation], done: u128, value: u64, tried: &mut HashSet<(u128, u64)>) -> bool {
    if !tried.insert((done, value)) {
        return false;
    }
    let open = |index: usize| done & (1 << index) == 0;
    // An operation can be next if it began before every other that is still open has ended.
    let soonest = (0..history.len())
        .filter(|index| open(*index))
        .filter_map(|index| history[index].ended)
        .min();
    let Some(soonest) = soonest else {
        // What is left need not have happened.
        return true;
    };
    (0..history.len()).filter(|index| open(*index)).any(|index| {
        let operation = &history[index];
        if operation.began > soonest {
            return false;
        }
        let next = match operation.call {
            Call::Write(written) => written,
            Call::Read(read) if read == value => value,
            Call::Read(_) => return false,
        };
        search(history, done | (1 << index), next, tried)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(history: &[(Call, u64, Option<u64>)]) -> bool {
        let operation = |(call, began, ended): &(Call, u64, Option<u64>)| Operation {
            call: *call,
            began: *began,
            ended: *ended,
        };
        is_linearizable(0, &history.iter().map(operation).collect::<Vec<_>>())
    }

    #[test]
    fn orders_are_found_and_contradictions_seen() {
        use Call::{Read, Write};
        assert!(of(&[(Write(1), 1, Some(2)), (Read(1), 3, Some(4))]));
        // A stale read, a read from the future, and one that goes back.
        assert!(!of(&[(Write(1), 1, Some(2)), (Read(0), 3, Some(4))]));
        assert!(!of(&[(Read(1), 1, Some(2)), (Write(1), 3, Some(4))]));
        let back = [(Write(1), 1, Some(9)), (Read(1), 2, Some(3)), (Read(0), 4, Some(5))];
        assert!(!of(&back));
        // Together in time, either order; and an answer that was lost, either way.
        assert!(of(&[
            (Write(1), 1, Some(5)),
            (Write(2), 1, Some(5)),
            (Read(1), 6, Some(7))
        ]));
        assert!(of(&[(Write(1), 1, None), (Read(0), 2, Some(3)), (Read(1), 4, Some(5))]));
        assert!(of(&[(Write(1), 1, None), (Read(0), 2, Some(3))]));
        // A write that is lost.
        let lost = [(Write(1), 1, Some(2)), (Write(2), 3, Some(4)), (Read(1), 5, Some(6))];
        assert!(!of(&lost));
    }
}
