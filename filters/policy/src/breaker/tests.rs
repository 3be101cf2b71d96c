use std::time::Duration;

use super::*;

mod properties;
mod targets;

const OK: Ended = Ended::Responded {
    status: 200,
    grpc: None,
};
const ERROR: Ended = Ended::Responded {
    status: 503,
    grpc: None,
};
const QUICK: Duration = Duration::from_millis(3);

fn seconds(at: u64) -> Duration {
    Duration::from_secs(at)
}

fn compiled(json: &str) -> Policy {
    Policy::compile(&serde_json::from_str(json).unwrap()).unwrap()
}

fn breaker(json: &str) -> Breaker {
    Breaker::new(&compiled(json))
}

/// One request; whether it was admitted.
fn asks(breaker: &mut Breaker, at: Duration, ended: Ended, took: Duration) -> bool {
    match breaker.admit(at) {
        Admission::Admit(token) | Admission::Probe(token) => {
            breaker.record(at, token, ended, took);
            true
        }
        Admission::Refuse { .. } => false,
    }
}

fn fail(breaker: &mut Breaker, at: Duration, times: u32) {
    for _ in 0..times {
        asks(breaker, at, ERROR, QUICK);
    }
}

#[test]
fn writes_what_it_reads() {
    let json = r#"{"per":"service","windowSeconds":5,"minRequests":7,"errorRatio":0.25,"slowMillis":800,"slowRatio":0.5,"ejectSeconds":4,"maxEjectSeconds":9,"probes":2,"status":502}"#;
    let config: Config = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&config).unwrap(), json);
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    assert!(serde_json::from_str::<Config>(r#"{"colour":1}"#).is_err());
}

#[test]
fn reports_all_mistakes_at_once_with_their_paths() {
    let json = r#"{"windowSeconds":0,"minRequests":0,"errorRatio":0,"slowMillis":0,"ejectSeconds":40,"maxEjectSeconds":30,"probes":0,"status":200}"#;
    let violations = Policy::compile(&serde_json::from_str(json).unwrap()).unwrap_err();
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "windowSeconds",
            "minRequests",
            "errorRatio",
            "slowMillis",
            "slowRatio",
            "maxEjectSeconds",
            "probes",
            "status"
        ]
    );
    let lone = Policy::compile(&serde_json::from_str(r#"{"slowRatio":2}"#).unwrap()).unwrap_err();
    assert_eq!(lone.len(), 2);
}

#[test]
fn ejects_at_the_ratio_and_not_below_the_minimum() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(1), 19);
    assert_eq!(breaker.state(), State::Admitting);
    fail(&mut breaker, seconds(1), 1);
    assert_eq!(breaker.state(), State::Ejecting);
    assert_eq!(
        breaker.admit(seconds(11)),
        Admission::Refuse {
            retry_after: seconds(20)
        }
    );
}

#[test]
fn outcomes_leave_with_the_window() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(1), 19);
    fail(&mut breaker, seconds(12), 19);
    assert_eq!(breaker.state(), State::Admitting);
}

#[test]
fn half_of_the_responses_slow_eject_as_errors_do() {
    let mut breaker = breaker(r#"{"slowMillis":100,"slowRatio":0.5}"#);
    for turn in 0..40 {
        let took = Duration::from_millis(if turn % 2 == 0 { 100 } else { 101 });
        asks(&mut breaker, seconds(1), OK, took);
    }
    assert_eq!(breaker.state(), State::Ejecting);
}

#[test]
fn grpc_statuses_of_the_upstream_are_errors_and_those_of_the_request_are_not() {
    let ejected: Vec<u32> = (0..=16)
        .filter(|status| {
            let mut breaker = breaker("{}");
            let ended = Ended::Responded {
                status: 200,
                grpc: Some(*status),
            };
            for _ in 0..20 {
                asks(&mut breaker, seconds(1), ended, QUICK);
            }
            breaker.state() == State::Ejecting
        })
        .collect();
    assert_eq!(ejected, [2, 4, 8, 13, 14]);
}

#[test]
fn no_response_is_an_error_and_a_client_that_goes_is_none() {
    for (ended, took, state) in [
        (Ended::NoResponse, QUICK, State::Ejecting),
        (Ended::Cancelled, QUICK, State::Admitting),
        (Ended::Cancelled, seconds(5), State::Ejecting),
        (
            Ended::Responded {
                status: 499,
                grpc: None,
            },
            QUICK,
            State::Admitting,
        ),
    ] {
        let mut breaker = breaker(r#"{"slowMillis":1000,"slowRatio":0.5}"#);
        for _ in 0..20 {
            asks(&mut breaker, seconds(1), ended, took);
        }
        assert_eq!(breaker.state(), state, "{ended:?} {took:?}");
    }
}

#[test]
fn one_probe_at_a_time_and_three_successes_admit_again() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(0), 20);
    for turn in 0..3 {
        let Admission::Probe(token) = breaker.admit(seconds(30)) else {
            panic!("{turn}")
        };
        for _ in 0..10 {
            assert_eq!(
                breaker.admit(seconds(30)),
                Admission::Refuse {
                    retry_after: seconds(1)
                }
            );
        }
        let changed = breaker.record(seconds(30), token, OK, QUICK);
        assert_eq!(changed, (turn == 2).then_some(State::Admitting));
    }
    // And what was counted before is forgotten.
    fail(&mut breaker, seconds(30), 19);
    assert_eq!(breaker.state(), State::Admitting);
}

