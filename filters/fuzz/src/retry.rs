//! Requests against the retry filter, with a second budget beside it that is kept by hand.

use ferromesh_policy::mesh::Features;
use ferromesh_policy::retry::MAX_RETRIES_HEADER;
use ferromesh_policy::vectors::{Chance, Executor, Payload, Request, Response};
use serde_json::json;

use crate::play::{number, Callback, Play};

/// Parts of a window (see the budget's documentation: time is counted in tenths of it).
const SLOTS: u64 = 10;
const MICRO: u64 = 1_000_000;

/// One input: half of them with anything, half with one budget that is checked exactly.
pub fn requests(input: &[u8]) {
    match input {
        [first, rest @ ..] if first % 2 == 0 => Play::new(Features::RETRY, rest).anything(|_, _| {}),
        [_, rest @ ..] => budget(Play::new(Features::RETRY, rest)),
        [] => {}
    }
}

/// One request's cost: what it was granted, later what it used.
struct Cost {
    stream: Option<usize>,
    slot: u64,
    retries: u64,
}

struct Model {
    max_retries: u64,
    ratio_micro: u64,
    minimum_micro: u64,
    slot_millis: u64,
    current: u64,
    costs: Vec<Cost>,
}

impl Model {
    /// A request began and was granted so many retries.
    fn grant(&mut self, now: u64, stream: usize, retries: u64) {
        // Time that goes back stands still.
        self.current = self.current.max(now / self.slot_millis);
        let within = |cost: &&Cost| self.current - cost.slot < SLOTS;
        let (requests, granted) = self
            .costs
            .iter()
            .filter(within)
            .fold((1, 0), |(requests, granted), cost| {
                (requests + 1, granted + cost.retries)
            });
        let allowed = (requests * self.ratio_micro + self.minimum_micro) / MICRO;
        let left = allowed.saturating_sub(granted);
        assert_eq!(
            retries,
            left.min(self.max_retries),
            "{requests} requests allow {allowed} retries, {granted} are granted"
        );
        self.costs.push(Cost {
            stream: Some(stream),
            slot: self.current,
            retries,
        });
    }

    /// A request's number of retries is known.
    fn settle(&mut self, stream: usize, used: u64) {
        for cost in &mut self.costs {
            if cost.stream == Some(stream) {
                cost.stream = None;
                // Too late to matter, and then left alone.
                if self.current - cost.slot < SLOTS {
                    cost.retries = used;
                }
            }
        }
    }
}

fn budget(mut play: Play<'_>) {
    let window = play.choices.of(&[1_u64, 2, 7, 10, 3_600]);
    let (per_second, ratio) = (play.choices.below(4), play.choices.below(11));
    let mut model = Model {
        max_retries: 1 + play.choices.below(5),
        ratio_micro: ratio * MICRO / 10,
        minimum_micro: per_second * window * MICRO,
        slot_millis: window * 1_000 / SLOTS,
        current: 0,
        costs: Vec::new(),
    };
    let plugin = json!({"mesh": "m", "node": "n", "reporter": "source"}).to_string();
    let policy = json!({
        "labels": {"virtualService": "v", "route": "r"},
        "targets": ["a"],
        "retry": {"maxRetries": model.max_retries, "budget": {
            "ratio": ratio as f64 / 10.0, "minPerSecond": per_second, "windowSeconds": window,
        }},
    });
    let request = Request {
        route: Some("r#1".to_owned()),
        policy: Some(Payload(policy.to_string().into_bytes())),
        ..Request::default()
    };
    play.configure(plugin.as_bytes());
    let mut begun = [Phase::New; 4];
    // What the host tells of each stream's attempts, from the first response on, whoever saw it.
    let mut told = [1; 4];
    while let Some(callback) = play.next() {
        match callback {
            // A new configuration keeps the budget.
            Callback::Configure => {
                play.configure(plugin.as_bytes());
            }
            Callback::Request(stream) => {
                play.request(stream, &request);
                if begun[stream] == Phase::New {
                    begun[stream] = Phase::Requested;
                    let retries = number(play.filter.writes(), MAX_RETRIES_HEADER).unwrap_or(model.max_retries);
                    model.grant(play.now, stream, retries);
                }
            }
            Callback::Response(stream) => {
                let attempts = 1 + play.choices.below(4);
                told[stream] = attempts;
                let response = Response {
                    attempts: Some(attempts),
                    ..Response::default()
                };
                play.response(stream, &response);
                if begun[stream] == Phase::Requested {
                    begun[stream] = Phase::Responded;
                    model.settle(stream, attempts - 1);
                }
            }
            Callback::End(stream) => {
                play.end(stream);
                model.settle(stream, told[stream] - 1);
                told[stream] = 1;
                begun[stream] = Phase::New;
            }
            Callback::Resume(stream) => assert_eq!(play.resume(stream), None),
            Callback::Tick => play.filter.tick(play.now),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    New,
    Requested,
    Responded,
}
