//! Simulated traffic over simulated minutes: what is admitted, against the limit.

use std::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;

const ALGORITHMS: [&str; 2] = ["tokenBucket", "slidingWindow"];

fn limit(requests: u64, seconds: u64, algorithm: &str) -> Policy {
    policy(&format!(
        r#"{{"limits":[{{"name":"a","requests":{requests},"windowSeconds":{seconds},"algorithm":"{algorithm}"}}]}}"#
    ))
}

/// Requests at random moments at `per_second`, to random workers.
struct Traffic {
    draws: Draws,
    at: Duration,
    gap_nanos: u64,
}

impl Traffic {
    fn new(per_second: u64, from: Duration) -> Self {
        Self {
            draws: Draws::from_seed(per_second),
            at: from,
            gap_nanos: 1_000_000_000 / per_second,
        }
    }

    fn next(&mut self, workers: usize) -> (Duration, usize) {
        self.at += Duration::from_nanos(self.draws.below(2 * self.gap_nanos));
        (self.at, self.draws.below(workers as u64) as usize)
    }
}

fn crew(workers: usize) -> Vec<Worker> {
    (0..workers as u64).map(Worker::new).collect()
}

#[test]
fn admits_what_the_limit_says_under_overload() {
    for algorithm in ALGORITHMS {
        for rate in [10, 100, 5_000] {
            for workers in [1, 2, 4] {
                let (policy, shared, mut all) = (limit(rate, 1, algorithm), Memory::default(), crew(workers));
                let start = millis(123_456_789);
                let mut traffic = Traffic::new(rate * if rate > 1_000 { 2 } else { 4 }, start);
                let mut admitted = 0_u64;
                let span = Duration::from_secs(60);
                loop {
                    let (at, worker) = traffic.next(workers);
                    if at >= start + span {
                        break;
                    }
                    admitted += u64::from(all[worker].is_admitted(&policy, &anybody(), &shared, at));
                    let most = rate as f64 * (at - start).as_secs_f64() + rate as f64;
                    assert!(
                        admitted as f64 <= most * 1.000_001,
                        "{admitted} of {most}: {algorithm} {rate} {workers}"
                    );
                }
                let due = (rate * 61) as f64;
                let share = admitted as f64 / due;
                assert!((0.95..=1.0).contains(&share), "{share} {algorithm} {rate} {workers}");
            }
        }
    }
}

#[test]
fn denies_nothing_under_light_load() {
    for algorithm in ALGORITHMS {
        for rate in [10, 100, 5_000] {
            for workers in [1, 2, 4] {
                let (policy, shared, mut all) = (limit(rate, 1, algorithm), Memory::default(), crew(workers));
                let mut traffic = Traffic::new(rate / 2, millis(5));
                loop {
                    let (at, worker) = traffic.next(workers);
                    if at >= Duration::from_secs(20) {
                        break;
                    }
                    assert!(
                        all[worker].is_admitted(&policy, &anybody(), &shared, at),
                        "{at:?} {algorithm} {rate} {workers}"
                    );
                }
            }
        }
    }
}

#[test]
fn admits_one_burst_after_idling_and_no_more() {
    for algorithm in ALGORITHMS {
        for workers in [1, 4] {
            let (policy, shared, mut all) = (limit(100, 1, algorithm), Memory::default(), crew(workers));
            for pause in [0_u64, 10, 3_600] {
                let at = Duration::from_secs(pause);
                let admitted = (0..1_000)
                    .filter(|turn| all[turn % workers].is_admitted(&policy, &anybody(), &shared, at))
                    .count();
                assert_eq!(admitted, 100, "{algorithm} {workers} {pause}");
            }
        }
    }
}

