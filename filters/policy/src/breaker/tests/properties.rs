//! What holds for any requests at any times.

use proptest::prelude::*;

use super::*;

fn ended() -> impl Strategy<Value = Ended> {
    prop_oneof![
        3 => Just(OK),
        3 => Just(ERROR),
        1 => Just(Ended::NoResponse),
        1 => Just(Ended::Cancelled),
    ]
}

proptest! {
    #[test]
    fn never_more_than_one_probe_and_always_well_again_when_the_upstream_is(
        probes in 1_u32..5,
        steps in proptest::collection::vec((0_u64..40_000, any::<bool>(), ended()), 0..400),
    ) {
        let mut breaker = breaker(&format!(r#"{{"minRequests":3,"probes":{probes}}}"#));
        let mut open: Vec<(Token, bool, Duration)> = Vec::new();
        let mut now = Duration::ZERO;
        for (step, begins, ended) in steps {
            now += Duration::from_millis(step);
            if begins {
                let before = breaker.state();
                match breaker.admit(now) {
                    Admission::Admit(token) => {
                        prop_assert_eq!(before, State::Admitting);
                        open.push((token, false, now));
                    }
                    Admission::Probe(token) => {
                        prop_assert_ne!(before, State::Admitting);
                        let live = open
                            .iter()
                            .filter(|(_, probe, began)| *probe && now - *began < seconds(30));
                        prop_assert_eq!(live.count(), 0);
                        open.push((token, true, now));
                    }
                    Admission::Refuse { retry_after } => {
                        prop_assert_ne!(before, State::Admitting);
                        prop_assert!(!retry_after.is_zero() && retry_after <= seconds(300));
                    }
                }
            } else if !open.is_empty() {
                let (token, _, _) = open.remove(0);
                breaker.record(now, token, ended, QUICK);
            }
        }
        // The upstream is well: whatever was before, at most one ejection, one lost probe and the probes later it admits.
        now += seconds(331);
        for _ in 0..=probes {
            asks(&mut breaker, now, OK, QUICK);
        }
        prop_assert_eq!(breaker.state(), State::Admitting);
    }

    #[test]
    fn healthy_traffic_never_ejects(
        steps in proptest::collection::vec((0_u64..2_000, 0_u16..5, 0_u32..10), 0..500),
    ) {
        // At most two errors in ten, in each span of ten requests.
        let mut breaker = breaker(r#"{"errorRatio":0.5,"slowMillis":100,"slowRatio":0.5,"minRequests":20}"#);
        let mut now = Duration::ZERO;
        for (turn, (step, status, took)) in steps.into_iter().enumerate() {
            now += Duration::from_millis(step);
            let status = if turn % 5 == 4 { 503 } else { 200 + 100 * status.min(2) };
            let took = Duration::from_millis(u64::from(took) * 10);
            let ended = Ended::Responded { status, grpc: None };
            prop_assert!(asks(&mut breaker, now, ended, took));
        }
    }

    #[test]
    fn never_ejects_below_the_minimum(
        minimum in 2_u32..50,
        steps in proptest::collection::vec((0_u64..3_000, ended()), 0..300),
    ) {
        let mut breaker = breaker(&format!(r#"{{"minRequests":{minimum},"errorRatio":0.01}}"#));
        let mut now = Duration::ZERO;
        let mut counted = Vec::new();
        for (step, ended) in steps {
            now += Duration::from_millis(step);
            asks(&mut breaker, now, ended, QUICK);
            if ended != Ended::Cancelled {
                counted.push(now);
            }
            if breaker.state() != State::Admitting {
                let within = counted.iter().filter(|at| now - **at <= seconds(10)).count();
                prop_assert!(within >= minimum as usize);
                break;
            }
        }
    }
}
