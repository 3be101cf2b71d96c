//! The control plane's part: its verdict counts beside the worker's own, for its time.

use super::*;

fn release(overall: Option<OverallConfig>, hold: &str) -> Config {
    let rollback = format!(r#"{{"canary": "target-1", "baseline": "target-0"{hold}}}"#);
    Config {
        weights: vec![50, 50],
        rollback: Some(serde_json::from_str(&rollback).unwrap()),
        overall,
        ..Config::default()
    }
}

fn overall(key: &str, at: Option<u64>) -> Option<OverallConfig> {
    Some(OverallConfig {
        key: key.into(),
        rolled_back_unix_millis: at,
    })
}

fn policy(at: Option<u64>, hold: &str) -> Policy {
    Policy::compile(&release(overall("k", at), hold), &names(2)).unwrap()
}

#[test]
fn a_verdict_holds_for_its_time_by_the_wall_clock_or_for_ever() {
    let at = Duration::from_millis;
    let none = policy(None, "");
    assert!(!none.is_rolled_back(at(0)) && !none.is_rolled_back(at(u64::MAX)));
    let for_ever = policy(Some(5_000), "");
    assert!(for_ever.is_rolled_back(at(5_000)) && for_ever.is_rolled_back(at(u64::MAX)));
    let held = policy(Some(5_000), r#", "holdSeconds": 10"#);
    assert!(held.is_rolled_back(at(14_999)) && !held.is_rolled_back(at(15_000)));
    assert!(held.is_rolled_back(at(0)), "a clock that is late does not put it off");
    let extreme = policy(Some(u64::MAX), r#", "holdSeconds": 604800"#);
    assert!(extreme.is_rolled_back(at(u64::MAX)));
}

#[test]
fn a_key_needs_no_escapes_and_a_verdict_needs_rules() {
    let paths = |config: &Config| -> Vec<String> {
        let violations = Policy::compile(config, &names(2)).err().unwrap_or_default();
        violations.into_iter().map(|violation| violation.path).collect()
    };
    assert!(paths(&release(overall("aZ09-_", None), "")).is_empty());
    for key in ["", "a\"b", "a b", "ä", &"k".repeat(65)] {
        assert_eq!(paths(&release(overall(key, None), "")), ["overall.key"], "{key}");
    }
    let without = Config {
        rollback: None,
        ..release(overall("k", None), "")
    };
    assert_eq!(paths(&without), ["overall"]);
}

#[test]
fn across_proxies_is_on_unless_it_is_said_to_be_off_and_then_not_written() {
    let rules = |json: &str| serde_json::from_str::<RollbackConfig>(json).unwrap();
    let on = rules(r#"{"canary": "a", "baseline": "b"}"#);
    assert!(on.across_proxies && !serde_json::to_string(&on).unwrap().contains("across"));
    let off = rules(r#"{"canary": "a", "baseline": "b", "acrossProxies": false}"#);
    assert!(!off.across_proxies && serde_json::to_string(&off).unwrap().contains("across"));
}

#[test]
fn a_rollback_that_is_resumed_needs_as_much_evidence_as_one_that_went_on() {
    let rules = RollbackConfig::rules(
        &serde_json::from_str(r#"{"canary": "a", "baseline": "b", "holdSeconds": 10, "minRequests": 1}"#).unwrap(),
    );
    let counts = |requests, errors| Counts {
        requests,
        errors,
        slow: 0,
    };
    let at = Duration::from_secs(100);
    let mut resumed = Rollback::resume(rules, 6, Some(at));
    assert!(resumed.is_rolled_back(at) && !resumed.is_rolled_back(at + Duration::from_secs(10)));
    let mut fresh = Rollback::new(rules);
    let needed = |state: &mut Rollback| {
        (0..500_u64).find(|second| {
            let now = at + Duration::from_secs(10 + second);
            state
                .observe_counts(now, counts(9, 0), counts(1, u64::from(second % 5 == 0)))
                .is_some()
        })
    };
    let (after_six, at_first) = (needed(&mut resumed), needed(&mut fresh));
    assert!(at_first.is_some() && after_six > at_first, "{at_first:?} {after_six:?}");
    assert_eq!(resumed.rollbacks(), 7);
}
