//! What was refused and what was cut, counted.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Refusal;

/// The same refusal of the same node is logged once in this time: a proxy that is refused comes again every few seconds.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Different refusals that are logged in this time.
const MOST_TOLD: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Counts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refused: BTreeMap<&'static str, u64>,
    cut: BTreeMap<&'static str, u64>,
    told: HashSet<(&'static str, String)>,
    since: Option<Instant>,
}

impl Counts {
    /// Counts a refusal; whether it should be logged.
    pub fn refused(&self, refusal: &Refusal, node: &str) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.refused.entry(refusal.word()).or_default() += 1;
        if state.since.is_none_or(|since| since.elapsed() > TELL_AGAIN) {
            state.told.clear();
            state.since = Some(Instant::now());
        }
        let node: String = node.chars().take(300).collect();
        state.told.len() < MOST_TOLD && state.told.insert((refusal.word(), node))
    }

    pub fn cut(&self, refusal: &Refusal) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.cut.entry(refusal.word()).or_default() += 1;
    }

    pub fn write(&self, text: &mut String) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, help, counts) in [
            (
                "ferromesh_proxies_refused_total",
                "Proxies that got no configuration, by reason.",
                &state.refused,
            ),
            (
                "ferromesh_proxies_cut_total",
                "Streams of proxies that were ended, by reason.",
                &state.cut,
            ),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for (reason, count) in counts {
                let _ = writeln!(text, "{name}{{reason=\"{reason}\"}} {count}");
            }
        }
    }
}
