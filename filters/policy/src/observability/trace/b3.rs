//! B3, in one header and in five.
//!
//! Source: github.com/openzipkin/b3-propagation. Ids of traces have 16 or 32 digits; short ones are padded when they
//! are translated. Upper-case digits are read, as most readers do, and written in lower case.

use super::super::text::{parse_hex, Text};
use super::{span_id, Reading, Sampling, Trace};
use crate::{View, Write};

pub(super) const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const PARENT_ID: &str = "x-b3-parentspanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

/// `{trace}-{span}-{sampling}-{parent}`, the last two optional; or the decision alone.
pub(super) fn parse(value: &[u8]) -> Reading {
    match decision(value) {
        Some(decision) => Reading::Decision(decision),
        None => trace(value).into(),
    }
}

fn trace(value: &[u8]) -> Option<Trace> {
    let mut fields = value.split(|byte| *byte == b'-');
    let (high, low) = trace_id(fields.next()?)?;
    let span = Some(span_id(fields.next()?)?);
    let (mut sampling, mut parent) = (Sampling::Deferred, None);
    if let Some(field) = fields.next() {
        sampling = decision(field)?;
    }
    if let Some(field) = fields.next() {
        parent = Some(span_id(field)?);
    }
    fields.next().is_none().then_some(Trace {
        high,
        low,
        span,
        parent,
        sampling,
    })
}

pub(super) fn render(trace: &Trace, text: &mut Text<'_>) {
    text.push_hex(trace.high, 16);
    text.push_hex(trace.low, 16);
    text.push(b"-");
    text.push_hex(trace.span.unwrap_or_default(), 16);
    let decision: &[u8] = match trace.sampling {
        // Without it there is no place for the parent.
        Sampling::Deferred => return,
        Sampling::Denied => b"-0",
        Sampling::Accepted => b"-1",
        Sampling::Debug => b"-d",
    };
    text.push(decision);
    if let Some(parent) = trace.parent {
        text.push(b"-");
        text.push_hex(parent, 16);
    }
}

pub(super) fn read_multi<V: View>(view: &V, is_translated: bool) -> Reading {
    let Some(id) = view.request_header(TRACE_ID) else {
        return match multi_decision(view) {
            Sampling::Deferred => Reading::Absent,
            decision => Reading::Decision(decision),
        };
    };
    let Some((high, low)) = trace_id(id.as_ref()) else {
        return Reading::Invalid;
    };
    let span = read_span(view, SPAN_ID);
    if span.is_none() {
        return Reading::Invalid;
    }
    let (sampling, parent) = if is_translated {
        (multi_decision(view), read_span(view, PARENT_ID))
    } else {
        Default::default()
    };
    Reading::Trace(Trace {
        high,
        low,
        span,
        parent,
        sampling,
    })
}

/// All five headers, so that nothing of another trace stays; without a trace they go.
pub(super) fn write_multi(trace: Option<&Trace>, write: &mut dyn FnMut(&str, Write<'_>)) {
    let Some(trace) = trace else {
        for name in [TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED, FLAGS] {
            write(name, Write::Remove);
        }
        return;
    };
    let buffer = &mut [0; 32];
    let mut id = Text::new(buffer);
    id.push_hex(trace.high, 16);
    id.push_hex(trace.low, 16);
    write(TRACE_ID, Write::Set(id.into_bytes()));
    for (name, id) in [(SPAN_ID, trace.span), (PARENT_ID, trace.parent)] {
        let buffer = &mut [0; 16];
        let mut text = Text::new(buffer);
        text.push_hex(id.unwrap_or_default(), 16);
        write(name, id.map_or(Write::Remove, |_| Write::Set(text.into_bytes())));
    }
    let (sampled, flags) = match trace.sampling {
        Sampling::Deferred => (Write::Remove, Write::Remove),
        Sampling::Denied => (Write::Set(b"0"), Write::Remove),
        Sampling::Accepted => (Write::Set(b"1"), Write::Remove),
        // Implies acceptance, which then must not be said again.
        Sampling::Debug => (Write::Remove, Write::Set(b"1")),
    };
    write(SAMPLED, sampled);
    write(FLAGS, flags);
}

fn multi_decision<V: View>(view: &V) -> Sampling {
    let flags = view.request_header(FLAGS);
    if flags.is_some_and(|flags| flags.as_ref() == b"1") {
        return Sampling::Debug;
    }
    let sampled = view.request_header(SAMPLED);
    sampled.map_or(Sampling::Deferred, |value| match value.as_ref() {
        // What tracers before the specification sent.
        b"true" => Sampling::Accepted,
        b"false" => Sampling::Denied,
        value => decision(value).unwrap_or_default(),
    })
}

fn read_span<V: View>(view: &V, name: &str) -> Option<u64> {
    let id = view.request_header(name)?;
    span_id(id.as_ref())
}

fn decision(field: &[u8]) -> Option<Sampling> {
    match field {
        b"0" => Some(Sampling::Denied),
        b"1" => Some(Sampling::Accepted),
        b"d" => Some(Sampling::Debug),
        _ => None,
    }
}

/// 32 digits, or 16 whose higher half is 0; not 0.
fn trace_id(digits: &[u8]) -> Option<(u64, u64)> {
    let (high, low) = match digits.len() {
        16 => (0, parse_hex(digits)?),
        32 => {
            let (high, low) = digits.split_at_checked(16)?;
            (parse_hex(high)?, parse_hex(low)?)
        }
        _ => return None,
    };
    (high | low != 0).then_some((high, low))
}
