//! AWS X-Ray's `X-Amzn-Trace-Id`.
//!
//! Source: AWS X-Ray developer guide, "Tracing header": `Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled=1`,
//! in any order and among other fields. Load balancers send `Root` alone. `Sampled=?` asks for a decision.

use super::super::text::{parse_hex, Text};
use super::{span_id, Sampling, Trace};

pub(super) fn parse(value: &[u8]) -> Option<Trace> {
    let mut root = None;
    let mut trace = Trace::default();
    for field in value.split(|byte| *byte == b';') {
        let field = field.trim_ascii();
        if let Some(id) = field.strip_prefix(b"Root=") {
            root = Some(trace_id(id)?);
        } else if let Some(id) = field.strip_prefix(b"Parent=") {
            trace.span = Some(span_id(id)?);
        } else if let Some(decision) = field.strip_prefix(b"Sampled=") {
            trace.sampling = match decision {
                b"1" => Sampling::Accepted,
                b"0" => Sampling::Denied,
                b"?" => Sampling::Deferred,
                _ => return None,
            };
        }
    }
    (trace.high, trace.low) = root?;
    Some(trace)
}

pub(super) fn render(trace: &Trace, text: &mut Text<'_>) {
    text.push(b"Root=1-");
    text.push_hex(trace.high >> 32, 8);
    text.push(b"-");
    text.push_hex(trace.high, 8);
    text.push_hex(trace.low, 16);
    if let Some(span) = trace.span {
        text.push(b";Parent=");
        text.push_hex(span, 16);
    }
    let decision: &[u8] = match trace.sampling {
        Sampling::Deferred => b"",
        Sampling::Denied => b";Sampled=0",
        Sampling::Accepted | Sampling::Debug => b";Sampled=1",
    };
    text.push(decision);
}

/// Version 1: 8 digits of the time it began, 24 random ones.
fn trace_id(id: &[u8]) -> Option<(u64, u64)> {
    let rest = id.strip_prefix(b"1-")?;
    let (time, rest) = rest.split_at_checked(8)?;
    let random = rest.strip_prefix(b"-")?;
    let (middle, low) = random.split_at_checked(8)?;
    let high = parse_hex(time)? << 32 | parse_hex(middle)?;
    let low = parse_hex(low).filter(|_| low.len() == 16)?;
    (high | low != 0).then_some((high, low))
}
