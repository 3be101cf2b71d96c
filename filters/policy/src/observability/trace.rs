//! Traces in whatever form they come: the first valid one is kept, one is made where there is none, and the
//! forms that upstreams read are written with the same ids and the same decision to sample.
//!
//! Only headers of accepted formats are read, in the order of preference, until one is valid. With W3C alone, the
//! default, a valid trace costs one read and nothing else.

mod b3;
mod format;
mod xray;

use std::time::Duration;

use super::text::{parse_hex, Text};
use super::trace_context;
use crate::{Draws, View, Write};

pub use format::{Format, FormatList, Formats, TraceContext};

/// The longest header value that is rendered: X-Ray's.
const MAX_VALUE: usize = 74;
/// The header that belongs to `traceparent` and goes with it.
const TRACESTATE: &str = "tracestate";

/// Whether spans of a trace are recorded, as far as anybody has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Nobody has decided. W3C has no such state: translated it is sampled, like a new trace.
    #[default]
    Deferred,
    /// Not recorded.
    Denied,
    /// Recorded.
    Accepted,
    /// Recorded whatever samplers think: B3's debug flag, elsewhere the same as [`Accepted`](Self::Accepted).
    Debug,
}

/// A trace and the span that the request belongs to. Ids are never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The trace id's higher 64 bits; 0 for the 64-bit ids of B3.
    pub high: u64,
    /// The trace id's lower 64 bits.
    pub low: u64,
    /// The span id; X-Ray's header may have none.
    pub span: Option<u64>,
    /// The parent of the span; only B3 tells.
    pub parent: Option<u64>,
    /// Whether it is recorded.
    pub sampling: Sampling,
}

/// What the headers of one format say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Absent,
    Invalid,
    /// B3 can decide about a trace that has no ids yet.
    Decision(Sampling),
    Trace(Trace),
}

impl From<Option<Trace>> for Reading {
    fn from(trace: Option<Trace>) -> Self {
        trace.map_or(Self::Invalid, Self::Trace)
    }
}

/// Writes to the request headers: some formats with this trace, others removed because they were invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceWrites {
    trace: Trace,
    written: Set,
    removed: Set,
    drops_tracestate: bool,
}

/// Formats as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set(u8);

impl Set {
    fn insert(&mut self, format: Format) {
        self.0 |= 1 << format as u8;
    }

    fn contains(self, format: Format) -> bool {
        self.0 & (1 << format as u8) != 0
    }
}

impl Formats {
    /// What is to be written; `None`: the request goes on as it is. `unix` is the time since 1970; it is asked only
    /// where X-Ray is among the formats of a new trace.
    pub fn decide<V: View>(&self, view: &V, draws: &mut Draws, unix: impl FnOnce() -> Duration) -> Option<TraceWrites> {
        let mut absent = Set::default();
        let mut removed = Set::default();
        let mut sampling = Sampling::Deferred;
        let mut found = None;
        for format in self.accept.iter() {
            match self.read(view, format) {
                Reading::Absent => absent.insert(format),
                Reading::Invalid => removed.insert(format),
                Reading::Decision(decision) => sampling = decision,
                Reading::Trace(trace) => {
                    found = Some((format, trace));
                    break;
                }
            }
        }
        let mut written = Set::default();
        for format in self.emit.iter() {
            if found.is_none_or(|(kept, _)| kept != format) {
                written.insert(format);
            }
        }
        removed.0 &= !written.0;
        if written.0 | removed.0 == 0 {
            return None;
        }
        let mut trace = found.map_or_else(|| self.draw(draws, unix), |(_, trace)| trace);
        if sampling != Sampling::Deferred && (found.is_none() || trace.sampling == Sampling::Deferred) {
            trace.sampling = sampling;
        }
        trace.span = trace.span.or_else(|| Some(draws.non_zero()));
        let replaces_w3c = written.contains(Format::W3c) && !absent.contains(Format::W3c);
        Some(TraceWrites {
            trace,
            written,
            removed,
            // It belonged to a trace that was invalid, or that nobody looked at.
            drops_tracestate: replaces_w3c || removed.contains(Format::W3c),
        })
    }

    /// What is read of a format. The details of B3's headers are only worth a read when they are translated.
    fn read<V: View>(&self, view: &V, format: Format) -> Reading {
        if format == Format::B3Multi {
            let is_translated = self.emit.iter().any(|emitted| emitted != format);
            return b3::read_multi(view, is_translated);
        }
        let Some(value) = view.request_header(format.header()) else {
            return Reading::Absent;
        };
        let value = value.as_ref();
        match format {
            Format::W3c => trace_context::parse(value).into(),
            Format::Xray => xray::parse(value).into(),
            Format::B3 | Format::B3Multi => b3::parse(value),
        }
    }

    fn draw(&self, draws: &mut Draws, unix: impl FnOnce() -> Duration) -> Trace {
        let mut high = draws.non_zero();
        if self.emit.iter().any(|format| format == Format::Xray) {
            // X-Ray drops traces whose first 32 bits are not the time they began.
            high = (high & 0xffff_ffff) | (unix().as_secs() << 32);
        }
        Trace {
            high,
            low: draws.non_zero(),
            span: Some(draws.non_zero()),
            parent: None,
            sampling: Sampling::Accepted,
        }
    }
}

impl TraceWrites {
    /// The trace that is written.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The header writes in order.
    pub fn for_each_write(&self, write: &mut dyn FnMut(&str, Write<'_>)) {
        for format in Format::ALL {
            let trace = self.written.contains(format).then_some(&self.trace);
            if trace.is_none() && !self.removed.contains(format) {
                continue;
            }
            if format == Format::B3Multi {
                b3::write_multi(trace, write);
                continue;
            }
            let buffer = &mut [0; MAX_VALUE];
            let value = trace.map(|trace| Write::Set(format.render(trace, buffer)));
            write(format.header(), value.unwrap_or(Write::Remove));
        }
        if self.drops_tracestate {
            write(TRACESTATE, Write::Remove);
        }
    }
}

impl Format {
    /// The value of a format's one header.
    fn render<'b>(self, trace: &Trace, buffer: &'b mut [u8]) -> &'b [u8] {
        let mut text = Text::new(buffer);
        match self {
            Self::W3c => trace_context::render(trace, &mut text),
            Self::Xray => xray::render(trace, &mut text),
            Self::B3 | Self::B3Multi => b3::render(trace, &mut text),
        }
        text.into_bytes()
    }
}

/// An id of 16 hexadecimal digits that is not 0.
fn span_id(digits: &[u8]) -> Option<u64> {
    parse_hex(digits).filter(|id| digits.len() == 16 && *id != 0)
}

#[cfg(test)]
mod tests;
