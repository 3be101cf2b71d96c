//! Ramps: schedules, pauses, and who moves when.

use super::*;

const START: u64 = 1_800_000_000_000;

fn ramp(json: &str) -> Policy {
    let release = Config {
        weights: vec![500, 500],
        ramp: Some(serde_json::from_str(json).unwrap()),
        ..Config::default()
    };
    Policy::compile(&release, &names(2)).unwrap()
}

fn at(after_millis: u64) -> Duration {
    Duration::from_millis(START + after_millis)
}

/// The second target's share in thousandths.
fn share(policy: &Policy, unix: Duration) -> u64 {
    let weights = policy.weights_at(unix);
    weights.of(1) * 1000 / (weights.of(0) + weights.of(1))
}

const STEPS: &str = r#"{"startUnixMillis": 1800000000000, "steps": [
    {"afterSeconds": 0, "weights": [99, 1]}, {"afterSeconds": 600, "weights": [1, 1]}, {"afterSeconds": 700, "weights": [0, 7]}]}"#;
const LINEAR: &str = r#"{"startUnixMillis": 1800000000000, "shape": "linear", "steps": [
    {"afterSeconds": 0, "weights": [100, 0]}, {"afterSeconds": 1000, "weights": [0, 100]}]}"#;

#[test]
fn each_step_holds_until_the_next_and_the_last_for_ever() {
    let policy = ramp(STEPS);
    assert!(policy.is_ramped());
    for (millis, expected) in [
        (0, 10),
        (599_999, 10),
        (600_000, 500),
        (699_999, 500),
        (700_000, 1000),
        (1 << 50, 1000),
    ] {
        assert_eq!(share(&policy, at(millis)), expected, "after {millis} ms");
    }
    assert_eq!(share(&policy, Duration::MAX), 1000);
}

#[test]
fn native_weights_hold_before_the_start() {
    assert_eq!(share(&ramp(STEPS), Duration::from_millis(START - 1)), 500);
    assert_eq!(share(&ramp(STEPS), Duration::ZERO), 500);
}

#[test]
fn a_linear_ramp_moves_evenly() {
    let policy = ramp(LINEAR);
    for (seconds, expected) in [(0, 0), (250, 250), (500, 500), (999, 999), (1000, 1000), (5000, 1000)] {
        assert!(
            share(&policy, at(seconds * 1000)).abs_diff(expected) <= 1,
            "after {seconds} s"
        );
    }
}

#[test]
fn stands_still_during_pauses_and_goes_on_where_it_was() {
    let json = r#"{"startUnixMillis": 1800000000000, "shape": "linear",
        "pauses": [{"fromUnixMillis": 1799999000000, "untilUnixMillis": 1800000100000},
                   {"fromUnixMillis": 1800000300000, "untilUnixMillis": 1800000400000},
                   {"fromUnixMillis": 1800000800000}],
        "steps": [{"afterSeconds": 0, "weights": [100, 0]}, {"afterSeconds": 1000, "weights": [0, 100]}]}"#;
    let policy = ramp(json);
    let cases = [
        (0, 0),
        (100, 0),
        (300, 200),
        (350, 200),
        (400, 200),
        (500, 300),
        (800, 600),
        (9_999_999, 600),
    ];
    for (seconds, expected) in cases {
        assert!(
            share(&policy, at(seconds * 1000)).abs_diff(expected) <= 1,
            "after {seconds} s"
        );
    }
}

#[test]
fn a_clock_that_jumps_back_is_only_back_on_the_ramp() {
    let policy = ramp(LINEAR);
    let conditions = |millis| Conditions {
        unix: at(millis),
        ..Conditions::default()
    };
    for user in 0..1_000_u32 {
        let key = user.to_le_bytes();
        let before = policy.by_key(&key, &conditions(400_000));
        let _ahead = policy.by_key(&key, &conditions(900_000));
        assert_eq!(policy.by_key(&key, &conditions(400_000)), before);
    }
}

#[test]
fn each_user_moves_once_on_a_ramp_from_nothing_to_all_and_the_share_is_right() {
    const USERS: usize = 4_000;
    let policy = ramp(LINEAR);
    let mut was = vec![0_usize; USERS];
    for second in (0..=1000_u64).step_by(20) {
        let conditions = Conditions {
            unix: at(second * 1000),
            ..Conditions::default()
        };
        for (user, target) in was.iter_mut().enumerate() {
            let is = policy.by_key(&user.to_le_bytes(), &conditions).unwrap();
            assert!(is >= *target, "user {user} moved back");
            *target = is;
        }
        let seen = was.iter().sum::<usize>();
        assert!(
            within(seen, USERS, second as f64 / 1000.0, 4.5),
            "{seen} after {second} s"
        );
    }
    assert!(was.iter().all(|target| *target == 1));
}

