use std::time::Duration;

use super::*;
use crate::test_view::TestView;
use crate::{Draws, View};

mod accuracy;
mod places;
mod records;

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

    fn asks<V: View>(&mut self, policy: &Policy, view: &V, shared: &impl Shared, now: Duration) -> Verdict {
        self.limiter.admit(policy, view, shared, &mut self.draws, now)
    }

    fn is_admitted<V: View>(&mut self, policy: &Policy, view: &V, shared: &impl Shared, now: Duration) -> bool {
        matches!(self.asks(policy, view, shared, now), Verdict::Admitted { .. })
    }
}

fn config(json: &str) -> Config {
    serde_json::from_str(json).unwrap()
}

fn policy(json: &str) -> Policy {
    Policy::compile(&config(json), "mesh/service/route").unwrap()
}

fn millis(at: u64) -> Duration {
    Duration::from_millis(at)
}

fn anybody() -> TestView {
    TestView::default()
}

fn user(name: &str) -> TestView {
    TestView::default().header("x-user", name.as_bytes())
}

const PER_USER: &str = r#"{"limits":[{"name":"u","requests":5,"windowSeconds":1,"key":{"header":"X-User"}}]}"#;

#[test]
fn writes_what_it_reads() {
    let json = r#"{"limits":[{"name":"a","requests":5,"windowSeconds":60,"algorithm":"slidingWindow","key":{"identity":{}},"missingKey":"deny","keys":10},{"name":"b","requests":5,"windowSeconds":1,"burst":9}],"headers":false,"status":503,"dryRun":true,"onError":"allow"}"#;
    assert_eq!(serde_json::to_string(&config(json)).unwrap(), json);
}

#[test]
fn reports_all_mistakes_at_once_with_their_paths() {
    let json = r#"{"limits":[{"name":"a b","requests":0,"windowSeconds":86401,"keys":0},
        {"name":"w","requests":1,"windowSeconds":1,"algorithm":"slidingWindow","burst":2,"missingKey":"deny"},
        {"name":"w","requests":1,"windowSeconds":86400,"burst":8,"key":{"header":"a:b"}}],"status":200}"#;
    let violations = Policy::compile(&config(json), "").unwrap_err();
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "limits[0].name",
            "limits[0].requests",
            "limits[0].windowSeconds",
            "limits[0].keys",
            "limits[1].burst",
            "limits[1].missingKey",
            "limits[2].burst",
            "limits[2].key.header",
            "limits[2].name",
            "status",
        ]
    );
    assert_eq!(
        Policy::compile(&config(r#"{"limits":[]}"#), "").unwrap_err()[0].path,
        "limits"
    );
    assert!(serde_json::from_str::<Config>(r#"{"limits":[],"colour":1}"#).is_err());
}

#[test]
fn tells_the_limit_with_least_left() {
    let policy = policy(
        r#"{"limits":[{"name":"wide","requests":50,"windowSeconds":10},{"name":"tight","requests":3,"windowSeconds":60,"burst":4}]}"#,
    );
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    let Verdict::Admitted {
        told: Some(told),
        spared: None,
    } = worker.asks(&policy, &anybody(), &shared, millis(5))
    else {
        panic!("denied")
    };
    assert_eq!(policy.limit_name(&told), Some("tight"));
    let mut written = Vec::new();
    policy.fields(&told).unwrap().for_each_write(|name, value| {
        written.push(format!("{name}: {}", String::from_utf8_lossy(value.unwrap())));
    });
    assert_eq!(
        written,
        [
            r#"ratelimit-policy: "wide";q=50;w=10, "tight";q=3;w=60;ferromesh-burst=4"#,
            r#"ratelimit: "tight";r=3;t=20"#
        ]
    );
}

#[test]
fn tells_when_to_try_again() {
    let policy = policy(r#"{"limits":[{"name":"a","requests":2,"windowSeconds":60}],"status":420}"#);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    assert!((0..2).all(|_| worker.is_admitted(&policy, &anybody(), &shared, millis(0))));
    let Verdict::Denied(denial) = worker.asks(&policy, &anybody(), &shared, millis(10)) else {
        panic!("admitted")
    };
    assert_eq!(
        (denial.status, denial.retry_after, denial.cause),
        (420, Some(30), Cause::Spent)
    );
    let fields = policy.fields(&denial.told.unwrap()).unwrap();
    assert_eq!(fields.rate_limit.as_bytes(), br#""a";r=0;t=30"#);
    assert!(!worker.is_admitted(&policy, &anybody(), &shared, millis(29_999)));
    assert!(worker.is_admitted(&policy, &anybody(), &shared, millis(30_000)));
}

#[test]
fn a_field_has_room_for_the_longest_name_and_the_largest_numbers() {
    let told = Told {
        limit: 0,
        remaining: u32::MAX,
        reset_seconds: u32::MAX,
    };
    let field = Field::render(&"n".repeat(64), &told);
    assert!(field.as_bytes().ends_with(b";r=4294967295;t=4294967295"));
}

#[test]
fn counts_users_apart_and_reads_names_in_any_case() {
    let policy = policy(PER_USER);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    for name in ["ada", "bob", "eve"] {
        let admitted = (0..20)
            .filter(|_| worker.is_admitted(&policy, &user(name), &shared, millis(0)))
            .count();
        assert_eq!(admitted, 5, "{name}");
    }
}

#[test]
fn a_source_address_is_counted_without_its_port() {
    let policy = policy(r#"{"limits":[{"name":"a","requests":3,"windowSeconds":60,"key":{"sourceAddress":{}}}]}"#);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    let admitted = (1000..1010).filter(|port| {
        let view = TestView::default().with(crate::Property::SourceAddress, format!("10.0.0.7:{port}").as_bytes());
        worker.is_admitted(&policy, &view, &shared, millis(0))
    });
    assert_eq!(admitted.count(), 3);
}

#[test]
fn an_identity_is_the_peers() {
    let policy = policy(r#"{"limits":[{"name":"a","requests":2,"windowSeconds":60,"key":{"identity":{}}}]}"#);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    for peer in ["spiffe://m/a", "spiffe://m/b"] {
        let view = TestView::default().with(crate::Property::PeerIdentity, peer.as_bytes());
        let admitted = (0..5)
            .filter(|_| worker.is_admitted(&policy, &view, &shared, millis(0)))
            .count();
        assert_eq!(admitted, 2);
    }
}

#[test]
fn requests_without_the_key_are_limited_together_allowed_or_denied() {
    let admitted = |missing: &str| {
        let json = PER_USER.replace("\"key\"", &format!("\"missingKey\":\"{missing}\",\"key\""));
        let (policy, shared, mut worker) = (policy(&json), Memory::default(), Worker::new(1));
        let views = [anybody(), user("")];
        (0..20)
            .filter(|at| worker.is_admitted(&policy, &views[at % 2], &shared, millis(0)))
            .count()
    };
    assert_eq!((admitted("limit"), admitted("allow"), admitted("deny")), (5, 20, 0));
}

#[test]
fn what_one_limit_denies_is_not_counted_in_another() {
    for workers in [1, 3] {
        for (wide, tight) in [(20, 5), (20_000, 5_000)] {
            let policy = policy(&format!(
                r#"{{"limits":[{{"name":"wide","requests":{wide},"windowSeconds":1}},
                    {{"name":"tight","requests":{tight},"windowSeconds":1,"key":{{"header":"x-user"}}}}]}}"#
            ));
            let (shared, mut all) = (Memory::default(), (0..workers).map(Worker::new).collect::<Vec<_>>());
            let mut admitted = |name: &str, at: u64| {
                let count = 4 * tight as usize;
                (0..count)
                    .filter(|turn| all[turn % workers as usize].is_admitted(&policy, &user(name), &shared, millis(at)))
                    .count()
            };
            // Three users spend all of theirs; a fourth still finds the wide limit's last quarter.
            for name in ["ada", "bob", "eve"] {
                assert_eq!(admitted(name, 0), tight as usize, "{name} {wide}");
            }
            // Another worker may hold a few of the wide limit's.
            let last = admitted("dan", 0);
            assert!(
                (tight as usize * 99 / 100..=tight as usize).contains(&last),
                "{last} {wide}"
            );
        }
    }
}

#[test]
fn a_dry_run_counts_and_denies_nothing() {
    let policy = policy(r#"{"limits":[{"name":"a","requests":2,"windowSeconds":60}],"dryRun":true}"#);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    let spared = (0..5).filter(|_| {
        let verdict = worker.asks(&policy, &anybody(), &shared, millis(0));
        matches!(
            verdict,
            Verdict::Admitted {
                spared: Some(Cause::Spent),
                ..
            }
        )
    });
    assert_eq!(spared.count(), 3);
}

