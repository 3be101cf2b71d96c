//! Candidates that somebody judges before any stream is given them.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

/// A judge that is a shell script, in the folder of the bootstrap.
fn settings(folder: &std::path::Path, script: &str) -> Settings {
    let program = folder.join("judge");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Settings {
        validation: Some(Validation {
            program,
            limit: Duration::from_secs(60),
        }),
        ..Settings::default()
    }
}

/// Refuses what has this word in it.
fn refusing(word: &str) -> String {
    format!("if grep -q {word} bootstrap.pb; then echo \"error initializing configuration 'bootstrap.pb': bad\" >&2; exit 1; fi")
}

/// A cluster whose only member is its name.
fn named(name: &str) -> &'static str {
    assert!(name.len() < 100);
    let length = u8::try_from(name.len()).unwrap();
    // Field 1, length-delimited.
    let text = format!("\u{a}{}{name}", char::from(length));
    Box::leak(text.into_boxed_str())
}

async fn refused(streams: u64) {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::start_with(named("old"), streams, settings(folder.path(), &refusing("poison"))).await;
    let mut verdicts = bed.rollout.verdicts();
    bed.source.publish(named("poison"), "1");
    let verdict = verdicts.recv().await.unwrap();
    assert_eq!((verdict.outcome, verdict.reached), (Outcome::RolledBack, 0));
    let reason = verdict.reason.unwrap();
    assert!(reason.ends_with("envoy --mode validate refuses it: bad"), "{reason}");
    assert_eq!(verdict.types, ["Cluster"]);
    assert_eq!(verdict.proxies.len() as u64, streams);
    bed.until(|bed| {
        let record = record::read(bed.store.as_ref(), "m").unwrap();
        record.trial.is_none() && record.rejected.iter().any(|rejected| rejected.id == verdict.id)
    })
    .await;
    // Endpoints go on, and the refused cluster does not come with them.
    bed.source.publish(named("poison"), "2");
    bed.until(|bed| bed.holding(type_url::ENDPOINT, "2") == bed.streams.len())
        .await;
    assert_eq!(bed.holding(type_url::CLUSTER, named("old")), bed.streams.len());
    // What is better is tried.
    bed.source.publish(named("new"), "2");
    bed.until(|bed| bed.holding(type_url::CLUSTER, named("new")) > 0).await;
}

#[tokio::test]
async fn what_envoy_refuses_reaches_nobody_and_is_remembered() {
    refused(STREAMS).await;
}

#[tokio::test]
async fn a_single_envoys_change_is_judged_before_it_too() {
    refused(1).await;
}

#[tokio::test]
async fn a_judge_that_cannot_be_run_keeps_nothing_back_and_an_event_says_so() {
    use ferromesh_api::Events as _;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), "exit 7");
    let bed = Bed::start_with(named("old"), STREAMS, settings).await;
    let mut events = bed.events.follow(None);
    bed.source.publish(named("new"), "1");
    bed.until(|bed| bed.holding(type_url::CLUSTER, named("new")) == 1).await;
    let event = events.future.recv().await.unwrap();
    assert_eq!(event.kind, "unvalidated");
    let reason = event.body["reason"].as_str().unwrap();
    assert!(reason.contains("exit status: 7"), "{reason}");
}

#[tokio::test]
async fn what_was_published_while_envoy_looked_comes_next_and_keeps_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let (began, go) = (folder.path().join("began"), folder.path().join("go"));
    let script = format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.02; done",
        began.display(),
        go.display()
    );
    let bed = Bed::start_with(named("old"), STREAMS, settings(folder.path(), &script)).await;
    bed.source.publish(named("one"), "1");
    bed.until(|_| began.exists()).await;
    let seen = bed.rollout.shared.lock().meshes["m"].mesh.newest(&key(1));
    bed.source.publish(named("two"), "1");
    bed.until(|bed| bed.rollout.shared.lock().meshes["m"].mesh.newest(&key(1)) != seen)
        .await;
    fs::write(&go, "").unwrap();
    bed.until(|bed| bed.holding(type_url::CLUSTER, named("one")) == 1).await;
    assert_eq!(bed.holding(type_url::CLUSTER, named("two")), 0, "it comes next");
}

fn key(stream: u64) -> ProxyKey {
    Identity::parse(&id(stream)).unwrap().key()
}