#[test]
fn draws_follow_the_ramp() {
    let policy = ramp(LINEAR);
    let mut draws = Draws::from_seed(9);
    for second in [0, 10, 100, 500, 990, 1000_u64] {
        let conditions = Conditions {
            unix: at(second * 1000),
            ..Conditions::default()
        };
        let seen = (0..20_000)
            .filter(|_| policy.by_draw(&mut draws, &conditions) == 1)
            .count();
        assert!(
            within(seen, 20_000, second as f64 / 1000.0, 4.0),
            "{seen} after {second} s"
        );
    }
}

#[test]
fn the_smallest_weight_is_still_a_share() {
    let release = |count: usize| {
        let mut weights = vec![1_000_000; count];
        weights[0] = 1;
        Config {
            weights: vec![1; count],
            ramp: Some(RampConfig {
                start_unix_millis: 0,
                pauses: vec![],
                shape: Shape::Linear,
                steps: vec![RampStep {
                    after_seconds: 0,
                    weights,
                }],
            }),
            ..Config::default()
        }
    };
    let policy = Policy::compile(&release(100), &names(100)).unwrap();
    assert_eq!(policy.weights_at(Duration::ZERO).of(0), 10);
}

#[test]
fn rejects_ramps_that_cannot_be_followed() {
    let violations = |native: [u32; 2], json: &str| -> Vec<String> {
        let release = Config {
            weights: native.to_vec(),
            ramp: Some(serde_json::from_str(json).unwrap()),
            ..Config::default()
        };
        let violations = Policy::compile(&release, &names(2)).unwrap_err();
        violations.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        violations([1, 0], STEPS),
        [
            "ramp.steps[0].weights[1]: weight 1 needs a native weight of 1 or more, which selects the target",
            "ramp.steps[1].weights[1]: weight 1 needs a native weight of 1 or more, which selects the target",
            "ramp.steps[2].weights[1]: weight 7 needs a native weight of 1 or more, which selects the target",
        ]
    );
    assert_eq!(
        violations([1, 1], r#"{"startUnixMillis": 0, "steps": []}"#),
        ["ramp.steps: 0 steps; there must be 1 to 100"]
    );
    let steps = r#"{"startUnixMillis": 0, "steps": [{"afterSeconds": 1, "weights": [1]},
        {"afterSeconds": 1, "weights": [0, 0]}, {"afterSeconds": 31622401, "weights": [1, 1000001]}]}"#;
    assert_eq!(
        violations([1, 1], steps),
        [
            "ramp.steps[0].afterSeconds: 1 s must be 0 in the first step, and at most 31622400 s",
            "ramp.steps[0].weights: 1 weights for 2 targets; each target needs one",
            "ramp.steps[1].afterSeconds: 1 s must be above the step before, and at most 31622400 s",
            "ramp.steps[1].weights: the sum of the weights is 0; it must be above 0",
            "ramp.steps[2].afterSeconds: 31622401 s must be above the step before, and at most 31622400 s",
            "ramp.steps[2].weights[1]: weight 1000001 is above 1000000",
        ]
    );
    let pauses = r#"{"startUnixMillis": 0, "pauses": [{"fromUnixMillis": 5, "untilUnixMillis": 5},
        {"fromUnixMillis": 4}, {"fromUnixMillis": 9}], "steps": [{"afterSeconds": 0, "weights": [1, 1]}]}"#;
    assert_eq!(
        violations([1, 1], pauses),
        [
            "ramp.pauses[0].untilUnixMillis: a pause must end after its beginning",
            "ramp.pauses[1].fromUnixMillis: a pause must begin after the end of the one before",
            "ramp.pauses[2].fromUnixMillis: a pause must begin after the end of the one before",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_targets_on_a_rising_ramp_never_take_a_user_back(
        shares in proptest::collection::vec(0_u32..=1000, 2..6), seconds in proptest::collection::vec(1_u32..5000, 6),
        is_linear: bool, user: u64,
    ) {
        let mut shares = shares;
        shares.sort_unstable();
        let mut after = 0;
        let steps = shares.iter().zip(&seconds).map(|(share, more)| {
            let step = RampStep { after_seconds: after, weights: vec![1000 - share, *share] };
            after += more;
            step
        });
        let steps = steps.collect();
        let shape = if is_linear { Shape::Linear } else { Shape::Steps };
        let config = RampConfig { start_unix_millis: START, pauses: vec![], shape, steps };
        let release = Config { weights: vec![1, 1], ramp: Some(config), ..Config::default() };
        let policy = Policy::compile(&release, &names(2)).unwrap();
        let mut was = 0;
        for tick in 0..200 {
            let unix = at(u64::from(after) * 1000 * tick / 200);
            let is = policy.by_key(&user.to_le_bytes(), &Conditions { unix, ..Conditions::default() }).unwrap();
            prop_assert!(is >= was);
            was = is;
        }
    }
}
