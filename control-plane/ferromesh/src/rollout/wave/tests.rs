//! Waves with a clock of our own.

mod property;
mod witness;

use super::*;
use crate::identity::Identity;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

pub(super) fn key(number: usize) -> ProxyKey {
    Identity::parse(&format!("mesh/m/virtualNode/n{number:02}"))
        .unwrap()
        .key()
}

pub(super) fn rules(observe: u64) -> Rules {
    Rules {
        is_staged: true,
        observe: Duration::from_secs(observe),
        share_percent: 10,
        silence: Duration::from_secs(10),
    }
}

fn nobody(_: &ProxyKey, _: &str) -> u64 {
    0
}

/// Nobody reports.
pub(super) struct Nobody;

impl Witness for Nobody {
    fn worth(&self, _: &ProxyKey, _: &str) -> u64 {
        0
    }

    fn heard(&self, _: &ProxyKey, _: &str, _: Duration) -> Option<Heard> {
        None
    }
}

/// A mesh with so many proxies, one stream each, all with configuration 1; then configuration 2 is published.
fn changed(proxies: usize, observe: u64) -> Mesh {
    let mut mesh = Mesh::new(rules(observe));
    for number in 0..proxies {
        assert!(
            mesh.offer(&key(number), Fingerprint(1), false),
            "the first one is accepted as it is"
        );
        mesh.connect(Duration::ZERO, number as u64, &key(number), &format!("i{number}"));
    }
    for number in 0..proxies {
        assert!(!mesh.offer(&key(number), Fingerprint(2), false));
    }
    mesh
}

fn holders(mesh: &Mesh, proxies: usize) -> Vec<u64> {
    let streams = 0..proxies as u64;
    streams
        .filter(|stream| mesh.holds(*stream) == Some(Holds::Candidate))
        .collect()
}

fn start(mesh: &mut Mesh, now: Duration) -> u64 {
    let candidate = mesh.proposal().expect("something to try");
    let effects = mesh.start(now, &candidate, &nobody);
    let Some(Effect::Holds(first)) = effects.first() else {
        panic!("{effects:?}")
    };
    *first
}

fn answer(mesh: &mut Mesh, now: Duration, stream: u64) {
    mesh.on_sent(now, stream, LISTENER);
    assert_eq!(mesh.on_answer(now, stream, LISTENER, None), []);
}

