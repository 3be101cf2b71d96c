//! How long a filter that died is away: measured, printed, and held as a number of requests, for a time is the
//! machine's as well.

use std::time::{Duration, Instant};

use ferromesh_integration::{
    bed,
    bed::Setup,
    client::Client,
    full,
    rig::{paths, PATIENCE},
    trap_door::with_trap_door,
    wire,
};

use super::{colours, policy, start, written, DEADLY};

/// Requests, one after the other, that the next VM may take to decide again: the one that finds the dead VM.
const MOST_LOST: usize = 1;

/// One trap.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// From the first byte of the request that kills the VM to the whole answer that the next VM decided.
    since_sent: Duration,
    /// From the answer to the request that killed it.
    since_answered: Duration,
    /// Requests in between that were refused or not decided.
    lost: usize,
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    format!(
        "least {:?}, median {:?}, 90 % {:?}, 99 % {:?}, most {:?}",
        at(0.0),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    )
}

/// 6 traps; `FERROMESH_FULL=1` makes it 60.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_trap_the_request_after_the_next_one_is_decided_again_at_the_latest() {
    let (colours, folder) = (colours().await, tempfile::tempdir().expect("a folder"));
    let built = std::fs::read(paths::module("mesh").expect("a module")).expect("bytes");
    let file = written(&with_trap_door(&built).expect("a module"), folder.path(), "mesh.wasm");
    let bed = start(Setup::new().filter("mesh", &file, &bed::plugin(&policy())), &colours).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let mut all = Vec::new();
    for number in 0..full(6, 60) {
        // Envoy makes a VM anew at once if the one before lived for a second; otherwise the back-off runs first.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        // Connected, and decided by the VM that is about to die.
        let before = client.get("/", &[]).await.expect("an answer");
        assert!(before.header("x-ferromesh-route").is_some(), "{number}: {before:?}");
        let sent = Instant::now();
        wire::exchange(bed.address(), DEADLY.as_bytes(), "\r\n\r\n")
            .await
            .expect("an answer");
        let answered = Instant::now();
        let mut lost = 0;
        loop {
            let answer = client.get("/", &[]).await.expect("an answer");
            if answer.status == 200 && answer.header("x-ferromesh-route").is_some() {
                break;
            }
            lost += 1;
            assert!(
                answered.elapsed() < PATIENCE,
                "{number}: {lost} requests later: {answer:?}"
            );
        }
        all.push(Recovery {
            since_sent: sent.elapsed(),
            since_answered: answered.elapsed(),
            lost,
        });
    }
    let times = |which: fn(&Recovery) -> Duration| spread(all.iter().map(which).collect());
    println!("{} traps, decided again:", all.len());
    println!("  after the deadly request was sent: {}", times(|trap| trap.since_sent));
    println!("  after it was answered: {}", times(|trap| trap.since_answered));
    println!(
        "  requests lost: {:?}",
        all.iter().map(|trap| trap.lost).collect::<Vec<_>>()
    );
    assert_eq!(
        bed.reloads().await.expect("statistics"),
        all.len() as u64,
        "one for each trap"
    );
    let worst = all.iter().map(|trap| trap.lost).max();
    assert!(worst <= Some(MOST_LOST), "{all:?}");
}
