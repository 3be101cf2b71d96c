//! Who is chosen, and the words for it.

use ferromesh_policy::canary::Policy;
use serde_json::{json, Value};

use super::*;

fn config(canary: Value) -> RouteConfig {
    let config = json!({
        "labels": {"virtualService": "s", "route": "r"},
        "targets": ["blue", "green"],
        "canary": canary,
    });
    serde_json::from_value(config).expect("a configuration")
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Request {
        headers: headers.collect(),
        ..Request::get("a.local", path)
    }
}

fn at(seconds: u64) -> Circumstances {
    Circumstances {
        unix: Duration::from_secs(seconds),
        source: None,
    }
}

fn from(source: &str) -> Circumstances {
    Circumstances {
        unix: Duration::ZERO,
        source: Some(source.parse().expect("an address")),
    }
}

fn decided(canary: Value, request: &Request, circumstances: &Circumstances) -> Decision {
    decide(&config(canary), request, circumstances).expect("a decision")
}

/// The name of who gets it, and why.
fn told(canary: &Value, request: &Request) -> (Option<usize>, ChosenBy, String) {
    let decision = decided(canary.clone(), request, &Circumstances::default());
    (decision.target, decision.by, decision.because)
}

#[test]
fn without_a_canary_nothing_is_chosen() {
    let mut alone = config(json!({"weights": [1, 1]}));
    alone.canary = None;
    assert_eq!(decide(&alone, &request("/", &[]), &Circumstances::default()), None);
}

#[test]
fn a_tester_gets_the_target_that_the_header_or_the_cookie_names() {
    let canary = json!({"weights": [1, 1], "sticky": {"header": "x-user"}, "override": {"header": "X-Canary", "cookie": "canary"}});
    for (headers, target, because) in [
        (
            &[("x-canary", "green"), ("x-user", "u")][..],
            1,
            "header X-Canary names it, as testers may",
        ),
        (
            &[("cookie", "a=b; canary=blue")],
            0,
            "cookie canary names it, as testers may",
        ),
        (
            &[("x-canary", "nobody"), ("cookie", "canary=green")],
            1,
            "cookie canary names it, as testers may",
        ),
    ] {
        let expected = (Some(target), ChosenBy::Tester, because.to_owned());
        assert_eq!(told(&canary, &request("/", headers)), expected);
    }
    // A name that nobody has is nobody's wish.
    let (_, by, because) = told(&canary, &request("/", &[("x-canary", "nobody"), ("x-user", "u")]));
    assert_eq!(
        (by, because.as_str()),
        (ChosenBy::Key, "whoever has the same header x-user goes there")
    );
}

#[test]
fn the_first_place_that_has_a_key_decides() {
    let places = json!([{"header": "x-user"}, {"cookie": {"name": "sid", "set": {}}}, {"query": "user"}]);
    let canary = json!({"weights": [1, 1], "sticky": {"anyOf": places}});
    let all = [("x-user", "ada"), ("cookie", "sid=eve")];
    for (path, headers, place, key) in [
        ("/?user=bob", &all[..], "header x-user", "ada"),
        ("/?user=bob", &all[1..], "cookie sid", "eve"),
        ("/?user=bob", &[("x-user", "")], "query parameter user", "bob"),
    ] {
        let policy = Policy::compile(
            &config(canary.clone()).canary.unwrap(),
            &["blue".into(), "green".into()],
        );
        let because = format!("whoever has the same {place} goes there");
        let expected = (policy.unwrap().sticky_choice(key.as_bytes()), ChosenBy::Key, because);
        assert_eq!(told(&canary, &request(path, headers)), expected);
    }
    let (target, by, because) = told(&canary, &request("/", &[]));
    assert_eq!((target, by), (None, ChosenBy::Draw));
    assert_eq!(
        because,
        "drawn by weight: the request has no header x-user and no cookie sid and no query parameter user, \
         and a new cookie keeps the user there"
    );
}

#[test]
fn the_path_and_the_source_address_are_keys_too() {
    let path = json!({"weights": [1, 1], "sticky": {"path": {}}});
    let first = told(&path, &request("/a?x=1", &[]));
    assert_eq!(first.2, "whoever has the same path goes there");
    assert_eq!(first, told(&path, &request("/a?x=2", &[])));

    let source = json!({"weights": [1, 1], "sticky": {"anyOf": [{"sourceAddress": {}}, {"header": "x-user"}]}});
    let asked = request("/", &[("x-user", "ada")]);
    for (address, key) in [("10.0.0.7", "10.0.0.7"), ("::1", "[::1]")] {
        let decision = decided(source.clone(), &asked, &from(address));
        let policy = Policy::compile(
            &config(source.clone()).canary.unwrap(),
            &["blue".into(), "green".into()],
        );
        assert_eq!(
            decision.target,
            policy.unwrap().sticky_choice(key.as_bytes()),
            "{address}"
        );
        assert_eq!(decision.because, "whoever has the same source address goes there");
    }
    // Not what comes after it: the proxy would know.
    let (target, by, because) = told(&source, &asked);
    assert_eq!((target, by), (None, ChosenBy::Key));
    assert_eq!(because, "it depends on the source address, which is not given");
}