#[test]
fn without_shared_data_requests_are_denied_or_allowed_as_the_policy_says() {
    for json in [r#"{"limits":[{"name":"a","requests":5,"windowSeconds":1}]}"#, PER_USER] {
        let (shared, mut worker) = (Memory::default(), Worker::new(1));
        shared.refuse(true);
        let Verdict::Denied(denial) = worker.asks(&policy(json), &user("ada"), &shared, millis(0)) else {
            panic!("admitted")
        };
        assert_eq!(
            (denial.status, denial.cause, denial.told),
            (503, Cause::Unavailable, None)
        );
        let lenient = policy(&json.replace("]}", r#"],"onError":"allow"}"#));
        let verdict = worker.asks(&lenient, &user("ada"), &shared, millis(0));
        assert!(matches!(
            verdict,
            Verdict::Admitted {
                spared: Some(Cause::Unavailable),
                ..
            }
        ));
        shared.refuse(false);
        assert!(worker.is_admitted(&policy(json), &user("ada"), &shared, millis(1)));
    }
}

#[test]
fn tries_sixteen_times_and_then_denies() {
    let policy = policy(r#"{"limits":[{"name":"a","requests":5,"windowSeconds":1}]}"#);
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    shared.inject_mismatches(15);
    assert!(worker.is_admitted(&policy, &anybody(), &shared, millis(0)));
    shared.inject_mismatches(100);
    let before = shared.calls();
    let Verdict::Denied(denial) = worker.asks(&policy, &anybody(), &shared, millis(0)) else {
        panic!("admitted")
    };
    assert_eq!((denial.cause, denial.retry_after), (Cause::Contended, Some(1)));
    assert_eq!((shared.calls().0 - before.0, shared.calls().1 - before.1), (16, 16));
}

#[test]
fn at_high_rates_most_requests_ask_nobody() {
    for (algorithm, most) in [("tokenBucket", 5_000), ("slidingWindow", 5_000)] {
        let policy = policy(&format!(
            r#"{{"limits":[{{"name":"a","requests":20000,"windowSeconds":1,"algorithm":"{algorithm}"}}]}}"#
        ));
        // 10,000 requests a second admitted, then 80,000 of which three quarters are denied.
        for step_micros in [100, 12] {
            let (shared, mut worker) = (Memory::default(), Worker::new(1));
            for at in 0..1_000_000 / step_micros {
                worker.is_admitted(&policy, &anybody(), &shared, Duration::from_micros(at * step_micros));
            }
            let (gets, sets) = shared.calls();
            assert!(gets < most && sets < most, "{algorithm} {step_micros} {gets} {sets}");
        }
    }
}
