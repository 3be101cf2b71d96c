//! Targets that admit no requests are avoided, for as long as that lasts and there is another.

use super::*;

fn without(targets: &[usize]) -> Conditions {
    Conditions {
        admitting: targets.iter().fold(Admitting::ALL, |set, target| set.without(*target)),
        ..Conditions::default()
    }
}

#[test]
fn draws_go_to_the_others_by_their_weights() {
    let (policy, mut draws) = (policy(&[50, 20, 30]), Draws::from_seed(4));
    let mut counts = [0_usize; 3];
    for _ in 0..20_000 {
        counts[policy.by_draw(&mut draws, &without(&[0]))] += 1;
    }
    assert!(counts[0] == 0 && within(counts[1], 20_000, 0.4, 4.0), "{counts:?}");
}

#[test]
fn only_the_users_of_an_ejected_target_move_and_they_come_back() {
    let policy = policy(&[50, 20, 30]);
    let mut counts = [0_usize; 3];
    for user in 0..20_000_u32 {
        let key = user.to_le_bytes();
        let (was, is) = (
            policy.sticky_choice(&key).unwrap(),
            policy.by_key(&key, &without(&[0])).unwrap(),
        );
        assert!(is == was || was == 0);
        assert_ne!(is, 0);
        if was == 0 {
            counts[is] += 1;
        }
        assert_eq!(policy.by_key(&key, &without(&[])), Some(was));
    }
    let moved = counts.iter().sum();
    assert!(within(counts[1], moved, 0.4, 4.0), "{counts:?}");
}

#[test]
fn where_all_are_ejected_the_choice_is_as_if_none_were() {
    let policy = policy(&[50, 0, 30]);
    let all = without(&[0, 2]);
    assert_eq!(policy.by_key(b"ada", &all), policy.sticky_choice(b"ada"));
    let (mut one, mut other) = (Draws::from_seed(1), Draws::from_seed(1));
    for _ in 0..100 {
        assert_eq!(policy.by_draw(&mut one, &all), policy.weighted_choice(&mut other));
    }
}

#[test]
fn a_rolled_back_canary_is_where_its_baseline_is() {
    let rollback = serde_json::from_str(r#"{"canary": "target-1", "baseline": "target-0"}"#).unwrap();
    let release = Config {
        weights: vec![50, 20, 30],
        rollback: Some(rollback),
        ..Config::default()
    };
    let policy = Policy::compile(&release, &names(3)).unwrap();
    let conditions = |ejected: &[usize]| Conditions {
        rolled_back: true,
        ..without(ejected)
    };
    let mut draws = Draws::from_seed(1);
    for user in 0..500_u32 {
        let key = user.to_le_bytes();
        assert_eq!(policy.by_key(&key, &conditions(&[0])), Some(2), "baseline ejected");
        assert_eq!(policy.by_draw(&mut draws, &conditions(&[0])), 2);
        // The canary's own health no longer matters.
        assert_eq!(
            policy.by_key(&key, &conditions(&[1])),
            policy.by_key(&key, &conditions(&[]))
        );
        assert_ne!(
            policy.by_key(&key, &conditions(&[0, 2])),
            Some(1),
            "nobody is left, and still no canary"
        );
    }
}

#[test]
fn a_tester_reaches_what_nobody_else_does() {
    let release = Config {
        weights: vec![50, 50],
        tester: Some(Tester {
            header: Some("X-Canary".into()),
            cookie: Some("canary".into()),
        }),
        rollback: Some(serde_json::from_str(r#"{"canary": "target-1", "baseline": "target-0"}"#).unwrap()),
        ..Config::default()
    };
    let policy = Policy::compile(&release, &names(2)).unwrap();
    let conditions = Conditions {
        rolled_back: true,
        ..without(&[1])
    };
    let choose = |headers: &[(&'static str, &str)]| {
        let request = Request {
            headers: headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes().to_vec()))
                .collect(),
            ..Request::default()
        };
        policy.decide(&request, &mut Draws::from_seed(1), &conditions)
    };
    assert_eq!(choose(&[("x-canary", "target-1")]).target, 1);
    assert_eq!(choose(&[("x-canary", "target-1")]).by, ChosenBy::Tester);
    assert_eq!(choose(&[("cookie", "a=b; canary=target-1")]).target, 1);
    assert_eq!(
        choose(&[("x-canary", "target-0"), ("cookie", "canary=target-1")]).target,
        0
    );
    assert_eq!(choose(&[("x-canary", "no"), ("cookie", "canary=target-1")]).target, 1);
    assert_eq!(choose(&[("cookie", "canary=target-2")]).by, ChosenBy::Draw);
}
