use std::cell::RefCell;

use proptest::prelude::*;

use super::*;

mod cookies;
mod ejection;
mod overall;
mod ramp;
mod rollback;

#[derive(Default)]
struct Request {
    headers: Vec<(&'static str, Vec<u8>)>,
    source: Option<&'static [u8]>,
    reads: RefCell<Vec<String>>,
}

impl View for Request {
    type Value<'a> = &'a [u8];
    fn request_header(&self, name: &str) -> Option<&[u8]> {
        self.reads.borrow_mut().push(name.to_owned());
        self.headers
            .iter()
            .find(|(header, _)| *header == name)
            .map(|(_, value)| value.as_slice())
    }
    fn response_header(&self, _: &str) -> Option<&[u8]> {
        None
    }
    fn property(&self, property: Property) -> Option<&[u8]> {
        self.reads.borrow_mut().push(format!("{property:?}"));
        self.source
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("target-{index}")).collect()
}

fn policy(weights: &[u32]) -> Policy {
    let config = Config {
        weights: weights.to_vec(),
        ..Config::default()
    };
    Policy::compile(&config, &names(weights.len())).unwrap()
}

fn sticky_by(sticky: Sticky) -> Policy {
    let config = Config {
        weights: vec![50, 50],
        sticky: Some(sticky),
        tester: None,
        ..Config::default()
    };
    Policy::compile(&config, &names(2)).unwrap()
}

#[test]
fn reads_nothing_for_a_plain_weighted_choice() {
    let request = Request::default();
    policy(&[90, 10]).choose(&request, &mut Draws::from_seed(1));
    assert!(request.reads.borrow().is_empty());
}

#[test]
fn writes_the_middle_of_each_interval_and_none_for_weight_0() {
    let policy = policy(&[1, 0, 100]);
    assert_eq!(policy.number(0), Some(&b"0"[..]));
    assert_eq!(policy.number(1), None);
    assert_eq!(policy.number(2), Some(&b"51"[..]));
    assert_eq!(policy.number(3), None);
}

#[test]
fn an_override_wins_over_stickiness_and_an_unknown_one_is_ignored() {
    let config = Config {
        weights: vec![100, 1, 0],
        sticky: Some(Sticky::Header("x-user".into())),
        tester: Some(Tester {
            header: Some("x-canary".into()),
            cookie: None,
        }),
        ..Config::default()
    };
    let policy = Policy::compile(&config, &names(3)).unwrap();
    let ask = |value: &str| {
        let headers = vec![("x-canary", value.as_bytes().to_vec()), ("x-user", b"ada".to_vec())];
        policy.choose(
            &Request {
                headers,
                ..Request::default()
            },
            &mut Draws::from_seed(1),
        )
    };
    let sticky = policy.sticky_choice(b"ada").unwrap();
    assert_eq!(ask("target-1"), 1);
    assert_eq!(ask("target-9"), sticky);
    assert_eq!(ask("target-2"), sticky, "no number selects a target of weight 0");
    assert_eq!(ask(""), sticky);
}

#[test]
fn the_source_address_counts_without_its_port() {
    let policy = sticky_by(Sticky::SourceAddress(SourceAddress {}));
    for (one, two) in [("10.0.0.7:1", "10.0.0.7:65535"), ("[2001:db8::1]:1", "[2001:db8::1]:2")] {
        let choose = |source: &'static str| {
            let request = Request {
                source: Some(source.as_bytes()),
                ..Request::default()
            };
            policy.choose(&request, &mut Draws::from_seed(1))
        };
        assert_eq!(choose(one), choose(two));
    }
}

#[test]
fn an_absent_or_empty_key_is_drawn_by_weight() {
    for headers in [vec![], vec![("x-user", vec![])]] {
        let request = Request {
            headers,
            ..Request::default()
        };
        let policy = sticky_by(Sticky::Header("x-user".into()));
        let mut draws = Draws::from_seed(3);
        let first = (0..2000).filter(|_| policy.choose(&request, &mut draws) == 0).count();
        assert!((850..1150).contains(&first), "{first} of 2000");
    }
}

#[test]
fn header_names_of_a_policy_may_be_written_in_any_case() {
    let policy = sticky_by(Sticky::Header("X-User".into()));
    let headers = vec![("x-user", b"ada".to_vec())];
    let request = Request {
        headers,
        ..Request::default()
    };
    assert_eq!(
        Some(policy.choose(&request, &mut Draws::from_seed(1))),
        policy.sticky_choice(b"ada")
    );
}

#[test]
fn draws_of_fixed_seeds_are_within_three_deviations() {
    for (seed, share) in [(1, 10), (2, 50), (3, 1), (4, 99)] {
        let (policy, mut draws) = (policy(&[100 - share, share]), Draws::from_seed(seed));
        let seen = (0..100_000).filter(|_| policy.weighted_choice(&mut draws) == 1).count();
        assert!(
            within(seen, 100_000, f64::from(share) / 100.0, 3.0),
            "{seen} of 100000 for {share} %"
        );
    }
}

