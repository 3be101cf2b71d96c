//! Reports of our own, with a clock of our own.

use super::*;
use crate::{identity::Identity, rollout::wave::Tried};

fn key() -> ProxyKey {
    Identity::parse("mesh/m/virtualNode/n").unwrap().key()
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn counted(requests: u64, errors: u64, uptime: u64) -> Report {
    Report {
        requests,
        errors,
        uptime: at(uptime),
        ..Report::default()
    }
}

fn tried(since: u64) -> Vec<Tried> {
    vec![Tried {
        key: key(),
        instance: "a".to_owned(),
        since: at(since),
        losses: 0,
    }]
}

#[test]
fn a_proxy_that_fails_everything_is_found_within_two_reports() {
    let mut reports = Reports::default();
    for second in 0..30 {
        reports.take(at(second), &key(), "a", counted(10 * second, 0, second));
    }
    assert_eq!(reports.harm(at(30), &tried(29)), None, "nothing is known yet");
    reports.take(at(30), &key(), "a", counted(300, 10, 30));
    let reason = reports.harm(at(30), &tried(29)).expect("ten of ten");
    assert_eq!(
        reason,
        "10 of 10 requests failed at proxies that were given this, and 0 of 290 without it"
    );
}

#[test]
fn an_outage_that_others_have_too_is_not_blamed_on_the_candidate() {
    let mut reports = Reports::default();
    for second in 0..40 {
        let errors = 5 * second;
        for instance in ["a", "b", "c"] {
            reports.take(at(second), &key(), instance, counted(10 * second, errors, second));
        }
    }
    assert_eq!(reports.harm(at(40), &tried(30)), None);
}

#[test]
fn a_few_errors_prove_nothing() {
    let mut reports = Reports::default();
    reports.take(at(0), &key(), "a", counted(0, 0, 0));
    reports.take(at(10), &key(), "a", counted(1000, 0, 10));
    reports.take(at(11), &key(), "a", counted(1004, 4, 11));
    assert_eq!(reports.harm(at(11), &tried(10)), None);
}

#[test]
fn an_envoy_that_starts_again_twice_is_harmed() {
    let mut reports = Reports::default();
    for (second, uptime) in [(0, 100), (1, 0), (2, 1)] {
        reports.take(at(second), &key(), "a", counted(0, 0, uptime));
    }
    assert_eq!(reports.harm(at(3), &tried(0)), None, "once is chance");
    reports.take(at(4), &key(), "a", counted(0, 0, 0));
    assert!(reports
        .harm(at(4), &tried(0))
        .unwrap()
        .contains("started again 2 times"));
}

#[test]
fn vms_that_die_are_harm_even_where_no_request_fails() {
    let mut reports = Reports::default();
    let dead = |vm_failures, uptime| Report {
        vm_failures,
        ..counted(100, 0, uptime)
    };
    reports.take(at(0), &key(), "a", dead(0, 0));
    reports.take(at(2), &key(), "a", dead(3, 2));
    assert!(reports.harm(at(2), &tried(0)).unwrap().contains("died 3 times"));
}

/// Over a thousand healthy proxies with chance in their errors, nobody is found guilty.
#[test]
fn chance_is_not_blamed() {
    let mut seed = 7u64;
    let mut chance = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % 1000
    };
    for _ in 0..1000 {
        let mut reports = Reports::default();
        let (mut requests, mut errors) = (0, 0);
        for second in 0..40 {
            requests += 20;
            errors += (0..20).filter(|_| chance() < 20).count() as u64;
            reports.take(at(second), &key(), "a", counted(requests, errors, second));
            assert_eq!(reports.harm(at(second), &tried(30)), None);
        }
    }
}

/// Nobody was looked at before it had the change: everything that it has counted, it may have counted because of it.
#[test]
fn what_the_first_report_of_a_young_envoy_says_is_held_against_what_it_was_given() {
    let mut reports = Reports::default();
    let report = Report {
        vm_failures: 40,
        ..counted(60, 40, 0)
    };
    reports.take(at(4), &key(), "a", report);
    assert!(reports.harm(at(4), &tried(3)).unwrap().contains("died 40 times"));
    let old = Report {
        uptime: at(3600),
        ..report
    };
    let mut reports = Reports::default();
    reports.take(at(4), &key(), "a", old);
    assert_eq!(reports.harm(at(4), &tried(3)), None, "an hour's failures say nothing");
}

