use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn millis(at: u64) -> Duration {
    Duration::from_millis(at)
}

fn budget(ratio: f64, min_per_second: u32) -> Budget {
    Budget::new(&BudgetConfig {
        ratio,
        min_per_second,
        window_seconds: 10,
    })
}

#[test]
fn grants_the_minimum_of_a_window_at_once_and_no_more() {
    let mut budget = budget(0.0, 3);
    let granted: u32 = (0..100).map(|_| budget.grant(millis(0), 2).retries).sum();
    assert_eq!(granted, 30);
}

#[test]
fn grants_the_rest_when_fewer_are_left_than_wanted() {
    let mut budget = budget(0.0, 1);
    assert_eq!(budget.grant(millis(0), 8).retries, 8);
    assert_eq!(budget.grant(millis(0), 8).retries, 2);
    assert_eq!(budget.grant(millis(0), 8).retries, 0);
}

#[test]
fn unused_retries_come_back() {
    let mut budget = budget(0.0, 1);
    for at in 0..1000 {
        let grant = budget.grant(millis(at), 5);
        assert_eq!(grant.retries, 5);
        budget.settle(grant, 0);
    }
    assert_eq!(budget.window(), (1000, 0));
}

#[test]
fn twenty_percent_of_requests_may_be_retries() {
    let mut budget = budget(0.2, 0);
    let mut retries = 0;
    for at in 0..1000 {
        let grant = budget.grant(millis(at), 2);
        retries += grant.retries;
        budget.settle(grant, grant.retries);
    }
    assert_eq!(retries, 200);
}

#[test]
fn used_retries_leave_with_the_window() {
    let mut budget = budget(0.0, 1);
    let grant = budget.grant(millis(500), 10);
    budget.settle(grant, 10);
    assert_eq!(budget.grant(millis(9_999), 1).retries, 0);
    assert_eq!(budget.grant(millis(10_000), 10).retries, 10);
}

#[test]
fn a_grant_that_is_settled_after_its_window_changes_nothing() {
    let mut budget = budget(0.0, 1);
    let old = budget.grant(millis(0), 10);
    let new = budget.grant(millis(10_000), 10);
    assert_eq!(new.retries, 10);
    budget.settle(old, 0);
    assert_eq!(budget.grant(millis(10_000), 1).retries, 0);
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut budget = budget(0.0, 1);
    assert_eq!(budget.grant(millis(60_000), 10).retries, 10);
    assert_eq!(budget.grant(millis(0), 1).retries, 0);
    assert_eq!(budget.grant(Duration::MAX, 1).retries, 1);
}

fn config(json: &str) -> Config {
    serde_json::from_str(json).unwrap()
}

struct Method(Option<&'static str>);

impl View for Method {
    type Value<'a> = &'static [u8];
    fn request_header(&self, name: &str) -> Option<&'static [u8]> {
        assert_eq!(name, ":method");
        self.0.map(str::as_bytes)
    }
    fn response_header(&self, _: &str) -> Option<&'static [u8]> {
        None
    }
    fn property(&self, _: crate::Property) -> Option<&'static [u8]> {
        None
    }
}

fn stated(config: &Config, method: Option<&'static str>) -> Vec<(&'static str, String)> {
    let policy = Policy::compile(config).unwrap();
    let headers = policy.headers(&Method(method)).unwrap();
    headers
        .iter()
        .map(|(name, value)| (name, String::from_utf8(value.to_vec()).unwrap()))
        .collect()
}

const STANDALONE: &str = r#"{"maxRetries":2,"native":false,"retryOn":["gateway-error","connect-failure","unavailable"],
    "statusCodes":[409,503],"perTryTimeoutMillis":250}"#;

#[test]
fn states_the_whole_policy_for_an_idempotent_method() {
    assert_eq!(
        stated(&config(STANDALONE), Some("GET")),
        [
            (
                "x-envoy-retry-on",
                "gateway-error,connect-failure,retriable-status-codes".to_owned()
            ),
            ("x-envoy-retry-grpc-on", "unavailable".to_owned()),
            ("x-envoy-retriable-status-codes", "409,503".to_owned()),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "250".to_owned()),
        ]
    );
}

#[test]
fn keeps_only_what_was_never_processed_for_other_methods() {
    for method in [Some("POST"), Some("PATCH"), Some("get"), Some(""), None] {
        assert_eq!(
            stated(&config(STANDALONE), method),
            [
                ("x-envoy-retry-on", "connect-failure".to_owned()),
                ("x-envoy-retry-grpc-on", "unavailable".to_owned()),
                ("x-envoy-upstream-rq-per-try-timeout-ms", "250".to_owned()),
            ]
        );
    }
}

