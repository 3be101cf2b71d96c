//! What was accepted is known to the next life, and to other control planes.

use super::*;

fn quick() -> Settings {
    Settings {
        observe: Duration::ZERO,
        ..Settings::default()
    }
}

/// A next life in which everybody comes again, and the resources come to `content`.
async fn next_life(bed: Bed, content: &'static str) -> Bed {
    let (store, folder) = bed.end().await;
    let mut bed = Bed::over(store, folder, quick());
    for stream in 1..=STREAMS {
        bed.join(stream, false);
    }
    bed.source.publish(content, "1");
    bed
}

#[tokio::test]
async fn the_same_is_accepted_at_once_after_a_restart() {
    let bed = next_life(Bed::start_with("old", STREAMS, quick()).await, "old").await;
    let mut verdicts = bed.rollout.verdicts();
    bed.until(|bed| bed.holding(type_url::CLUSTER, "old") == 20).await;
    assert!(verdicts.try_recv().is_err(), "nothing is tried");
}

#[tokio::test]
async fn another_version_of_the_control_plane_begins_with_one_proxy_and_the_others_keep_what_they_have() {
    let bed = Bed::start_with("old", STREAMS, quick()).await;
    let bed = next_life(bed, "new").await;
    let mut verdicts = bed.rollout.verdicts();
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 1).await;
    let given = bed.streams.iter().filter(|stream| stream.borrow().is_some()).count();
    assert_eq!(given, 1, "nobody else is sent anything");
    let stream = bed.tried();
    let update = Update {
        type_url: type_url::CLUSTER,
        version: "v",
        resources: &[],
        removed: &[],
    };
    bed.tell(stream, EventKind::Sent(update));
    let rejection = Rejection {
        code: 3,
        message: "no such thing".into(),
    };
    bed.tell(
        stream,
        EventKind::Nacked {
            update,
            after: Duration::ZERO,
            rejection: &rejection,
        },
    );
    let verdict = verdicts.recv().await.unwrap();
    assert_eq!((verdict.outcome, verdict.reached), (Outcome::RolledBack, 1));
    assert_eq!(verdict.modules, [], "they are what they were");
    // The version of before is what was accepted.
    let bed = next_life(bed, "old").await;
    bed.until(|bed| bed.holding(type_url::CLUSTER, "old") == 20).await;
    assert_eq!(bed.rollout.shared.lock().meshes["m"].history.len(), 0);
}

#[tokio::test]
async fn what_another_version_comes_to_is_accepted_when_it_works() {
    let bed = Bed::start_with("old", STREAMS, quick()).await;
    let bed = next_life(bed, "new").await;
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 20).await;
    bed.until(|bed| bed.rollout.shared.lock().meshes["m"].mesh.trial().is_none())
        .await;
    let bed = next_life(bed, "new").await;
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 20).await;
    assert_eq!(
        bed.rollout.shared.lock().meshes["m"].history.len(),
        0,
        "the third life finds it accepted"
    );
}

#[tokio::test]
async fn an_envoy_that_has_nothing_does_not_wait_for_a_trial() {
    let bed = Bed::start_with("old", STREAMS, quick()).await;
    let (store, folder) = bed.end().await;
    let settings = Settings {
        observe: Duration::from_secs(3600),
        ..Settings::default()
    };
    let mut bed = Bed::over(store, folder, settings);
    for stream in 1..=STREAMS {
        bed.join(stream, stream == 7);
    }
    bed.source.publish("new", "1");
    bed.until(|bed| bed.streams[6].borrow().is_some()).await;
    bed.until(|bed| bed.rollout.shared.lock().meshes["m"].mesh.trial().is_some())
        .await;
    bed.source.publish("new", "2");
    bed.until(|bed| {
        let held = bed.streams[6].borrow().clone();
        let wanted = Snapshot::seal([(type_url::ENDPOINT, "c", "2".into())], []).unwrap();
        held.is_some_and(|held| {
            held.resources(type_url::ENDPOINT).version() == wanted.resources(type_url::ENDPOINT).version()
        })
    })
    .await;
    let given = bed.streams.iter().filter(|stream| stream.borrow().is_some()).count();
    assert!(given <= 2, "it, and the first of the trial: {given}");
}

/// Two control planes of different versions over one store, as during an upgrade: each tries its own once, and then both
/// stay with it.
#[tokio::test]
async fn control_planes_of_two_versions_do_not_take_turns_for_ever() {
    let shared = || Settings {
        is_shared: true,
        ..quick()
    };
    let old = Bed::start_with("old", STREAMS, shared()).await;
    // The new version comes when the old one has written down what it has accepted.
    old.until(|bed| {
        let (marks, _) = accepted::read(bed.store.as_ref(), "m", None).unwrap().unwrap();
        marks.len() as u64 == STREAMS
    })
    .await;
    let mut new = Bed::over(Arc::clone(&old.store), Arc::clone(&old.folder), shared());
    for stream in 1..=STREAMS {
        new.join(stream, false);
    }
    new.source.publish("new", "1");
    new.until(|bed| bed.holding(type_url::CLUSTER, "new") == 20).await;
    let is_over = |bed: &Bed| bed.rollout.shared.lock().meshes["m"].mesh.trial().is_none();
    new.until(is_over).await;
    // Both look at what the other has written, many times over.
    let known = accepted::read(old.store.as_ref(), "m", None).unwrap();
    new.until(|bed| accepted::read(bed.store.as_ref(), "m", None).unwrap() != known)
        .await;
    for endpoints in ["2", "3", "4"] {
        old.source.publish("old", endpoints);
        new.source.publish("new", endpoints);
        for bed in [&old, &new] {
            bed.until(|bed| bed.holding(type_url::ENDPOINT, endpoints) == 20).await;
        }
        record::change(old.store.as_ref(), "m", |record| record.is_paused = !record.is_paused).unwrap();
    }
    let verdicts = |bed: &Bed| bed.rollout.shared.lock().meshes["m"].history.len();
    assert_eq!((verdicts(&old), verdicts(&new)), (0, 1), "one trial in all");
    assert_eq!(old.holding(type_url::CLUSTER, "old"), 20);
    assert_eq!(new.holding(type_url::CLUSTER, "new"), 20);
    assert!(is_over(&old) && is_over(&new));
}
