//! Requests against rate limits: by the filter with anything, and by several workers that share one memory, with
//! injected failures of it, whose admissions are counted by hand.

use std::time::Duration;

use ferromesh_policy::mesh::Features;
use ferromesh_policy::rate_limit::{Cause, Config, Limiter, Memory, Policy, Verdict};
use ferromesh_policy::vectors::{Chance, Choices};
use ferromesh_policy::{Draws, Property, View};
use serde_json::{json, Value};

use crate::play::Play;
use crate::policies::{self, Part};
use crate::tally;

/// Steps of one input at most, each of several requests.
const MAX_STEPS: usize = 48;
/// Writes that others may win before a request is denied for it.
const TRIES: u64 = 16;
/// How long a worker may hold what it took, in microseconds.
const LEASE: u64 = 10_000;

const PART: Part = ("rateLimit", part);

/// One input: half of them with anything, half with limits that are counted by hand.
pub fn requests(input: &[u8]) {
    match input {
        [first, rest @ ..] if first % 2 == 0 => Play::new(Features::RATE_LIMIT, rest).anything_with(PART),
        [_, rest @ ..] => counted(Choices::new(rest)),
        [] => {}
    }
}

fn part(choices: &mut Choices<'_>) -> Value {
    let count = choices.of(&[0, 1, 1, 1, 2, 3, 8, 9]);
    let limits: Vec<Value> = (0..count)
        .map(|index| {
            let mut limit = json!({
                "name": if choices.once_in(10) { "a b\n".to_owned() } else { format!("l{}", index / 2 * 2 + choices.below(2)) },
                "requests": choices.of(&[1, 2, 5]),
                "windowSeconds": choices.of(&[1, 10]),
            });
            for (name, most) in [("requests", 10_000_000), ("windowSeconds", 86_400), ("burst", 10_000_000), ("keys", 65_536)] {
                if choices.once_in(4) {
                    limit[name] = policies::number(choices, 1, most);
                }
            }
            if choices.once_in(2) {
                limit["key"] = choices
                    .of(&[r#"{"header":"X-User"}"#, r#"{"sourceAddress":{}}"#, r#"{"identity":{}}"#, r#"{"route":{}}"#, r#"{"header":""}"#])
                    .parse()
                    .unwrap_or(Value::Null);
            }
            for (name, words) in [
                ("algorithm", &["tokenBucket", "slidingWindow", "leaky"][..]),
                ("missingKey", &["limit", "allow", "deny", "drop"]),
            ] {
                if choices.once_in(3) {
                    limit[name] = json!(choices.of(words));
                }
            }
            limit
        })
        .collect();
    let mut config = json!({"limits": limits});
    for name in ["headers", "dryRun"] {
        if choices.once_in(4) {
            config[name] = json!(choices.once_in(2));
        }
    }
    if choices.once_in(4) {
        config["status"] = policies::number(choices, 400, 599);
    }
    if choices.once_in(4) {
        config["onError"] = json!(choices.of(&["deny", "allow", "panic"]));
    }
    config
}

/// One worker: what a VM has of its own.
struct Worker {
    limiter: Limiter,
    draws: Draws,
}

impl Worker {
    fn new(seed: u64) -> Self {
        Self {
            limiter: Limiter::default(),
            draws: Draws::from_seed(seed),
        }
    }

    fn asks(&mut self, policy: &Policy, caller: &Caller, memory: &Memory, now: u64) -> Verdict {
        let now = Duration::from_micros(now);
        self.limiter.admit(policy, caller, memory, &mut self.draws, now)
    }
}

struct Caller {
    user: &'static str,
}

impl View for Caller {
    type Value<'a> = &'a [u8];

    fn request_header(&self, name: &str) -> Option<&[u8]> {
        (name == "x-user" && !self.user.is_empty()).then_some(self.user.as_bytes())
    }

    fn response_header(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn property(&self, _: Property) -> Option<&[u8]> {
        None
    }
}

/// What was admitted under one limit for one user.
#[derive(Default)]
struct Counted {
    /// Moments of admissions, in microseconds.
    moments: Vec<u64>,
    /// What a bucket of the limit's size would hold, in millionths of a request.
    level: u128,
}

struct Limit {
    requests: u64,
    window_seconds: u64,
    burst: Option<u64>,
    by_user: bool,
    counted: Vec<(&'static str, Counted)>,
}

impl Limit {
    fn draw(choices: &mut Choices<'_>) -> Self {
        let requests = choices.of(&[1_u64, 2, 3, 7, 20, 100, 2_000]);
        Self {
            requests,
            window_seconds: choices.of(&[1_u64, 2, 60]),
            burst: choices
                .once_in(2)
                .then(|| choices.of(&[1_u64, requests, 2 * requests, 300])),
            by_user: choices.once_in(2),
            counted: Vec::new(),
        }
    }

    fn json(&self, name: &str, choices: &mut Choices<'_>) -> Value {
        let mut limit = json!({"name": name, "requests": self.requests, "windowSeconds": self.window_seconds});
        match self.burst {
            Some(burst) => limit["burst"] = json!(burst),
            None => limit["algorithm"] = json!("slidingWindow"),
        }
        if self.by_user {
            limit["key"] = json!({"header": "x-user"});
            limit["keys"] = json!(choices.of(&[1, 2, 64]));
        }
        limit
    }

    /// One more was admitted.
    fn admitted(&mut self, user: &'static str, now: u64, workers: u64) {
        let user = if self.by_user { user } else { "" };
        let counted = match self.counted.iter().position(|(known, _)| *known == user) {
            Some(place) => &mut self.counted[place].1,
            None => {
                self.counted.push((user, Counted::default()));
                let last = self.counted.len() - 1;
                &mut self.counted[last].1
            }
        };
        let window = self.window_seconds * 1_000_000;
        match self.burst {
            None => {
                let before = (counted.moments.len() as u64).checked_sub(self.requests);
                if let Some(first) = before.and_then(|before| counted.moments.get(before as usize)) {
                    assert!(
                        now - first >= window,
                        "{} and one more within {} µs",
                        self.requests,
                        now - first
                    );
                }
            }
            Some(burst) => {
                let last = counted.moments.last().copied().unwrap_or(now);
                let refilled = u128::from(now - last) * u128::from(self.requests) / u128::from(self.window_seconds);
                counted.level = counted.level.saturating_sub(refilled) + 1_000_000;
                // What workers hold, at most a hundredth of the burst or what a lease's time admits, may be used late.
                let held = (burst / 100).min(self.requests * LEASE / window).max(1);
                let most = burst + workers * held + 1;
                assert!(
                    counted.level <= u128::from(most) * 1_000_000,
                    "{} millionths where {most} may be admitted at once",
                    counted.level
                );
            }
        }
        counted.moments.push(now);
    }
}

fn counted(mut choices: Choices<'_>) {
    let choices = &mut choices;
    let mut limits: Vec<Limit> = (0..=choices.below(2)).map(|_| Limit::draw(choices)).collect();
    let allows = choices.once_in(4);
    let json = json!({
        "limits": limits.iter().enumerate().map(|(index, limit)| limit.json(&format!("l{index}"), choices)).collect::<Vec<_>>(),
        "onError": if allows { "allow" } else { "deny" },
    });
    let bytes = json.to_string().into_bytes();
    let config: Config = serde_json::from_slice(&bytes).expect("a configuration");
    let compiled = Policy::compile(&config, "m/v/r");
    tally::configuration(&bytes, compiled.is_ok());
    let policy = compiled.expect("a valid configuration");
    let memory = Memory::default();
    let mut seed = choices.below(256);
    let workers = 1 + choices.below(3);
    let mut crew: Vec<Worker> = (0..workers).map(|worker| Worker::new(seed + worker)).collect();
    let mut now = choices.of(&[0_u64, 999_999, 86_400_000_000]);
    let (mut failed, mut any) = (false, false);
    let mut before = tally::Behaviour::default();
    for _ in 0..MAX_STEPS {
        if choices.is_used_up() {
            break;
        }
        now += match choices.below(8) {
            0 => choices.below(70_000_000),
            1 => choices.below(2_000_000),
            2..=4 => choices.below(16_384),
            _ => 0,
        };
        let worker = choices.index(crew.len());
        let fault = choices.below(24);
        let is_refused = fault == 3;
        memory.refuse(is_refused);
        match fault {
            0 => memory.inject_mismatches(choices.below(TRIES) as u32),
            1 => {
                // Its VM trapped and was made anew: leases are lost, counts are not.
                seed += 100;
                crew[worker] = Worker::new(seed);
            }
            2 => {
                // Somebody else writes there: no kind of record begins like this, and no seed is as short.
                memory.overwrite_all(&[0xff; 9]);
                failed = true;
            }
            _ => {}
        }
        let caller = Caller {
            user: choices.of(&["ada", "bob", "eve", "", "zoe"]),
        };
        for _ in 0..=choices.below(16) {
            let verdict = crew[worker].asks(&policy, &caller, &memory, now);
            let (kind, denied) = match verdict {
                Verdict::Admitted { spared: None, .. } => {
                    limits
                        .iter_mut()
                        .for_each(|limit| limit.admitted(caller.user, now, workers));
                    any = true;
                    (b'a', false)
                }
                Verdict::Admitted {
                    spared: Some(cause), ..
                } => {
                    assert!(allows && cause == Cause::Unavailable, "spared: {cause:?}");
                    (b's', false)
                }
                Verdict::Denied(denial) => {
                    assert!(
                        !matches!(denial.cause, Cause::MissingKey | Cause::Contended),
                        "{denial:?}"
                    );
                    assert!(
                        failed || any || denial.cause != Cause::Spent,
                        "the first request: {denial:?}"
                    );
                    assert_eq!(denial.retry_after.is_some(), denial.cause == Cause::Spent, "{denial:?}");
                    assert_ne!(denial.retry_after, Some(0), "{denial:?}");
                    // Of several limits another may deny then, and nobody foresees a record that is spoilt since.
                    let wait = denial
                        .retry_after
                        .filter(|_| limits.len() == 1 && !is_refused && !failed);
                    if let Some(seconds) = wait.filter(|_| choices.once_in(4)) {
                        // Whoever waits as long as they were told is admitted.
                        now += u64::from(seconds) * 1_000_000;
                        let verdict = crew[worker].asks(&policy, &caller, &memory, now);
                        let admitted = matches!(verdict, Verdict::Admitted { spared: None, .. });
                        assert!(admitted, "{verdict:?} after {seconds} seconds of waiting");
                        limits[0].admitted(caller.user, now, workers);
                    }
                    (b'd', true)
                }
            };
            tally::request(false, denied, false);
            tally::Behaviour::of(kind)
                .with(&[u8::from(is_refused), u8::from(failed)])
                .seen(&mut before);
        }
    }
}
