//! Requests against circuit breakers, beside one that is kept by hand from a list of everything that happened.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::{Action, Chance, Choices, Executor, HeaderValue, Payload, Request, Response};
use serde_json::{json, Value};

use crate::play::{Callback, Play, PLUGIN, STREAMS};
use crate::policies::{self, Part};

/// Parts of a window (see the breaker's documentation).
const SLOTS: u64 = 10;
/// What a request is told to wait for at most while a probe is under way, in milliseconds.
const PROBE_WAIT: u64 = 1_000;

const PART: Part = ("circuitBreaker", part);

/// One input: half of them with anything, half with one breaker that is checked exactly.
pub fn requests(input: &[u8]) {
    match input {
        [first, rest @ ..] if first % 2 == 0 => Play::new(Features::CIRCUIT_BREAKER, rest).anything_with(PART),
        [_, rest @ ..] => exact(Play::new(Features::CIRCUIT_BREAKER, rest)),
        [] => {}
    }
}

fn part(choices: &mut Choices<'_>) -> Value {
    let mut breaker = json!({
        "per": choices.of(&["target", "target", "service", "host"]),
        "minRequests": choices.of(&[1, 2, 3]),
        "errorRatio": policies::share(choices, 1.0),
    });
    if choices.once_in(2) {
        breaker["minRequests"] = policies::number(choices, 1, 1_000_000);
    }
    for (name, most) in [
        ("windowSeconds", 3_600),
        ("ejectSeconds", 86_400),
        ("maxEjectSeconds", 86_400),
        ("probes", 1_000),
    ] {
        if choices.once_in(3) {
            breaker[name] = policies::number(choices, 1, most);
        }
    }
    if choices.once_in(3) {
        breaker["slowMillis"] = policies::number(choices, 1, 3_600_000);
    }
    if choices.once_in(3) {
        breaker["slowRatio"] = policies::share(choices, 1.0);
    }
    if choices.once_in(3) {
        breaker["status"] = policies::number(choices, 400, 599);
    }
    breaker
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Success,
    Error,
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Admitting,
    Ejecting {
        since: u64,
        lasts: u64,
    },
    Probing {
        succeeded: u64,
        probe: Option<u64>,
        lasted: u64,
    },
}

/// A breaker in milliseconds.
struct Model {
    slot: u64,
    min_requests: u64,
    error_tenths: u64,
    slow: Option<(u64, u64)>,
    eject: u64,
    longest: u64,
    probes: u64,
    state: State,
    /// Changes of state so far, and new probes: a request says nothing about a later one.
    epoch: u64,
    trips: u32,
    last: Option<(u64, u64)>,
    /// Slot and outcome of everything since the window was cleared.
    outcomes: Vec<(u64, Outcome)>,
    current: u64,
}

impl Model {
    /// Admits with an epoch, or refuses for so long.
    fn admit(&mut self, now: u64) -> Result<u64, u64> {
        // A clock that went back begins a span anew.
        let left = |since: &mut u64, lasts: u64| {
            *since = now.min(*since);
            lasts.saturating_sub(now - *since)
        };
        let (wait, probe) = match &mut self.state {
            State::Admitting => (0, None),
            State::Ejecting { since, lasts } => (left(since, *lasts), Some((0, *lasts))),
            State::Probing {
                succeeded,
                probe,
                lasted,
            } => {
                let wait = probe
                    .as_mut()
                    .map_or(0, |began| left(began, self.eject).min(PROBE_WAIT));
                (wait, Some((*succeeded, *lasted)))
            }
        };
        if wait > 0 {
            return Err(wait);
        }
        if let Some((succeeded, lasted)) = probe {
            self.enter(State::Probing {
                succeeded,
                probe: Some(now),
                lasted,
            });
        }
        Ok(self.epoch)
    }

    fn record(&mut self, now: u64, epoch: u64, status: Option<u16>, took: u64) {
        if epoch != self.epoch {
            return;
        }
        let is_slow = self.slow.is_some_and(|(millis, _)| took > millis);
        let outcome = match status {
            Some(500..) => Some(Outcome::Error),
            _ if is_slow => Some(Outcome::Slow),
            Some(_) => Some(Outcome::Success),
            // The client went.
            None => None,
        };
        match self.state {
            State::Admitting => self.count(now, outcome),
            State::Ejecting { .. } => {}
            State::Probing { succeeded, lasted, .. } => match outcome {
                Some(Outcome::Error | Outcome::Slow) => self.eject(now),
                _ => {
                    let succeeded = succeeded + u64::from(outcome.is_some());
                    if succeeded >= self.probes {
                        self.outcomes.clear();
                        self.last = Some((now, lasted));
                        self.enter(State::Admitting);
                    } else {
                        self.enter(State::Probing {
                            succeeded,
                            probe: None,
                            lasted,
                        });
                    }
                }
            },
        }
    }

