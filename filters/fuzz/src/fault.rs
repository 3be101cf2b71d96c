//! Requests against fault injection, with time: who is concerned, how long a request waits, what it is answered.

use std::time::Duration;

use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place, Routes};
use ferromesh_policy::vectors::{Action, Chance, Choices, Executor, LocalReply, Payload, Request};
use serde_json::{json, Value};

use crate::play::{Callback, Play, PLUGIN, STREAMS};
use crate::policies::{self, Part};

const PART: Part = ("fault", part);

/// One input: half of them with anything, half with one fault that is checked exactly.
pub fn requests(input: &[u8]) {
    match input {
        [first, rest @ ..] if first % 2 == 0 => Play::new(Features::FAULT, rest).anything_with(PART),
        [_, rest @ ..] => exact(Play::new(Features::FAULT, rest)),
        [] => {}
    }
}

fn part(choices: &mut Choices<'_>) -> Value {
    let mut fault = json!({});
    if !choices.once_in(3) {
        fault["delay"] =
            json!({"millis": policies::number(choices, 1, 600_000), "percent": policies::share(choices, 100.0)});
    }
    if !choices.once_in(3) {
        fault["abort"] =
            json!({"status": policies::number(choices, 200, 599), "percent": policies::share(choices, 100.0)});
        if choices.once_in(2) {
            fault["abort"]["grpcStatus"] = policies::number(choices, 0, 16);
        }
    }
    if choices.once_in(2) {
        fault["when"] = json!({"header": choices.of(&["x-user", "x-canary", "X-User", "x_user", ":path", ""])});
        if choices.once_in(2) {
            fault["when"]["value"] = json!(choices.of(&["ada", "", "1", "\u{fc}"]));
        }
    }
    fault
}

/// How often something happens that a draw decides.
#[derive(Clone, Copy, PartialEq)]
enum Often {
    Never,
    Perhaps,
    Always,
}

impl Often {
    fn draw(choices: &mut Choices<'_>) -> (Self, f64) {
        choices.of(&[(Self::Never, 0.0), (Self::Perhaps, 50.0), (Self::Always, 100.0)])
    }

    fn holds(self, happened: bool, what: &str) {
        let fits = match self {
            Self::Never => !happened,
            Self::Perhaps => true,
            Self::Always => happened,
        };
        assert!(fits, "{what}: {happened}");
    }
}

/// A fault as it was configured.
struct Fault {
    delay: (Often, u64),
    abort: (Often, u16),
    mark: Option<(&'static str, Option<&'static str>)>,
}

impl Fault {
    fn draw(choices: &mut Choices<'_>) -> (Self, Payload) {
        let ((delays, delay_percent), (aborts, abort_percent)) = (Often::draw(choices), Often::draw(choices));
        let fault = Self {
            delay: (delays, choices.of(&[1, 7, 1_000, 600_000])),
            abort: (aborts, choices.of(&[200, 418, 503, 599])),
            mark: choices.of(&[
                None,
                Some(("x-user", None)),
                Some(("x-user", Some("ada"))),
                Some(("x-canary", Some(""))),
            ]),
        };
        let mut config = json!({
            "delay": {"millis": fault.delay.1, "percent": delay_percent},
            "abort": {"status": fault.abort.1, "percent": abort_percent},
        });
        if let Some((header, value)) = fault.mark {
            config["when"] = json!({"header": header});
            if let Some(value) = value {
                config["when"]["value"] = json!(value);
            }
        }
        let policy = json!({"labels": {"virtualService": "v", "route": "r"}, "targets": ["a"], "fault": config});
        (fault, Payload(policy.to_string().into_bytes()))
    }

    fn concerns(&self, request: &Request) -> bool {
        let Some((header, wanted)) = self.mark else { return true };
        let value = request.headers.iter().find(|(name, _)| name == header);
        value.is_some_and(|(_, value)| wanted.is_none_or(|wanted| value.0 == wanted.as_bytes()))
    }

    fn check_answer(&self, reply: &LocalReply) {
        assert_eq!(reply.status, self.abort.1);
        assert!(reply.headers.is_empty(), "{reply:?}");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    New,
    Waits(u64),
    Past,
}

fn exact(mut play: Play<'_>) {
    let (fault, policy) = Fault::draw(&mut play.choices);
    play.configure(PLUGIN);
    let routes = Routes::bare();
    let mut phases = [Phase::New; STREAMS];
    while let Some(callback) = play.next() {
        match callback {
            Callback::Configure => drop(play.configure(PLUGIN)),
            Callback::Tick => play.filter.tick(play.now),
            Callback::Request(stream) => {
                let mut request = generate::request(&mut play.choices, &routes, Place::Virtual);
                (request.route, request.policy) = (Some("r#1".to_owned()), Some(policy.clone()));
                let outcome = play.request(stream, &request);
                assert_eq!(play.filter.writes(), []);
                if phases[stream] != Phase::New {
                    assert_eq!(outcome.action, Action::Continue, "a second decision about a stream");
                    continue;
                }
                phases[stream] = Phase::Past;
                if !fault.concerns(&request) {
                    assert_eq!(outcome.action, Action::Continue, "a request without the mark");
                    continue;
                }
                fault.delay.0.holds(outcome.action == Action::Paused, "delayed");
                match outcome.action {
                    Action::Paused => {
                        assert_eq!(play.filter.delay(), Some(Duration::from_millis(fault.delay.1)));
                        phases[stream] = Phase::Waits(play.now.saturating_add(fault.delay.1));
                    }
                    Action::LocalReply(reply) => {
                        fault.abort.0.holds(true, "answered");
                        fault.check_answer(&reply);
                    }
                    Action::Continue => fault.abort.0.holds(false, "answered"),
                }
            }
            Callback::Resume(stream) => {
                let waits = match phases[stream] {
                    Phase::Waits(until) => {
                        // The host asks again when the time is over, not before.
                        play.now = play.now.max(until);
                        phases[stream] = Phase::Past;
                        true
                    }
                    Phase::New | Phase::Past => false,
                };
                let reply = play.resume(stream);
                if waits {
                    fault.abort.0.holds(reply.is_some(), "answered after the delay");
                } else {
                    assert_eq!(reply, None, "an answer to a stream that does not wait");
                }
                reply.iter().for_each(|reply| fault.check_answer(reply));
            }
            Callback::Response(stream) => {
                let response = generate::response(&mut play.choices, &routes, Place::Virtual);
                let writes = play.response(stream, &response);
                assert!(writes.is_empty(), "{writes:?}");
            }
            Callback::End(stream) => {
                play.end(stream);
                phases[stream] = Phase::New;
            }
        }
    }
}