#[test]
fn retries_every_method_where_the_policy_says_so() {
    let json = r#"{"maxRetries":1,"native":false,"retryOn":["5xx"],"nonIdempotent":"retry"}"#;
    assert_eq!(
        stated(&config(json), Some("POST")),
        [("x-envoy-retry-on", "5xx".to_owned())]
    );
}

#[test]
fn has_nothing_to_state_when_no_condition_is_left() {
    let json = r#"{"maxRetries":1,"native":false,"retryOn":["5xx"],"perTryTimeoutMillis":5}"#;
    assert_eq!(stated(&config(json), Some("POST")), []);
}

#[test]
fn rejects_wrong_settings_with_their_paths() {
    for (json, path) in [
        (r#"{"maxRetries":1001}"#, "maxRetries"),
        (r#"{"maxRetries":1,"budget":{"ratio":1.5}}"#, "budget.ratio"),
        (
            r#"{"maxRetries":1,"budget":{"minPerSecond":1000001}}"#,
            "budget.minPerSecond",
        ),
        (
            r#"{"maxRetries":1,"budget":{"windowSeconds":0}}"#,
            "budget.windowSeconds",
        ),
        (r#"{"maxRetries":1,"statusCodes":[503]}"#, "statusCodes"),
        (r#"{"maxRetries":1,"native":false}"#, "retryOn"),
        (
            r#"{"maxRetries":1,"native":false,"retryOn":["5xx","teapot"]}"#,
            "retryOn[1]",
        ),
        (
            r#"{"maxRetries":1,"native":false,"statusCodes":[99]}"#,
            "statusCodes[0]",
        ),
        (
            r#"{"maxRetries":1,"native":false,"retryOn":["5xx"],"perTryTimeoutMillis":0}"#,
            "perTryTimeoutMillis",
        ),
    ] {
        let violations = Policy::compile(&config(json)).unwrap_err();
        assert_eq!(
            violations.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(),
            [path]
        );
    }
}

#[derive(Clone, Debug)]
enum Event {
    Request { wanted: u32 },
    Settle { which: usize, used: u32 },
    Wait { millis: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0_u32..5).prop_map(|wanted| Event::Request { wanted }),
        3 => (any::<usize>(), 0_u32..5).prop_map(|(which, used)| Event::Settle { which, used }),
        2 => (0_u64..4_000).prop_map(|millis| Event::Wait { millis }),
    ];
    proptest::collection::vec(event, 0..400)
}

proptest! {
    // The budget against a model that keeps every request with its slot and its retries.
    #[test]
    fn is_never_exceeded(events in events(), ratio in 0_u32..=100, min_per_second in 0_u32..3, window_seconds in 1_u32..20) {
        let config = BudgetConfig { ratio: f64::from(ratio) / 100.0, min_per_second, window_seconds };
        let mut budget = Budget::new(&config);
        let slot = u64::from(window_seconds) * 100;
        let mut now = 0;
        // (slot number, retries that count, the grant while it is open)
        let mut model: Vec<(u64, u32, Option<Grant>)> = Vec::new();
        for event in events {
            match event {
                Event::Wait { millis } => now += millis,
                Event::Request { wanted } => {
                    let grant = budget.grant(millis(now), wanted);
                    prop_assert!(grant.retries <= wanted);
                    model.push((now / slot, grant.retries, Some(grant)));
                    let within: Vec<_> = model.iter().filter(|one| one.0 + 10 > now / slot).collect();
                    let retries: u64 = within.iter().map(|one| u64::from(one.1)).sum();
                    let requests = within.len() as u64;
                    let allowed = requests * u64::from(ratio) + u64::from(min_per_second * window_seconds) * 100;
                    // An earlier grant may have relied on requests that have left the window since; a new
                    // one never adds to that.
                    prop_assert!(grant.retries == 0 || retries * 100 <= allowed);
                    prop_assert_eq!(budget.window(), (requests, retries));
                }
                Event::Settle { which, used } => {
                    if model.is_empty() { continue }
                    let which = which % model.len();
                    if let Some(grant) = model[which].2.take() {
                        let used = used.min(grant.retries);
                        budget.settle(grant, used);
                        model[which].1 = used;
                    }
                }
            }
        }
    }
}