    fn count(&mut self, now: u64, outcome: Option<Outcome>) {
        // Time that goes back stands still.
        self.current = self.current.max(now / self.slot);
        let Some(outcome) = outcome else { return };
        self.outcomes.push((self.current, outcome));
        let within = |slot: u64| self.current - slot < SLOTS;
        let count = |wanted: fn(Outcome) -> bool| {
            let all = self.outcomes.iter();
            all.filter(|(slot, outcome)| within(*slot) && wanted(*outcome)).count() as u64
        };
        let all = count(|_| true);
        let reaches = |part: u64, tenths: u64| part * 10 >= all * tenths;
        let is_bad = outcome != Outcome::Success
            && all >= self.min_requests
            && (reaches(count(|outcome| outcome == Outcome::Error), self.error_tenths)
                || self
                    .slow
                    .is_some_and(|(_, tenths)| reaches(count(|outcome| outcome == Outcome::Slow), tenths)));
        if is_bad {
            self.eject(now);
        }
    }

    fn eject(&mut self, now: u64) {
        let healthy_for = |(ended, lasted): (u64, u64)| now.saturating_sub(ended) > lasted + self.slot * SLOTS;
        let is_new = self.state == State::Admitting && self.last.is_some_and(healthy_for);
        self.trips = if is_new { 1 } else { self.trips + 1 };
        let lasts = (0..self.trips - 1).fold(self.eject, |lasts, _| (lasts * 2).min(self.longest));
        self.enter(State::Ejecting {
            since: now,
            lasts: lasts.min(self.longest),
        });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[derive(Clone, Copy)]
enum Stream {
    New,
    Begun {
        at: u64,
        epoch: Option<u64>,
        status: Option<u16>,
    },
}

fn exact(mut play: Play<'_>) {
    let choices = &mut play.choices;
    let window = choices.of(&[1_u64, 2, 10, 3_600]);
    let eject = choices.of(&[1_u64, 5, 30, 86_400]);
    let longest = choices.of(&[eject, 60.max(eject), 86_400]);
    let mut model = Model {
        slot: window * 1_000 / SLOTS,
        min_requests: 1 + choices.below(5),
        error_tenths: 1 + choices.below(10),
        slow: choices
            .once_in(2)
            .then(|| (1 + choices.below(300), 1 + choices.below(10))),
        eject: eject * 1_000,
        longest: longest * 1_000,
        probes: 1 + choices.below(3),
        state: State::Admitting,
        epoch: 0,
        trips: 0,
        last: None,
        outcomes: Vec::new(),
        current: 0,
    };
    let status = choices.of(&[400_u16, 503, 599]);
    let mut config = json!({
        "windowSeconds": window, "minRequests": model.min_requests, "errorRatio": model.error_tenths as f64 / 10.0,
        "ejectSeconds": eject, "maxEjectSeconds": longest, "probes": model.probes, "status": status,
    });
    if let Some((millis, tenths)) = model.slow {
        config["slowMillis"] = json!(millis);
        config["slowRatio"] = json!(tenths as f64 / 10.0);
    }
    // For a service one breaker stands for all targets, whichever they are.
    let targets = choices.of(&[&["a"][..], &["a", "b"]]);
    if targets.len() > 1 {
        config["per"] = json!("service");
    }
    let policy = json!({"labels": {"virtualService": "v", "route": "r"}, "targets": targets, "circuitBreaker": config});
    let request = Request {
        route: Some("r#1".to_owned()),
        policy: Some(Payload(policy.to_string().into_bytes())),
        ..Request::default()
    };
    play.configure(PLUGIN);
    let mut streams = [Stream::New; STREAMS];
    while let Some(callback) = play.next() {
        match callback {
            // A new configuration keeps what breakers know.
            Callback::Configure => drop(play.configure(PLUGIN)),
            Callback::Tick => play.filter.tick(play.now),
            Callback::Resume(stream) => assert_eq!(play.resume(stream), None),
            Callback::Request(stream) => {
                let outcome = play.request(stream, &request);
                if let Stream::Begun { .. } = streams[stream] {
                    assert_eq!(outcome.action, Action::Continue, "a second decision about a stream");
                    continue;
                }
                let admitted = model.admit(play.now);
                match (&outcome.action, admitted) {
                    (Action::Continue, Ok(_)) => {}
                    (Action::LocalReply(reply), Err(wait)) => {
                        assert_eq!(reply.status, status);
                        let seconds = wait.div_ceil(1_000).to_string();
                        assert_eq!(reply.headers.get("retry-after"), Some(&seconds), "{wait} ms");
                        assert_eq!(
                            reply.headers.get("x-envoy-overloaded").map(String::as_str),
                            Some("true")
                        );
                    }
                    (action, admitted) => panic!("{action:?} where {admitted:?} was due in {:?}", model.state),
                }
                streams[stream] = Stream::Begun {
                    at: play.now,
                    epoch: admitted.ok(),
                    status: None,
                };
            }
            Callback::Response(stream) => {
                let status = play.choices.of(&[200, 404, 500, 503]);
                let response = Response {
                    headers: vec![(":status".to_owned(), HeaderValue(status.to_string().into_bytes()))],
                    ..Response::default()
                };
                assert!(play.response(stream, &response).is_empty());
                if let Stream::Begun {
                    status: known @ None, ..
                } = &mut streams[stream]
                {
                    *known = Some(status);
                }
            }
            Callback::End(stream) => {
                play.end(stream);
                let ended = std::mem::replace(&mut streams[stream], Stream::New);
                if let Stream::Begun {
                    at,
                    epoch: Some(epoch),
                    status,
                } = ended
                {
                    model.record(play.now, epoch, status, play.now.saturating_sub(at));
                }
            }
        }
    }
}
