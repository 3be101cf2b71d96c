//! A writer that is killed at random moments loses nothing that it was told is stored.
//!
//! The test starts its own executable as the writer, which prints each number after its commit returned; the parent
//! kills it (SIGKILL), opens the file and looks for every number printed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ferromesh_store::{Change, RedbStore, Store, Transaction};

const WRITER_ENV: &str = "FERROMESH_STORE_TEST_WRITER";
const ROUNDS: u64 = 12;

/// Not a test of its own: does nothing unless the test below starts it.
#[test]
fn writer() {
    let Ok(path) = std::env::var(WRITER_ENV) else { return };
    let store = RedbStore::open(Path::new(&path)).expect("the store opens after a kill");
    let mut out = std::io::stdout().lock();
    for number in store.revision().expect("revision") + 1.. {
        let changes = vec![
            Change::put(format!("n/{number:09}"), vec![number as u8; 500]),
            Change::put("last", number.to_string().into_bytes()),
        ];
        let revision = store
            .commit(Transaction {
                compares: vec![],
                changes,
            })
            .expect("commit");
        assert_eq!(revision, number);
        writeln!(out, "acknowledged {number}")
            .and_then(|()| out.flush())
            .expect("the parent listens");
    }
}

#[test]
fn keeps_every_acknowledged_write_when_the_writer_is_killed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.redb");
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let last = run_and_kill(&path, Duration::from_millis(20 + (round * 37) % 160));
        assert!(
            last >= acknowledged,
            "round {round}: revision went back from {acknowledged} to {last}"
        );
        acknowledged = last.max(acknowledged);

        let store = RedbStore::open(&path).expect("the store opens after a kill");
        let revision = store.revision().expect("revision");
        assert!(
            revision >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {revision} stored"
        );
        let listed = store.list("n/", None, None).expect("list").entries;
        assert_eq!(
            listed.len() as u64,
            revision,
            "round {round}: one number for each revision"
        );
        for (index, stored) in listed.iter().enumerate() {
            let number = index as u64 + 1;
            assert_eq!(stored.key, format!("n/{number:09}"));
            assert_eq!(stored.value, vec![number as u8; 500]);
        }
        let last = store
            .get("last")
            .expect("get")
            .map(|stored| stored.value)
            .unwrap_or_default();
        assert_eq!(
            String::from_utf8_lossy(&last),
            revision.to_string(),
            "both puts of a commit or none"
        );
        acknowledged = revision;
    }
    println!("{ROUNDS} kills, {acknowledged} writes");
    assert!(acknowledged > 0);
}

/// Runs the writer until its first acknowledgement and `more` time, kills it, and gives the last number acknowledged.
fn run_and_kill(path: &Path, more: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(WRITER_ENV, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let number = |line: &str| {
        line.split("acknowledged ")
            .nth(1)
            .and_then(|number| number.trim().parse().ok())
    };
    let mut last = 0;
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some(first) = number(&line) {
            last = first;
            break;
        }
    }
    std::thread::sleep(more);
    child.kill().expect("SIGKILL");
    // What is still in the pipe was acknowledged before the kill.
    for line in lines.map_while(Result::ok) {
        last = number(&line).unwrap_or(last);
    }
    child.wait().expect("the writer is gone");
    last
}