#[test]
fn a_reloaded_vm_has_no_new_burst() {
    for algorithm in ALGORITHMS {
        for rate in [10_u64, 5_000] {
            let (policy, shared) = (limit(rate, 1, algorithm), Memory::default());
            let mut all = crew(2);
            let mut traffic = Traffic::new(rate * 4, millis(0));
            let mut admitted = 0_u64;
            let mut reloads = 0;
            loop {
                let (at, worker) = traffic.next(2);
                if at >= Duration::from_secs(20) {
                    break;
                }
                // A trap in one of the two workers every 100 ms.
                if at.as_millis() / 100 > reloads {
                    reloads = at.as_millis() / 100;
                    all[reloads as usize % 2] = Worker::new(1_000 + reloads as u64);
                }
                admitted += u64::from(all[worker].is_admitted(&policy, &anybody(), &shared, at));
            }
            let share = admitted as f64 / (rate * 21) as f64;
            assert!((0.90..=1.0).contains(&share), "{share} {algorithm} {rate}");
        }
    }
}

#[test]
fn a_clock_that_stands_still_admits_one_burst() {
    for algorithm in ALGORITHMS {
        let (policy, shared, mut all) = (limit(5_000, 1, algorithm), Memory::default(), crew(2));
        let admitted = (0..40_000).filter(|turn| all[turn % 2].is_admitted(&policy, &anybody(), &shared, millis(77)));
        assert_eq!(admitted.count(), 5_000, "{algorithm}");
    }
}

#[test]
fn a_clock_that_goes_back_gives_no_new_burst_and_denies_for_a_window_at_most() {
    for algorithm in ALGORITHMS {
        for rate in [10_u64, 5_000] {
            let (policy, shared, mut worker) = (limit(rate, 1, algorithm), Memory::default(), Worker::new(1));
            let mut admitted = |from: u64, until: u64| {
                let steps = (until - from) * 20;
                (0..steps)
                    .filter(|step| {
                        let at = millis(from) + Duration::from_micros(step * 50);
                        worker.is_admitted(&policy, &anybody(), &shared, at)
                    })
                    .count() as u64
            };
            let hour = 3_600_000;
            assert!(admitted(hour, hour + 1) <= rate);
            admitted(hour + 1, hour + 1_000);
            assert!(admitted(1_000, 1_100) <= rate / 5, "{algorithm} {rate}");
            admitted(1_100, 2_200);
            let later = admitted(2_200, 5_200);
            assert!((rate * 2..=rate * 4).contains(&later), "{later} {algorithm} {rate}");
        }
    }
}

#[test]
fn a_changed_number_goes_on_from_the_count_there_is() {
    for algorithm in ALGORITHMS {
        let (shared, mut worker) = (Memory::default(), Worker::new(1));
        let mut spend = |policy: &Policy, at: u64| {
            (0..1_000)
                .filter(|_| worker.is_admitted(policy, &anybody(), &shared, millis(at)))
                .count()
        };
        assert_eq!(spend(&limit(100, 10, algorithm), 0), 100);
        assert_eq!(spend(&limit(50, 10, algorithm), 101), 0, "{algorithm}");
        assert_eq!(
            spend(&limit(200, 20, algorithm), 202),
            if algorithm == "tokenBucket" { 102 } else { 100 }
        );
        assert_eq!(shared.size().0, 1);
    }
}

/// Shared data in which a rival writes between this worker's read and its write, now and then.
struct Contested<'m> {
    memory: &'m Memory,
    policy: &'m Policy,
    rival: RefCell<Worker>,
    now: Cell<Duration>,
    every: u64,
    writes: Cell<u64>,
    rivals_admitted: Cell<u64>,
}

impl Shared for Contested<'_> {
    type Value<'a>
        = Vec<u8>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> SharedRead<Vec<u8>> {
        self.memory.get(key)
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        self.writes.set(self.writes.get() + 1);
        if self.writes.get() % self.every == 0 {
            let admitted = self
                .rival
                .borrow_mut()
                .is_admitted(self.policy, &anybody(), self.memory, self.now.get());
            self.rivals_admitted
                .set(self.rivals_admitted.get() + u64::from(admitted));
        }
        self.memory.set(key, value, cas)
    }
}

/// Shared data for threads.
struct Locked(std::sync::Mutex<Memory>);

impl Shared for Locked {
    type Value<'a> = Vec<u8>;

    fn get(&self, key: &[u8]) -> SharedRead<Vec<u8>> {
        self.0.lock().unwrap().get(key)
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        self.0.lock().unwrap().set(key, value, cas)
    }
}

