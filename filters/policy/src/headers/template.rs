//! Header values with variables.

use crate::address::without_port;
use crate::{Decimal, Property, View};

const MAX_VALUE: usize = 4_096;
/// The longest rendered value; what is longer is cut, so that a client's path cannot fill a response.
const MAX_RENDERED: usize = 4_096;

/// The variables: name, and whether only responses know it.
pub const VARIABLES: [(&str, bool); 14] = [
    ("mesh", false),
    ("node", false),
    ("virtualService", false),
    ("route", false),
    ("target", false),
    ("request.id", false),
    ("request.host", false),
    ("request.path", false),
    ("request.method", false),
    ("request.scheme", false),
    ("source.address", false),
    ("source.identity", false),
    ("response.attempts", true),
    ("response.status", true),
];

/// The indices of what only the request's headers tell. In Envoy's callbacks of the response they are gone.
const OF_REQUEST: std::ops::RangeInclusive<usize> = 5..=9;
/// The index of `response.attempts`.
const ATTEMPTS: usize = 12;

/// Where a template is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Request,
    Response,
}

/// What the variables of the mesh stand for, for one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// The mesh.
    pub mesh: &'a str,
    /// The node or gateway that this Envoy is.
    pub node: &'a str,
    /// The virtual service.
    pub virtual_service: &'a str,
    /// The route.
    pub route: &'a str,
    /// The target, where it is known.
    pub target: Option<&'a str>,
    /// Attempts, the first included, where they are known.
    pub attempts: Option<u32>,
    /// On responses: what was kept of the request.
    pub kept: Kept<'a>,
}

/// Values of the request that the response tells, in the order of the policy's list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept<'a> {
    pub(super) variables: &'a [usize],
    pub(super) values: Option<&'a super::Rendered>,
}

impl Kept<'_> {
    fn value(&self, variable: usize) -> &[u8] {
        let place = self.variables.iter().position(|kept| *kept == variable);
        let value = place.and_then(|place| self.values?.value(place));
        value.unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    /// An index into [`VARIABLES`].
    Variable(usize),
}

impl Template {
    pub(super) fn compile(value: &str, phase: Phase) -> Result<Self, String> {
        if value.is_empty() || value.len() > MAX_VALUE {
            return Err(format!("value of {} bytes must have 1 to {MAX_VALUE}", value.len()));
        }
        if value.bytes().any(is_control) {
            return Err("value must not hold control characters".to_owned());
        }
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut rest = value;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, found) = rest.split_at(at);
            text.extend_from_slice(before.as_bytes());
            if let Some(after) = found.strip_prefix("{{").or_else(|| found.strip_prefix("}}")) {
                text.extend(found.bytes().next());
                rest = after;
                continue;
            }
            let named = found.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((name, after)) = named else {
                return Err("a brace of its own must be written twice".to_owned());
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Variable(variable(name, phase)?));
            rest = after;
        }
        text.extend_from_slice(rest.as_bytes());
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { pieces, phase })
    }

    /// The value, where it has no variables.
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables that must be kept of the request.
    pub(super) fn of_request(&self) -> impl Iterator<Item = usize> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(index) if OF_REQUEST.contains(index) => Some(*index),
            _ => None,
        })
    }

    /// Whether it has `{response.attempts}`.
    pub(super) fn tells_attempts(&self) -> bool {
        self.pieces.contains(&Piece::Variable(ATTEMPTS))
    }

    pub(super) fn render<V: View>(&self, view: &V, scope: &Scope<'_>, out: &mut Vec<u8>) {
        let most = out.len().saturating_add(MAX_RENDERED);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Variable(index) => render(*index, self.phase, view, scope, out),
            }
        }
        out.truncate(most);
    }
}

fn variable(name: &str, phase: Phase) -> Result<usize, String> {
    let found = VARIABLES.iter().position(|(variable, _)| *variable == name);
    match found.and_then(|index| VARIABLES.get(index).map(|(_, late)| (index, *late))) {
        Some((_, true)) if phase == Phase::Request => Err(["{", name, "} is not known before the response"].concat()),
        Some((index, _)) => Ok(index),
        None => {
            let known: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
            Err(["{", name, "} is not one of ", &known.join(", ")].concat())
        }
    }
}

pub(super) fn render<V: View>(variable: usize, phase: Phase, view: &V, scope: &Scope<'_>, out: &mut Vec<u8>) {
    if phase == Phase::Response && OF_REQUEST.contains(&variable) {
        return push(out, scope.kept.value(variable));
    }
    match variable {
        0 => push(out, scope.mesh.as_bytes()),
        1 => push(out, scope.node.as_bytes()),
        2 => push(out, scope.virtual_service.as_bytes()),
        3 => push(out, scope.route.as_bytes()),
        4 => push(out, scope.target.unwrap_or_default().as_bytes()),
        5 => header(view.request_header("x-request-id"), out),
        6 => header(view.request_header(":authority"), out),
        7 => header(view.request_header(":path"), out),
        8 => header(view.request_header(":method"), out),
        9 => header(view.request_header(":scheme"), out),
        10 => {
            let address = view.property(Property::SourceAddress);
            let address = address.as_ref().map(AsRef::as_ref).unwrap_or_default();
            push(out, without_port(address));
        }
        11 => header(view.property(Property::PeerIdentity), out),
        ATTEMPTS => {
            if let Some(attempts) = scope.attempts {
                push(out, Decimal::new(u64::from(attempts)).as_bytes());
            }
        }
        _ => header(view.response_header(":status"), out),
    }
}

fn header<T: AsRef<[u8]>>(value: Option<T>, out: &mut Vec<u8>) {
    push(out, value.as_ref().map(AsRef::as_ref).unwrap_or_default());
}

/// What came from elsewhere may hold any bytes: those that end or hide a line are left out.
fn push(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(value.iter().copied().filter(|byte| !is_control(*byte)));
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}
