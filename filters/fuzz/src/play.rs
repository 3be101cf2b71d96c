//! Callbacks in any order, at any time, for streams with any headers; what every write of every filter must be.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place, Routes};
use ferromesh_policy::vectors::{
    Action, Chance, Choices, Configured, Executor, Headers, LocalReply, Metric, Native, OwnedWrite, Request,
    RequestOutcome, Response, Written,
};

use crate::policies::{self, Named, Part};
use crate::tally::{self, Behaviour};

/// Callbacks of one input at most: an input is to be fast.
const MAX_CALLBACKS: usize = 64;
/// Streams that are open at the same time.
pub const STREAMS: usize = 4;

/// What a filter is asked to do next.
pub enum Callback {
    /// A new plugin configuration.
    Configure,
    /// Request headers of a stream.
    Request(usize),
    /// Response headers of a stream.
    Response(usize),
    /// A stream goes on that may or may not have been delayed.
    Resume(usize),
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
    /// Whether each stream waits for the end of a delay.
    waits: [bool; STREAMS],
    before: Behaviour,
    /// Routes whose policies were counted.
    met: Vec<String>,
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
            waits: [false; STREAMS],
            before: Behaviour::default(),
            met: Vec::new(),
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
            12 => Callback::Resume(stream),
            _ => Callback::End(stream),
        })
    }

    /// A new plugin configuration; whether it is in effect.
    pub fn configure(&mut self, plugin: &[u8]) -> bool {
        let accepted = self.filter.configure(self.now, plugin) == Configured::Accepted;
        tally::configuration(plugin, accepted);
        self.tell_violations(Behaviour::of(b'c'));
        accepted
    }

    fn tell_violations(&mut self, mut behaviour: Behaviour) {
        for violation in self.filter.violations() {
            behaviour = behaviour.with(violation.path.as_bytes());
        }
        behaviour.seen(&mut self.before);
    }

    fn tell(&mut self, mut behaviour: Behaviour, status: u16) {
        for (name, _) in self.filter.writes() {
            behaviour = behaviour.with(name.as_bytes());
        }
        behaviour.with(&status.to_le_bytes()).seen(&mut self.before);
    }

    /// A request's callback: its outcome must be what the writes make of it.
    pub fn request(&mut self, stream: usize, request: &Request) -> RequestOutcome {
        let outcome = self.filter.request(self.now, stream, request);
        let writes = self.filter.writes();
        writes.iter().for_each(legal);
        if outcome.action == Action::Continue && writes.is_empty() {
            assert_eq!(outcome.headers, request.headers, "headers changed without a write");
        }
        let changed = !writes.is_empty();
        let status = match &outcome.action {
            Action::Continue => 0,
            Action::Paused => 1,
            Action::LocalReply(reply) => {
                check_reply(reply);
                reply.status
            }
        };
        assert_eq!(outcome.action == Action::Paused, self.filter.delay().is_some());
        self.waits[stream] |= outcome.action == Action::Paused;
        tally::request(changed, status > 1, status == 1);
        if let (Some(route), Some(policy)) = (&request.route, &request.policy) {
            if !self.met.contains(route) {
                tally::configuration(&policy.0, self.filter.violations().is_empty());
                self.met.push(route.clone());
                self.tell_violations(Behaviour::of(b'p'));
            }
        }
        self.tell(Behaviour::of(b'q'), status);
        outcome
    }

    /// A response's callback; what the filter wrote.
    pub fn response(&mut self, stream: usize, response: &Response) -> &[Written] {
        self.response_headers(stream, response);
        self.filter.writes()
    }

    /// A response's callback; all headers as they leave the filter.
    pub fn response_headers(&mut self, stream: usize, response: &Response) -> Headers {
        let headers = self.filter.response(self.now, stream, response);
        let writes = self.filter.writes();
        writes.iter().for_each(legal);
        if writes.is_empty() {
            assert_eq!(headers, response.headers, "headers changed without a write");
        }
        tally::response(!writes.is_empty());
        self.tell(Behaviour::of(b's'), 0);
        headers
    }

    /// A delay is over, or the host says so: the answer, which only a stream that waits may have, and once.
    pub fn resume(&mut self, stream: usize) -> Option<LocalReply> {
        let reply = self.filter.resume(stream);
        let waited = std::mem::take(&mut self.waits[stream]);
        if let Some(reply) = &reply {
            assert!(waited, "an answer to a stream that does not wait");
            check_reply(reply);
            tally::answered_late();
            assert_eq!(self.filter.resume(stream), None, "a second answer");
        }
        Behaviour::of(b'u')
            .with(&[u8::from(waited), u8::from(reply.is_some())])
            .seen(&mut self.before);
        reply
    }

    /// A stream's end.
    pub fn end(&mut self, stream: usize) {
        self.filter.end(self.now, stream);
        self.waits[stream] = false;
    }

    /// Plays the input with configurations that have one part in all their routes.
    pub fn anything_with(&mut self, part: Part) {
        // Whole configurations of plugins are the other targets' subject.
        self.configure(PLUGIN);
        let named = policies::routes(&mut self.choices, part);
        self.play(&named, |_, _| {});
    }

    /// Plays the input with any configurations and routes, to its end. `seen` looks at the filter after every request
    /// that had a policy.
    pub fn anything(&mut self, mut seen: impl FnMut(&Native, &Request)) {
        let (plugin, _) = generate::plugin_configuration(&mut self.choices, Place::Virtual);
        if !self.configure(&plugin.0) {
            self.configure(PLUGIN);
        }
        self.play(&[], &mut seen);
    }

    /// Plays to the end, on these routes or, where there are none, on any.
    fn play(&mut self, named: &[Named], mut seen: impl FnMut(&Native, &Request)) {
        let routes = if named.is_empty() {
            Routes::new(&mut self.choices, Place::Virtual)
        } else {
            Routes::bare()
        };
        while let Some(callback) = self.next() {
            match callback {
                Callback::Configure if !named.is_empty() => drop(self.configure(PLUGIN)),
                Callback::Configure => {
                    let (plugin, _) = generate::plugin_configuration(&mut self.choices, Place::Virtual);
                    self.configure(&plugin.0);
                }
                Callback::Request(stream) => {
                    let mut request = generate::request(&mut self.choices, &routes, Place::Virtual);
                    if !named.is_empty() {
                        let (name, policy) = &named[self.choices.index(named.len())];
                        request.route = Some(name.clone());
                        request.policy = Some(policy.clone());
                    }
                    self.request(stream, &request);
                    seen(&self.filter, &request);
                }
                Callback::Response(stream) => {
                    let response = generate::response(&mut self.choices, &routes, Place::Virtual);
                    self.response(stream, &response);
                }
                Callback::Resume(stream) => drop(self.resume(stream)),
                Callback::End(stream) => self.end(stream),
                Callback::Tick => self.filter.tick(self.now),
            }
        }
        for stream in 0..STREAMS {
            self.end(stream);
        }
        self.filter.tick(self.now);
    }

    /// The counters and samples that were written so far.
    pub fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.filter.metrics()
    }
}

/// A plugin configuration that is accepted.
pub const PLUGIN: &[u8] = br#"{"mesh":"m","node":"n","reporter":"source"}"#;

/// An answer that Envoy can give: a status, and headers without line ends.
fn check_reply(reply: &LocalReply) {
    assert!((200..=599).contains(&reply.status), "{reply:?}");
    let control = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
    assert!(!reply.headers.values().any(|value| control(value)), "{reply:?}");
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
