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
/// Different refusals of one kind that are logged in this time.
const MOST_TOLD: usize = 256;

/// What somebody was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// A discovery stream.
    Configuration,
    /// To have a report taken.
    Report,
    /// Another certificate for the one that was shown.
    Renewal,
    /// A connection: the handshake of TLS failed by the certificate that was shown.
    Connection,
}

impl Asked {
    const ALL: [Self; 4] = [Self::Configuration, Self::Report, Self::Renewal, Self::Connection];

    /// Metric and help.
    fn metric(self) -> (&'static str, &'static str) {
        match self {
            Self::Configuration => (
                "ferromesh_proxies_refused_total",
                "Proxies that got no configuration, by reason.",
            ),
            Self::Report => (
                "ferromesh_reports_refused_total",
                "Reports of proxies whose sender does not speak for them, by reason.",
            ),
            Self::Renewal => (
                "ferromesh_renewals_refused_total",
                "Certificates of proxies that were not renewed, by reason.",
            ),
            Self::Connection => (
                "ferromesh_connections_refused_total",
                "TLS handshakes that failed by the certificate that the client showed, by reason.",
            ),
        }
    }
}

#[derive(Debug, Default)]
/// Refusals and cuts, shared by all who refuse.
pub struct Counts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refused: BTreeMap<(Asked, &'static str), u64>,
    cut: BTreeMap<&'static str, u64>,
    told: HashSet<(Asked, &'static str, String)>,
    since: Option<Instant>,
}

impl Counts {
    /// Counts a refusal; whether it should be logged. `who` tells the refused apart.
    pub fn refused(&self, asked: Asked, reason: &'static str, who: &str) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.refused.entry((asked, reason)).or_default() += 1;
        if state.since.is_none_or(|since| since.elapsed() > TELL_AGAIN) {
            state.told.clear();
            state.since = Some(Instant::now());
        }
        let who: String = who.chars().take(300).collect();
        // Of each kind apart: whoever reaches the port can be refused a connection under many names.
        let told = state.told.iter().filter(|(of, ..)| *of == asked).count();
        told < MOST_TOLD && state.told.insert((asked, reason, who))
    }

    /// Counts a stream that was ended.
    pub fn cut(&self, refusal: &Refusal) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.cut.entry(refusal.word()).or_default() += 1;
    }

    /// In Prometheus' text form.
    pub fn write(&self, text: &mut String) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut show = |(name, help): (&str, &str), counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for (reason, count) in counts {
                let _ = writeln!(text, "{name}{{reason=\"{reason}\"}} {count}");
            }
        };
        for asked in Asked::ALL {
            let refused = state.refused.iter().filter(|((of, _), _)| *of == asked);
            show(
                asked.metric(),
                &mut refused.map(|((_, reason), count)| (*reason, *count)),
            );
        }
        let cut = (
            "ferromesh_proxies_cut_total",
            "Streams of proxies that were ended, by reason.",
        );
        show(cut, &mut state.cut.iter().map(|(reason, count)| (*reason, *count)));
    }
}
