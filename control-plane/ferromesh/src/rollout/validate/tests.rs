//! Programs that behave as Envoy might.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use ferromesh_xds::type_url::CLUSTER;

use super::*;
use crate::identity::Identity;

/// Envoy's words when it does not take a configuration.
const REFUSAL: &str = "error initializing configuration 'bootstrap.pb': no such thing";

fn validator(folder: &Path, script: &str, seconds: u64) -> Validator {
    let program = folder.join("envoy");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Validator::new(Validation {
        program,
        limit: Duration::from_secs(seconds),
    })
}

fn snapshot(resources: &[(&'static str, &'static str)]) -> Arc<Snapshot> {
    // An encoded cluster without anything is one of no bytes.
    let resources = resources
        .iter()
        .map(|(type_url, name)| (*type_url, *name, Bytes::new()));
    Arc::new(Snapshot::seal(resources, []).unwrap())
}

fn parts(has_accepted: bool) -> Vec<Part> {
    vec![Part {
        key: Identity::parse("mesh/m/virtualNode/n").unwrap().key(),
        candidate: snapshot(&[(CLUSTER, "a"), (CLUSTER, "b")]),
        accepted: has_accepted.then(|| snapshot(&[(CLUSTER, "a")])),
    }]
}

#[tokio::test]
async fn a_refusal_names_the_proxy_and_has_envoys_words() {
    let folder = tempfile::tempdir().unwrap();
    let validator = validator(folder.path(), &format!("echo \"{REFUSAL}\" >&2; exit 1"), 60);
    let judgement = validator.judge(parts(false)).await;
    let expected = "mesh/m/virtualNode/n: envoy --mode validate refuses it: no such thing";
    assert_eq!(judgement, Judgement::Refuses(expected.into()));
    assert_eq!(validator.counts(), [("taken", 0), ("refused", 1), ("unknown", 0)]);
}

#[tokio::test]
async fn who_refuses_what_proxies_have_already_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let validator = validator(folder.path(), &format!("echo \"{REFUSAL}\" >&2; exit 1"), 60);
    let judgement = validator.judge(parts(true)).await;
    let Judgement::Unknown(why) = &judgement else {
        panic!("{judgement:?}")
    };
    assert!(why.contains("what the proxy has already, too: no such thing"), "{why}");
}

#[tokio::test]
async fn who_does_not_come_to_an_end_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 1000 &\necho $$ $! > {}\nwait", pids.display());
    let validator = validator(folder.path(), &script, 1);
    let judgement = validator.judge(parts(false)).await;
    let Judgement::Unknown(why) = &judgement else {
        panic!("{judgement:?}")
    };
    assert!(why.contains("had not come to an end after"), "{why}");
    // A slow machine may end it before it has written anything.
    let written = fs::read_to_string(&pids).unwrap_or_default();
    for pid in written.split_whitespace() {
        until_ended(pid).await;
    }
}

/// What was killed is gone a moment later.
async fn until_ended(pid: &str) {
    let mut state = String::new();
    for _ in 0..3000 {
        state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") || state.contains(") X ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it lives: {state}");
}

#[tokio::test]
async fn what_cannot_be_run_says_nothing_of_the_candidate() {
    let validator = Validator::new(Validation {
        program: "/nowhere/envoy".into(),
        limit: Duration::from_secs(60),
    });
    let judgement = validator.judge(parts(false)).await;
    let Judgement::Unknown(why) = &judgement else {
        panic!("{judgement:?}")
    };
    assert!(why.contains("/nowhere/envoy cannot be run"), "{why}");
}

#[tokio::test]
async fn envoy_is_given_a_folder_of_its_own_that_is_gone_afterwards_and_no_environment() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let script = format!(
        "{{ pwd; stat -c %a .; ls; echo \"$@\"; env | grep -c CARGO; }} > {}; exit 0",
        seen.display()
    );
    let validator = validator(folder.path(), &script, 60);
    assert_eq!(validator.judge(parts(false)).await, Judgement::Takes);
    let seen = fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[1..3], ["700", "bootstrap.pb"], "{seen}");
    assert!(lines[3].starts_with("--mode validate "), "{seen}");
    assert_eq!(lines[4], "0", "variables of ours: {seen}");
    assert!(!Path::new(lines[0]).exists(), "{seen}");
}