fn rejection(effects: &[Effect]) -> &str {
    match effects.last() {
        Some(Effect::Ended {
            end: End::Rejected(reason),
            ..
        }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_change_goes_to_one_then_a_share_then_all() {
    let mut mesh = changed(50, 5);
    let first = start(&mut mesh, SECOND);
    assert_eq!(holders(&mesh, 50), [first]);
    answer(&mut mesh, 2 * SECOND, first);
    assert_eq!(mesh.tick(6 * SECOND, &Nobody), [], "it is watched for 5 s");
    mesh.tick(7 * SECOND, &Nobody);
    let share = holders(&mesh, 50);
    assert_eq!(share.len(), 6, "the first and a tenth");
    for stream in share.iter().filter(|stream| **stream != first) {
        answer(&mut mesh, 8 * SECOND, *stream);
    }
    mesh.tick(13 * SECOND, &Nobody);
    assert_eq!(holders(&mesh, 50).len(), 50);
    for stream in (0..50).filter(|stream| !share.contains(stream)) {
        answer(&mut mesh, 14 * SECOND, stream);
    }
    let ended = mesh.tick(19 * SECOND, &Nobody);
    assert!(
        matches!(
            ended.last(),
            Some(Effect::Ended {
                end: End::Accepted,
                reached: 50,
                ..
            })
        ),
        "{ended:?}"
    );
    assert_eq!(mesh.accepted(&key(7)), Some(Fingerprint(2)));
    assert_eq!(mesh.proposal(), None);
}

#[test]
fn what_the_first_rejects_nobody_else_sees_and_it_is_not_tried_again() {
    let mut mesh = changed(50, 5);
    let first = start(&mut mesh, SECOND);
    mesh.on_sent(SECOND, first, LISTENER);
    let effects = mesh.on_answer(2 * SECOND, first, LISTENER, Some("bad filter"));
    assert!(rejection(&effects).ends_with("rejected Listener: bad filter"));
    assert!(effects.contains(&Effect::Holds(first)), "it gets the old one again");
    assert!(holders(&mesh, 50).is_empty());
    for number in 0..50 {
        mesh.offer(&key(number), Fingerprint(2), false);
    }
    assert_eq!(mesh.proposal(), None, "the same is not tried again");
    mesh.offer(&key(3), Fingerprint(3), false);
    assert_eq!(mesh.proposal().expect("something else").keys.len(), 1);
}

#[test]
fn who_does_not_answer_for_ten_seconds_has_the_change_taken_back() {
    let mut mesh = changed(50, 5);
    let first = start(&mut mesh, SECOND);
    mesh.on_sent(SECOND, first, LISTENER);
    assert_eq!(mesh.tick(10 * SECOND, &Nobody), []);
    let effects = mesh.tick(11 * SECOND, &Nobody);
    assert!(
        rejection(&effects).ends_with("has not answered Listener for 10 s"),
        "{effects:?}"
    );
}

#[test]
fn an_envoy_that_dies_of_it_twice_has_it_taken_back_before_ten_seconds_and_comes_back_to_the_old_one() {
    let mut mesh = changed(50, 5);
    let first = start(&mut mesh, SECOND);
    let of = mesh.key_of(first).unwrap().clone();
    mesh.on_sent(SECOND, first, LISTENER);
    mesh.disconnect(4 * SECOND, first, false);
    assert_eq!(mesh.tick(4 * SECOND, &Nobody), []);
    assert_eq!(
        mesh.connect(5 * SECOND, 100, &of, "another run"),
        Holds::Candidate,
        "once is chance"
    );
    mesh.on_sent(5 * SECOND, 100, LISTENER);
    mesh.disconnect(8 * SECOND, 100, false);
    let effects = mesh.tick(8 * SECOND, &Nobody);
    assert!(rejection(&effects).contains("was lost 2 times"), "{effects:?}");
    assert_eq!(mesh.connect(9 * SECOND, 101, &of, "a third"), Holds::Accepted);
}

#[test]
fn who_does_not_come_back_is_harmed_unless_it_said_that_it_goes() {
    for is_expected in [false, true] {
        let mut mesh = changed(50, 5);
        let first = start(&mut mesh, SECOND);
        mesh.disconnect(2 * SECOND, first, is_expected);
        let effects = mesh.tick(12 * SECOND, &Nobody);
        if is_expected {
            assert_eq!(holders(&mesh, 50).len(), 1, "somebody else is the first");
        } else {
            assert!(
                rejection(&effects).contains("has not come back for 10 s"),
                "{effects:?}"
            );
        }
    }
}

#[test]
fn one_stuck_proxy_of_many_does_not_hold_a_change_back() {
    let mut mesh = changed(50, 0);
    mesh.on_sent(Duration::ZERO, 7, LISTENER);
    let first = start(&mut mesh, SECOND);
    assert_ne!(first, 7, "who does not answer is not the first");
    let mut now = SECOND;
    for _ in 0..40 {
        for stream in holders(&mesh, 50) {
            if stream != 7 {
                answer(&mut mesh, now, stream);
            }
        }
        now += SECOND;
        mesh.tick(now, &Nobody);
        if mesh.accepted(&key(0)) == Some(Fingerprint(2)) {
            return;
        }
    }
    panic!("{mesh:?}");
}

#[test]
fn what_is_changed_back_meanwhile_is_withdrawn() {
    let mut mesh = changed(50, 5);
    start(&mut mesh, SECOND);
    for number in 0..50 {
        mesh.offer(&key(number), Fingerprint(1), false);
    }
    let effects = mesh.tick(2 * SECOND, &Nobody);
    assert!(matches!(
        effects.last(),
        Some(Effect::Ended {
            end: End::Withdrawn,
            ..
        })
    ));
    assert!(holders(&mesh, 50).is_empty());
}

#[test]
fn what_is_published_meanwhile_waits_and_is_tried_next() {
    let mut mesh = changed(2, 0);
    let first = start(&mut mesh, SECOND);
    mesh.offer(&key(0), Fingerprint(3), false);
    mesh.offer(&key(1), Fingerprint(3), false);
    assert_eq!(mesh.proposal(), None, "one at a time");
    answer(&mut mesh, SECOND, first);
    mesh.tick(2 * SECOND, &Nobody);
    answer(&mut mesh, 2 * SECOND, 1 - first);
    mesh.tick(3 * SECOND, &Nobody);
    assert_eq!(mesh.accepted(&key(0)), Some(Fingerprint(2)));
    let next = mesh.proposal().expect("the newest");
    assert!(next.keys.values().all(|fingerprint| *fingerprint == Fingerprint(3)));
}

#[test]
fn the_busiest_proxy_is_the_first() {
    let mut mesh = changed(50, 5);
    let candidate = mesh.proposal().unwrap();
    mesh.start(SECOND, &candidate, &|key, _| u64::from(key.name == "n31"));
    assert_eq!(holders(&mesh, 50), [31]);
}

#[test]
fn what_was_on_trial_before_a_restart_is_tried_again_and_not_just_accepted() {
    let mut mesh = Mesh::new(rules(5));
    mesh.on_trial.insert(Mark::of(&key(0), Fingerprint(2)));
    mesh.rejected.insert(Mark::of(&key(1), Fingerprint(2)));
    assert!(!mesh.offer(&key(0), Fingerprint(2), false));
    assert!(!mesh.offer(&key(1), Fingerprint(2), false));
    assert!(
        mesh.offer(&key(2), Fingerprint(2), false),
        "nothing is said of this one"
    );
    for number in 0..3 {
        mesh.connect(Duration::ZERO, number, &key(number as usize), "i");
    }
    let candidate = mesh.proposal().expect("a trial");
    assert_eq!(candidate.keys.keys().collect::<Vec<_>>(), [&key(0)]);
}

#[test]
fn without_stages_everything_is_accepted_at_once() {
    let mut mesh = Mesh::new(Rules {
        is_staged: false,
        ..rules(5)
    });
    for fingerprint in 1..4 {
        assert!(mesh.offer(&key(0), Fingerprint(fingerprint), false));
    }
}

#[test]
fn a_rejection_of_what_was_sent_before_is_not_held_against_the_candidate() {
    let mut mesh = changed(1, 5);
    mesh.on_sent(Duration::ZERO, 0, LISTENER);
    start(&mut mesh, SECOND);
    assert_eq!(mesh.on_answer(2 * SECOND, 0, LISTENER, Some("an old one")), []);
    assert!(mesh.trial().is_some());
}

#[test]
fn a_paused_mesh_stays_as_it_is() {
    let mut mesh = changed(50, 0);
    let first = start(&mut mesh, SECOND);
    answer(&mut mesh, SECOND, first);
    mesh.is_paused = true;
    mesh.tick(60 * SECOND, &Nobody);
    assert_eq!(holders(&mesh, 50), [first]);
    mesh.is_paused = false;
    mesh.tick(61 * SECOND, &Nobody);
    assert_eq!(holders(&mesh, 50).len(), 6);
}