#[test]
fn ejections_that_follow_each_other_grow_to_the_longest_and_health_begins_anew() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(0), 20);
    let mut now = seconds(0);
    for lasts in [30, 60, 120, 240, 300, 300] {
        let Admission::Refuse { retry_after } = breaker.admit(now) else {
            panic!()
        };
        assert_eq!(retry_after, seconds(lasts));
        now += retry_after;
        assert!(asks(&mut breaker, now, ERROR, QUICK));
    }
    now += seconds(300);
    for _ in 0..3 {
        asks(&mut breaker, now, OK, QUICK);
    }
    assert_eq!(breaker.state(), State::Admitting);
    now += seconds(311);
    fail(&mut breaker, now, 20);
    assert_eq!(
        breaker.admit(now),
        Admission::Refuse {
            retry_after: seconds(30)
        }
    );
}

#[test]
fn a_trip_soon_after_an_ejection_grows_it() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(0), 20);
    for _ in 0..3 {
        asks(&mut breaker, seconds(30), OK, QUICK);
    }
    fail(&mut breaker, seconds(50), 20);
    assert_eq!(
        breaker.admit(seconds(50)),
        Admission::Refuse {
            retry_after: seconds(60)
        }
    );
}

#[test]
fn a_cancelled_probe_is_given_back() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(0), 20);
    for _ in 0..10 {
        let Admission::Probe(token) = breaker.admit(seconds(30)) else {
            panic!()
        };
        assert_eq!(breaker.record(seconds(30), token, Ended::Cancelled, QUICK), None);
    }
    assert_eq!(breaker.state(), State::Probing);
}

#[test]
fn a_probe_that_never_ends_is_given_up_and_says_nothing_later() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(0), 20);
    let Admission::Probe(lost) = breaker.admit(seconds(30)) else {
        panic!()
    };
    assert!(matches!(breaker.admit(seconds(59)), Admission::Refuse { .. }));
    let Admission::Probe(next) = breaker.admit(seconds(60)) else {
        panic!()
    };
    assert_eq!(breaker.record(seconds(61), lost, ERROR, QUICK), None);
    assert_eq!(breaker.record(seconds(61), next, OK, QUICK), None);
    assert_eq!(breaker.state(), State::Probing);
}

#[test]
fn requests_from_before_an_ejection_say_nothing_about_what_comes_after() {
    let mut breaker = breaker("{}");
    let before: Vec<Token> = (0..40)
        .map(|_| match breaker.admit(seconds(0)) {
            Admission::Admit(token) => token,
            other => panic!("{other:?}"),
        })
        .collect();
    for token in &before[..20] {
        breaker.record(seconds(1), *token, ERROR, QUICK);
    }
    for _ in 0..3 {
        asks(&mut breaker, seconds(31), OK, QUICK);
    }
    for token in &before[20..] {
        assert_eq!(breaker.record(seconds(32), *token, ERROR, QUICK), None);
    }
    assert_eq!(breaker.state(), State::Admitting);
}

#[test]
fn a_clock_that_goes_back_ejects_for_one_span_more_at_most() {
    let mut breaker = breaker("{}");
    fail(&mut breaker, seconds(3_600), 20);
    assert_eq!(
        breaker.admit(seconds(10)),
        Admission::Refuse {
            retry_after: seconds(30)
        }
    );
    assert!(matches!(breaker.admit(seconds(40)), Admission::Probe(_)));
}
