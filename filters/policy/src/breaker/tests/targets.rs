//! Several targets, and services with one breaker for all of them.

use super::*;

#[test]
fn requests_go_to_the_targets_that_admit_them() {
    let mut breakers = Breakers::new(&compiled("{}"), 3);
    let eject = |breakers: &mut Breakers, target: usize, at: u64| {
        for _ in 0..20 {
            if let Admission::Admit(token) = breakers.admit(seconds(at), Some(target)) {
                breakers.record(seconds(at), Some(target), token, ERROR, QUICK);
            }
        }
    };
    let admitting = |breakers: &Breakers, at: u64| -> Vec<usize> {
        let set = breakers.admitting(seconds(at));
        (0..3).filter(|target| set.admits(*target)).collect()
    };
    eject(&mut breakers, 1, 0);
    assert_eq!(admitting(&breakers, 1), [0, 2]);
    eject(&mut breakers, 0, 5);
    eject(&mut breakers, 2, 10);
    assert_eq!(admitting(&breakers, 10), [0_usize; 0]);
    // All are ejected: the wait is the first's.
    assert_eq!(
        breakers.admit(seconds(10), Some(2)),
        Admission::Refuse {
            retry_after: seconds(20)
        }
    );
    // Until its probe is under way, a target whose time is over may be chosen.
    assert_eq!(admitting(&breakers, 30), [1]);
    assert!(matches!(breakers.admit(seconds(30), Some(1)), Admission::Probe(_)));
    assert_eq!(admitting(&breakers, 30), [0_usize; 0]);
}

#[test]
fn a_service_has_one_breaker_for_all_its_targets() {
    let mut breakers = Breakers::new(&compiled(r#"{"per":"service"}"#), 3);
    for turn in 0..20 {
        let target = Some(turn % 3);
        if let Admission::Admit(token) = breakers.admit(seconds(0), target) {
            breakers.record(seconds(0), target, token, ERROR, QUICK);
        }
    }
    assert!(matches!(breakers.admit(seconds(0), Some(0)), Admission::Refuse { .. }));
    assert!(breakers.states().eq([State::Ejecting]));
}

#[test]
fn a_request_whose_target_of_several_is_unknown_is_admitted_and_says_nothing() {
    let mut breakers = Breakers::new(&compiled("{}"), 2);
    for _ in 0..100 {
        let Admission::Admit(token) = breakers.admit(seconds(0), None) else {
            panic!()
        };
        assert_eq!(breakers.record(seconds(0), None, token, ERROR, QUICK), None);
    }
    let mut lone = Breakers::new(&compiled("{}"), 1);
    for _ in 0..20 {
        if let Admission::Admit(token) = lone.admit(seconds(0), None) {
            lone.record(seconds(0), None, token, ERROR, QUICK);
        }
    }
    assert!(lone.states().eq([State::Ejecting]));
}
