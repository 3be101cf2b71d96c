//! Callbacks in any order, at any time, for streams with any headers; what every write of every filter must be.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place, Routes};
use ferromesh_policy::vectors::{
    Action, Chance, Choices, Configured, Executor, Metric, Native, OwnedWrite, Request, Written,
};

/// Callbacks of one input at most: an input is to be fast.
const MAX_CALLBACKS: usize = 64;
/// Streams that are open at the same time.
const STREAMS: usize = 4;

/// What a filter is asked to do next.
pub enum Callback {
    /// A new plugin configuration.
    Configure,
    /// Request headers of a stream.
    Request(usize),
    /// Response headers of a stream.
    Response(usize),
    /// The end of a stream.
    End(usize),
    /// The host's tick.
    Tick,
}

/// A filter that is played with.
pub struct Play<'i> {
    /// The input's choices.
    pub choices: Choices<'i>,
    /// The filter.
    pub filter: Native,
    /// Milliseconds. They may go back.
    pub now: u64,
    callbacks: usize,
}

impl<'i> Play<'i> {
    /// A filter with these features and the input's seed.
    pub fn new(features: Features, input: &'i [u8]) -> Self {
        let mut choices = Choices::new(input);
        let seed = choices.below(u64::MAX);
        Self {
            choices,
            filter: Native::new(features, seed),
            now: 0,
            callbacks: 0,
        }
    }

    /// The next callback and its time; `None` when the input is used up.
    pub fn next(&mut self) -> Option<Callback> {
        if self.choices.is_used_up() || self.callbacks == MAX_CALLBACKS {
            return None;
        }
        self.callbacks += 1;
        self.now = match self.choices.below(16) {
            0 => self.choices.below(u64::MAX),
            1 => self.now.saturating_sub(self.choices.below(20_000)),
            2 => self.now.saturating_add(self.choices.below(100_000)),
            3..=8 => self.now,
            _ => self.now.saturating_add(self.choices.below(256)),
        };
        let stream = self.choices.index(STREAMS);
        Some(match self.choices.below(16) {
            0 => Callback::Configure,
            1 => Callback::Tick,
            2..=7 => Callback::Request(stream),
            8..=11 => Callback::Response(stream),
            _ => Callback::End(stream),
        })
    }

    /// A request's callback: its outcome must be what the writes make of it.
    pub fn request(&mut self, stream: usize, request: &Request) {
        let outcome = self.filter.request(self.now, stream, request);
        let writes = self.filter.writes();
        writes.iter().for_each(legal);
        if outcome.action == Action::Continue && writes.is_empty() {
            assert_eq!(outcome.headers, request.headers, "headers changed without a write");
        }
    }

    /// A response's callback.
    pub fn response(&mut self, stream: usize, routes: &Routes) {
        let response = generate::response(&mut self.choices, routes, Place::Virtual);
        let headers = self.filter.response(self.now, stream, &response);
        let writes = self.filter.writes();
        writes.iter().for_each(legal);
        if writes.is_empty() {
            assert_eq!(headers, response.headers, "headers changed without a write");
        }
    }

    /// Plays the input with any configurations and routes, to its end. `seen` looks at the filter after every request
    /// that had a policy.
    pub fn anything(&mut self, mut seen: impl FnMut(&Native, &Request)) {
        let (plugin, _) = generate::plugin_configuration(&mut self.choices, Place::Virtual);
        if self.filter.configure(0, &plugin.0) == Configured::Rejected {
            self.filter
                .configure(0, br#"{"mesh":"m","node":"n","reporter":"source"}"#);
        }
        let routes = Routes::new(&mut self.choices, Place::Virtual);
        while let Some(callback) = self.next() {
            match callback {
                Callback::Configure => {
                    let (plugin, _) = generate::plugin_configuration(&mut self.choices, Place::Virtual);
                    self.filter.configure(self.now, &plugin.0);
                }
                Callback::Request(stream) => {
                    let request = generate::request(&mut self.choices, &routes, Place::Virtual);
                    self.request(stream, &request);
                    seen(&self.filter, &request);
                }
                Callback::Response(stream) => self.response(stream, &routes),
                Callback::End(stream) => self.filter.end(self.now, stream),
                Callback::Tick => self.filter.tick(self.now),
            }
        }
        for stream in 0..STREAMS {
            self.filter.end(self.now, stream);
        }
        self.filter.tick(self.now);
    }

    /// The counters and samples that were written so far.
    pub fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.filter.metrics()
    }
}

/// A write that Envoy can carry out and that no peer can be confused with: a lower-case token, and a value without
/// line ends, zeros or other control characters (RFC 9110, 5.5).
fn legal((name, write): &Written) {
    let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    assert!(!name.is_empty() && name.bytes().all(token), "header name {name:?}");
    let value = value(write).unwrap_or_default();
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    assert!(!value.iter().any(control), "{name}: {}", value.escape_ascii());
}

fn value(write: &OwnedWrite) -> Option<&[u8]> {
    match write {
        OwnedWrite::Set(value) | OwnedWrite::Add(value) => Some(value),
        OwnedWrite::Remove => None,
    }
}

/// The number in a written header; `None` when it was not written.
pub fn number(writes: &[Written], name: &str) -> Option<u64> {
    let (_, write) = writes.iter().rfind(|(written, _)| written == name)?;
    let text = std::str::from_utf8(value(write)?).expect("digits");
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no number")))
}