#[test]
fn vms_that_have_died_before_are_compared_by_how_many_requests_they_die_of() {
    for (dying, is_harm) in [(1, false), (90, true)] {
        let mut reports = Reports::default();
        let dead = |second: u64, vm_failures| Report {
            vm_failures,
            ..counted(100 * second, 0, second)
        };
        for second in 0..30 {
            reports.take(at(second), &key(), "a", dead(second, second));
        }
        for second in 30..33 {
            let vm_failures = 29 + (second - 29) * dying;
            reports.take(at(second), &key(), "a", dead(second, vm_failures));
        }
        let found = reports.harm(at(33), &tried(29));
        assert_eq!(found.is_some(), is_harm, "{dying} a second: {found:?}");
        assert!(found.is_none_or(|found| found.contains("times in 2900 without it")));
    }
}

#[test]
fn a_thread_that_stood_still_is_harm_once_envoy_is_gone() {
    let mut reports = Reports::default();
    let stalled = |stalls, uptime| Report {
        stalls,
        ..counted(100, 0, uptime)
    };
    reports.take(at(8), &key(), "a", stalled(0, 8));
    reports.take(at(10), &key(), "a", stalled(0, 10));
    let mut given = tried(9);
    given[0].losses = 1;
    assert_eq!(reports.harm(at(10), &given), None, "once is chance");
    reports.take(at(11), &key(), "a", stalled(1, 11));
    let stood = |now| {
        let heard = reports.seen(now).heard(&key(), "a", at(9));
        heard.and_then(|heard| heard.stalled_at)
    };
    assert_eq!(stood(at(11)), Some(at(11)));
    assert_eq!(reports.harm(at(11), &tried(9)), None, "it may only be slow");
    let reason = reports.harm(at(12), &given).expect("gone");
    assert!(reason.contains("a worker thread of its Envoy stood still"), "{reason}");
}

#[test]
fn a_thread_that_stands_still_now_and_then_says_nothing_of_what_is_tried() {
    let mut reports = Reports::default();
    for (second, stalls) in [(0, 0), (5, 1), (8, 1), (11, 2)] {
        let report = Report {
            stalls,
            ..counted(100, 0, second)
        };
        reports.take(at(second), &key(), "a", report);
    }
    let mut given = tried(9);
    given[0].losses = 1;
    assert_eq!(reports.harm(at(12), &given), None);
    let heard = reports.seen(at(12)).heard(&key(), "a", at(9));
    assert_eq!(heard.map(|heard| heard.stalled_at), Some(None));
}

#[test]
fn who_has_not_reported_for_long_when_it_is_given_something_is_not_expected_to() {
    let mut reports = Reports::default();
    reports.take(at(10), &key(), "a", counted(1, 0, 10));
    let until = |since| {
        let heard = reports.seen(at(since)).heard(&key(), "a", at(since));
        heard.map(|heard| heard.until)
    };
    assert_eq!(until(20), Some(at(10)));
    assert_eq!(until(70), None);
}

/// Two of one virtual node are tried, and a third is not: it is counted once beside them.
#[test]
fn the_others_are_counted_once() {
    let mut reports = Reports::default();
    for second in 0..12 {
        for instance in ["a", "b", "c"] {
            let errors = if instance == "c" { 0 } else { 10 * second };
            reports.take(at(second), &key(), instance, counted(10 * second, errors, second));
        }
    }
    let mut both = tried(10);
    both.push(Tried {
        instance: "b".to_owned(),
        ..both[0].clone()
    });
    assert_eq!(reports.harm(at(11), &both), None, "they failed before, too");
    let mut reports = Reports::default();
    for second in 0..12_u64 {
        let errors = 10 * second.saturating_sub(10);
        reports.take(at(second), &key(), "a", counted(10 * second, errors, second));
        reports.take(at(second), &key(), "b", counted(10 * second, errors, second));
        reports.take(at(second), &key(), "c", counted(10 * second, 0, second));
    }
    let reason = reports.harm(at(11), &both).expect("all failed");
    assert!(
        reason.starts_with("20 of 20 requests failed") && reason.ends_with("0 of 210 without it"),
        "{reason}"
    );
}