#[test]
fn every_key_meets_whom_the_filter_chooses() {
    let canary = json!({"weights": [70, 30], "sticky": {"header": "x-user"}});
    let policy = Policy::compile(
        &config(canary.clone()).canary.unwrap(),
        &["blue".into(), "green".into()],
    )
    .unwrap();
    let mut counts = [0; 2];
    for number in 0..500 {
        let user = format!("user-{number}");
        let (target, by, _) = told(&canary, &request("/", &[("x-user", &user)]));
        assert_eq!((target, by), (policy.sticky_choice(user.as_bytes()), ChosenBy::Key));
        counts[target.unwrap()] += 1;
    }
    assert!(counts[0] > counts[1] && counts[1] > 100, "{counts:?}");
}

#[test]
fn a_ramp_gives_the_weights_of_the_time_and_says_where_it_is() {
    let ramp = |shape: &str| {
        let steps = json!([
            {"afterSeconds": 0, "weights": [100, 0]},
            {"afterSeconds": 100, "weights": [50, 50]},
            {"afterSeconds": 300, "weights": [0, 100]},
        ]);
        let pauses = json!([{"fromUnixMillis": 1_150_000, "untilUnixMillis": 1_200_000}]);
        json!({"weights": [90, 10], "ramp": {"startUnixMillis": 1_000_000, "shape": shape, "pauses": pauses, "steps": steps}})
    };
    let drawn = "drawn by weight: nothing keeps users with a target";
    let sole = "no other target has a weight: nothing keeps users with a target";
    for (shape, seconds, green, target, because) in [
        ("steps", 999, 10.0, None, format!("{drawn}; the ramp has not begun")),
        (
            "steps",
            1_000,
            0.0,
            Some(0),
            format!("{sole}; the ramp is at step 1 of 3"),
        ),
        (
            "steps",
            1_120,
            50.0,
            None,
            format!("{drawn}; the ramp is at step 2 of 3"),
        ),
        (
            "steps",
            1_170,
            50.0,
            None,
            format!("{drawn}; the ramp is at step 2 of 3, paused"),
        ),
        (
            "steps",
            1_349,
            50.0,
            None,
            format!("{drawn}; the ramp is at step 2 of 3"),
        ),
        (
            "steps",
            1_350,
            100.0,
            Some(1),
            format!("{sole}; the ramp is at step 3 of 3"),
        ),
        (
            "linear",
            1_050,
            25.0,
            None,
            format!("{drawn}; the ramp is between the steps 1 and 2 of 3"),
        ),
        (
            "linear",
            1_250,
            75.0,
            None,
            format!("{drawn}; the ramp is between the steps 2 and 3 of 3"),
        ),
        (
            "linear",
            9_999,
            100.0,
            Some(1),
            format!("{sole}; the ramp is at step 3 of 3"),
        ),
    ] {
        let decision = decided(ramp(shape), &request("/", &[]), &at(seconds));
        let sum: u64 = decision.weights.iter().sum();
        let share = (decision.weights[1] as f64 * 100.0 / sum as f64 * 1000.0).round() / 1000.0;
        assert_eq!((share, decision.target), (green, target), "{shape} at {seconds}");
        assert_eq!(decision.because, because, "{shape} at {seconds}");
    }
}

#[test]
fn a_ramp_of_a_hundred_steps_tells_each_of_them() {
    let steps: Vec<Value> = (0..100)
        .map(|n| json!({"afterSeconds": n, "weights": [1, 1]}))
        .collect();
    let canary = json!({"weights": [1, 1], "ramp": {"startUnixMillis": 0, "steps": steps}});
    for step in 0..100 {
        let decision = decided(canary.clone(), &request("/", &[]), &at(step));
        let said = format!("; the ramp is at step {} of 100", step + 1);
        assert!(decision.because.ends_with(&said), "{}", decision.because);
    }
}

#[test]
fn whoever_would_go_to_a_canary_that_is_rolled_back_goes_to_the_baseline() {
    let canary = |rolled_back: Option<u64>| {
        json!({
            "weights": [1, 1],
            "sticky": {"header": "x-user"},
            "rollback": {"canary": "green", "baseline": "blue"},
            "overall": {"key": "k", "rolledBackUnixMillis": rolled_back},
        })
    };
    let users: Vec<String> = (0..50).map(|n| format!("user-{n}")).collect();
    let targets = |rolled_back| -> Vec<Option<usize>> {
        let decide = |user: &String| decided(canary(rolled_back), &request("/", &[("x-user", user)]), &at(10));
        users.iter().map(|user| decide(user).target).collect()
    };
    assert!(targets(None).contains(&Some(1)));
    assert!(targets(Some(5_000)).iter().all(|target| *target == Some(0)));
    let decision = decided(canary(Some(5_000)), &request("/", &[]), &at(10));
    assert_eq!((decision.weights, decision.target), (vec![2, 0], Some(0)));
    assert!(
        decision
            .because
            .ends_with("; green is rolled back: blue gets its requests"),
        "{}",
        decision.because
    );
}
