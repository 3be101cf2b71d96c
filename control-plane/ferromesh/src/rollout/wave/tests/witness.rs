//! Stages that wait for what agents report.

use std::cell::RefCell;

use super::*;

/// What was heard of each instance.
#[derive(Default)]
struct Agents(RefCell<BTreeMap<String, Heard>>);

impl Agents {
    fn report(&self, instance: &str, until: Duration) {
        let heard = Heard {
            until,
            stalled_at: None,
        };
        self.0.borrow_mut().insert(instance.to_owned(), heard);
    }

    fn stall(&self, instance: &str, at: Duration) {
        let heard = Heard {
            until: at,
            stalled_at: Some(at),
        };
        self.0.borrow_mut().insert(instance.to_owned(), heard);
    }
}

impl Witness for Agents {
    fn worth(&self, _: &ProxyKey, _: &str) -> u64 {
        0
    }

    fn heard(&self, _: &ProxyKey, instance: &str, _: Duration) -> Option<Heard> {
        self.0.borrow().get(instance).copied()
    }
}

/// Fifty proxies with agents, and the first of them, that has acknowledged what it was given at second 1.
fn acknowledged() -> (Mesh, u64, String) {
    let mut mesh = changed(50, 3);
    for stream in 0..50 {
        mesh.expect_reports(stream);
    }
    let first = start(&mut mesh, SECOND);
    answer(&mut mesh, SECOND, first);
    (mesh, first, format!("i{first}"))
}

#[test]
fn a_stage_has_not_passed_before_a_report_covers_the_whole_time_that_it_was_watched() {
    let (mut mesh, first, instance) = acknowledged();
    let agents = Agents::default();
    agents.report(&instance, SECOND / 2);
    let mut now = SECOND;
    for late in 1..=9 {
        now += SECOND;
        if late > 4 {
            // Reports come again, of what was counted before the end of the observation.
            agents.report(&instance, 4 * SECOND - SECOND / 10);
        }
        assert_eq!(mesh.tick(now, &agents), [], "{now:?}");
        assert_eq!(holders(&mesh, 50), [first]);
    }
    agents.report(&instance, 4 * SECOND);
    mesh.tick(now, &agents);
    assert_eq!(holders(&mesh, 50).len(), 6);
}

#[test]
fn who_was_reported_on_until_it_had_the_change_and_is_not_any_more_is_harmed() {
    let (mut mesh, _, instance) = acknowledged();
    let agents = Agents::default();
    agents.report(&instance, 2 * SECOND);
    assert_eq!(mesh.tick(13 * SECOND, &agents), []);
    let effects = mesh.tick(14 * SECOND, &agents);
    assert!(
        rejection(&effects).contains("was reported on, and has not been for 10 s since it acknowledged this"),
        "{effects:?}"
    );
}

#[test]
fn an_agent_whose_reports_never_arrive_is_waited_for_and_then_its_answers_have_to_do() {
    let (mut mesh, first, _) = acknowledged();
    let agents = Agents::default();
    assert_eq!(mesh.tick(13 * SECOND, &agents), []);
    assert_eq!(holders(&mesh, 50), [first]);
    mesh.tick(14 * SECOND, &agents);
    assert_eq!(holders(&mesh, 50).len(), 6);
}

#[test]
fn one_agent_of_many_that_reports_no_more_does_not_hold_a_change_back() {
    let (mut mesh, first, _) = acknowledged();
    let agents = Agents::default();
    let silent = u64::from(first == 7) + 7;
    let mut now = SECOND;
    agents.report(&format!("i{silent}"), now);
    for _ in 0..60 {
        for stream in (0..50).filter(|stream| *stream != silent) {
            agents.report(&format!("i{stream}"), now);
        }
        let before = holders(&mesh, 50);
        now += SECOND;
        mesh.tick(now, &agents);
        for stream in holders(&mesh, 50) {
            if !before.contains(&stream) {
                answer(&mut mesh, now, stream);
            }
        }
        if mesh.accepted(&key(0)) == Some(Fingerprint(2)) {
            return;
        }
    }
    panic!("{:?}", mesh.trial());
}

#[test]
fn acknowledgement_is_enough_where_nothing_is_observed() {
    let mut mesh = changed(50, 0);
    for stream in 0..50 {
        mesh.expect_reports(stream);
    }
    let first = start(&mut mesh, SECOND);
    answer(&mut mesh, SECOND, first);
    mesh.tick(2 * SECOND, &Agents::default());
    assert_eq!(holders(&mesh, 50).len(), 6);
}

#[test]
fn a_thread_that_stood_still_is_waited_for_until_its_watchdog_would_have_ended_it() {
    let (mut mesh, first, instance) = acknowledged();
    let agents = Agents::default();
    agents.stall(&instance, 4 * SECOND);
    assert_eq!(mesh.tick(13 * SECOND, &agents), []);
    assert_eq!(holders(&mesh, 50), [first]);
    mesh.tick(14 * SECOND, &agents);
    assert_eq!(holders(&mesh, 50).len(), 6, "it was only slow");
}

#[test]
fn threads_that_stand_still_again_and_again_are_not_waited_for_without_end() {
    let (mut mesh, first, instance) = acknowledged();
    let agents = Agents::default();
    for second in 4..24 {
        agents.stall(&instance, second * SECOND);
        assert_eq!(mesh.tick(second * SECOND, &agents), []);
        assert_eq!(holders(&mesh, 50), [first]);
    }
    agents.stall(&instance, 24 * SECOND);
    mesh.tick(24 * SECOND, &agents);
    assert_eq!(holders(&mesh, 50).len(), 6);
}

#[test]
fn who_comes_again_was_given_the_candidate_when_it_was_the_first_time() {
    let (mut mesh, first, instance) = acknowledged();
    let of = mesh.key_of(first).expect("its proxy").clone();
    mesh.disconnect(3 * SECOND, first, false);
    assert_eq!(mesh.tried()[0].losses, 1, "who is gone was tried all the same");
    mesh.connect(5 * SECOND, 100, &of, &instance);
    mesh.connect(5 * SECOND, 101, &of, "another");
    let tried = mesh.tried();
    assert_eq!(tried.len(), 1, "{tried:?}");
    assert_eq!((tried[0].since, tried[0].losses), (SECOND, 1));
}

#[test]
fn an_agent_that_was_started_again_is_tried_beside_what_the_one_before_has_shown() {
    let (mut mesh, first, instance) = acknowledged();
    let of = mesh.key_of(first).expect("its proxy").clone();
    mesh.disconnect(3 * SECOND, first, false);
    mesh.connect(5 * SECOND, 100, &of, "another run");
    let tried = mesh.tried();
    let of = |instance: &str| tried.iter().find(|tried| tried.instance == instance).expect("tried");
    assert_eq!((of(&instance).since, of(&instance).losses), (SECOND, 1));
    assert_eq!((of("another run").since, of("another run").losses), (5 * SECOND, 0));
}