#[test]
fn rejects_weights_that_do_not_fit_the_targets() {
    let compile = |weights: &[u32]| {
        let config = Config {
            weights: weights.to_vec(),
            ..Config::default()
        };
        Policy::compile(&config, &names(2))
            .unwrap_err()
            .first()
            .unwrap()
            .to_string()
    };
    assert_eq!(compile(&[1]), "weights: 1 weights for 2 targets; each target needs one");
    assert_eq!(
        compile(&[0, 0]),
        "weights: the sum of the weights is 0; it must be above 0"
    );
    assert_eq!(compile(&[1, 1_000_001]), "weights[1]: weight 1000001 is above 1000000");
}

#[test]
fn rejects_header_names_that_no_request_can_carry() {
    let config = Config {
        weights: vec![1],
        sticky: Some(Sticky::Header("x user".into())),
        tester: Some(Tester {
            header: Some(":".into()),
            cookie: None,
        }),
        ..Config::default()
    };
    let violations = Policy::compile(&config, &names(1)).unwrap_err();
    let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, ["sticky.header", "override.header"]);
}

/// `seen` of `total` where `share` is expected: within `sigmas` standard deviations of the binomial.
fn within(seen: usize, total: usize, share: f64, sigmas: f64) -> bool {
    let (seen, total) = (seen as f64, total as f64);
    let deviation = (total * share * (1.0 - share)).sqrt();
    (seen - total * share).abs() <= sigmas * deviation.max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // A thousand comparisons are made here, so a bound of 3 deviations would fail by chance: 4.5 for each
    // of many cases is as strict as 3 for one.
    #[test]
    fn draws_follow_the_weights(weights in proptest::collection::vec(0_u32..=100, 2..6), seed: u64) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let policy = policy(&weights);
        let mut draws = Draws::from_seed(seed);
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0_usize; weights.len()];
        for _ in 0..10_000 {
            counts[policy.weighted_choice(&mut draws)] += 1;
        }
        for (weight, count) in weights.iter().zip(counts) {
            prop_assert!(within(count, 10_000, f64::from(*weight) / f64::from(total), 4.5));
            prop_assert!(*weight > 0 || count == 0);
        }
    }

    #[test]
    fn sticky_users_follow_the_weights(weights in proptest::collection::vec(0_u32..=100, 2..6), salt: u32) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let policy = policy(&weights);
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0_usize; weights.len()];
        for user in 0..10_000 {
            counts[policy.sticky_choice(format!("user-{salt}-{user}").as_bytes()).unwrap()] += 1;
        }
        for (weight, count) in weights.iter().zip(counts) {
            prop_assert!(within(count, 10_000, f64::from(*weight) / f64::from(total), 4.5));
        }
    }

    #[test]
    fn only_marginal_users_move_when_one_weight_changes(
        weights in proptest::collection::vec(1_u32..=100, 2..5), changed in 0_usize..5, to in 0_u32..=100,
    ) {
        let changed = changed % weights.len();
        let mut after = weights.clone();
        after[changed] = to;
        prop_assume!(after.iter().any(|weight| *weight > 0));
        let (before, then) = (policy(&weights), policy(&after));
        let grows = to > weights[changed];
        for user in 0..2_000_u32 {
            let key = user.to_le_bytes();
            let (was, is) = (before.sticky_choice(&key).unwrap(), then.sticky_choice(&key).unwrap());
            if was != is {
                let marginal = if grows { is == changed } else { was == changed };
                prop_assert!(marginal);
            }
        }
    }

    #[test]
    fn a_shift_between_two_targets_moves_only_the_shifted_share(from in 0_u32..100, more in 1_u32..=50) {
        let to = (from + more).min(100);
        let (before, then) = (policy(&[100 - from, from]), policy(&[100 - to, to]));
        let mut moved = 0;
        for user in 0..5_000_u32 {
            let key = user.to_le_bytes();
            let (was, is) = (before.sticky_choice(&key).unwrap(), then.sticky_choice(&key).unwrap());
            prop_assert!(was == is || (was == 0 && is == 1));
            moved += usize::from(was != is);
        }
        prop_assert!(within(moved, 5_000, f64::from(to - from) / 100.0, 4.5));
    }

    #[test]
    fn any_bytes_in_headers_are_some_target(
        user in proptest::collection::vec(any::<u8>(), 0..100),
        cookie in proptest::collection::vec(any::<u8>(), 0..100),
        wish in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        for sticky in [Sticky::Header("x-user".into()), Sticky::Cookie("sid".into())] {
            let tester = Some(Tester { header: Some("x-canary".into()), cookie: None });
            let config = Config { weights: vec![1, 2], sticky: Some(sticky), tester, ..Config::default() };
            let policy = Policy::compile(&config, &names(2)).unwrap();
            let headers = vec![("x-user", user.clone()), ("cookie", cookie.clone()), ("x-canary", wish.clone())];
            let chosen = policy.choose(&Request { headers, ..Request::default() }, &mut Draws::from_seed(1));
            prop_assert!(policy.number(chosen).is_some());
        }
    }
}

#[test]
fn sticky_choices_never_change_between_releases() {
    let policy = policy(&[50, 30, 20]);
    let chosen: Vec<usize> = [
        "ada",
        "grace",
        "edsger",
        "barbara",
        "donald",
        "tony",
        "leslie",
        "frances",
        "katherine",
    ]
    .iter()
    .map(|user| policy.sticky_choice(user.as_bytes()).unwrap())
    .collect();
    // Computed apart from this code, from the definition of the score.
    assert_eq!(chosen, [0, 1, 0, 1, 1, 0, 0, 1, 2]);
}