#[test]
fn workers_that_run_at_the_same_time_admit_the_limit_together() {
    for algorithm in ALGORITHMS {
        for requests in [7, 500, 20_000] {
            let (policy, shared) = (limit(requests, 1, algorithm), Locked(std::sync::Mutex::default()));
            let admitted: usize = std::thread::scope(|scope| {
                let workers = (0..4).map(|seed| {
                    let (policy, shared) = (&policy, &shared);
                    scope.spawn(move || {
                        let mut worker = Worker::new(seed);
                        let turns = 0..2 * requests;
                        turns
                            .filter(|_| worker.is_admitted(policy, &anybody(), shared, millis(5)))
                            .count()
                    })
                });
                let workers: Vec<_> = workers.collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).sum()
            });
            assert_eq!(admitted as u64, requests, "{algorithm}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rivals_between_read_and_write_never_admit_more_than_the_limit(
        rate in prop_oneof![Just(10_u64), Just(100), Just(5_000)],
        window in any::<bool>(),
        every in 1_u64..4,
        steps in proptest::collection::vec(0_u64..3_000, 100..3_000),
    ) {
        let policy = limit(rate, 1, ALGORITHMS[usize::from(window)]);
        let memory = Memory::default();
        let contested = Contested {
            memory: &memory,
            policy: &policy,
            rival: RefCell::new(Worker::new(9)),
            now: Cell::default(),
            every,
            writes: Cell::default(),
            rivals_admitted: Cell::default(),
        };
        let mut worker = Worker::new(1);
        let mut own = 0;
        let mut at = Duration::ZERO;
        for step in steps {
            at += Duration::from_micros(step);
            contested.now.set(at);
            own += u64::from(worker.is_admitted(&policy, &anybody(), &contested, at));
        }
        let most = rate as f64 * at.as_secs_f64() + rate as f64;
        prop_assert!((own + contested.rivals_admitted.get()) as f64 <= most + 1e-6);
    }

    #[test]
    fn no_span_of_a_sliding_windows_length_holds_more_than_its_limit(
        rate in prop_oneof![Just(7_u64), Just(100), Just(2_000)],
        workers in 1_usize..5,
        steps in proptest::collection::vec((0_u64..8_000, 1_usize..60, 0_usize..4), 50..600),
    ) {
        let (policy, shared, mut all) = (limit(rate, 1, "slidingWindow"), Memory::default(), crew(workers));
        let mut moments = Vec::new();
        let mut at = Duration::ZERO;
        for (step, requests, worker) in steps {
            at += Duration::from_micros(step);
            for _ in 0..requests {
                if all[worker % workers].is_admitted(&policy, &anybody(), &shared, at) {
                    moments.push(at);
                }
            }
        }
        for pair in moments.windows(rate as usize + 1) {
            prop_assert!(*pair.last().unwrap() - pair[0] >= Duration::from_secs(1));
        }
    }

    #[test]
    fn a_bucket_admits_at_most_burst_and_rate_in_any_span_but_for_what_workers_hold(
        burst in prop_oneof![Just(1_u64), Just(50), Just(3_000)],
        workers in 1_usize..5,
        steps in proptest::collection::vec((0_u64..20_000, 1_usize..60, 0_usize..4), 50..400),
    ) {
        let json = format!(r#"{{"limits":[{{"name":"a","requests":2000,"windowSeconds":1,"burst":{burst}}}]}}"#);
        let (policy, shared, mut all) = (policy(&json), Memory::default(), crew(workers));
        let mut moments: Vec<Duration> = Vec::new();
        let mut at = Duration::ZERO;
        for (step, requests, worker) in steps {
            at += Duration::from_micros(step);
            for _ in 0..requests {
                if all[worker % workers].is_admitted(&policy, &anybody(), &shared, at) {
                    moments.push(at);
                }
            }
        }
        let held = workers as f64 * (burst as f64 / 100.0).clamp(1.0, 20.0);
        for (index, from) in moments.iter().enumerate().step_by(7) {
            for (later, until) in moments.iter().enumerate().skip(index).step_by(5) {
                let most = burst as f64 + 2_000.0 * (*until - *from).as_secs_f64() + held + 1.0;
                prop_assert!((later - index + 1) as f64 <= most, "{} {most}", later - index + 1);
            }
        }
    }
}
