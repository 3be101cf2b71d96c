//! A store that has gone back, as a file of before that was put in the place of the newer one.

use std::fs;

use ferromesh_api::{Rollouts, Turn};
use ferromesh_store::{Change, Transaction};

use super::*;

fn settings(folder: &tempfile::TempDir) -> Settings {
    Settings {
        observe: Duration::ZERO,
        served: Some(folder.path().join("served.json")),
        ..Settings::default()
    }
}

/// The store, once the life before has let go of it.
async fn store(folder: &tempfile::TempDir) -> Arc<dyn Store> {
    for _ in 0..3000 {
        if let Ok(store) = RedbStore::open(folder.path().join("store.redb")) {
            return Arc::new(store);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the store cannot be opened");
}

/// A life in which everybody comes, and the resources come to `content`.
async fn life(folder: &Arc<tempfile::TempDir>, content: &'static str) -> Bed {
    let mut bed = Bed::over(store(folder).await, Arc::clone(folder), settings(folder));
    for stream in 1..=STREAMS {
        bed.join(stream, false);
    }
    bed.source.publish(content, "1");
    bed
}

async fn everybody_has(bed: &Bed, content: &'static str) {
    bed.until(|bed| bed.holding(type_url::CLUSTER, content) == 20).await;
}

#[tokio::test]
async fn an_older_store_is_served_to_nobody_until_somebody_approves() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let (file, copy) = (folder.path().join("store.redb"), folder.path().join("copy"));
    let bed = life(&folder, "old").await;
    everybody_has(&bed, "old").await;
    drop(bed.end().await);
    drop(store(&folder).await);
    fs::copy(&file, &copy).unwrap();

    let bed = life(&folder, "new").await;
    everybody_has(&bed, "new").await;
    for number in 0..10 {
        let changes = vec![Change::put("token/x", vec![number])];
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        bed.store.commit(transaction).unwrap();
    }
    drop(bed.end().await);
    drop(store(&folder).await);
    fs::copy(&copy, &file).unwrap();

    for _ in 0..2 {
        let bed = life(&folder, "old").await;
        bed.until(|bed| {
            let state = bed.rollout.shared.lock();
            let contents = &state.meshes["m"].contents;
            contents.values().filter(|content| content.held_back.is_some()).count() == 20
        })
        .await;
        assert!(
            bed.streams.iter().all(|stream| stream.borrow().is_none()),
            "nobody is sent anything"
        );
        let shown = Rollouts::get(&bed.rollout, "m").unwrap();
        let reason = shown["heldBack"][0]["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("the store is older than what was served"),
            "{reason}"
        );
        let verdict = bed.rollout.shared.lock().meshes["m"].history[0].clone();
        assert_eq!((verdict.outcome, verdict.reached), (Outcome::HeldBack, 0));
        // The next life knows it too.
        drop(bed.end().await);
    }

    let bed = life(&folder, "old").await;
    bed.until(|bed| bed.rollout.shared.lock().meshes["m"].history.len() == 20)
        .await;
    Rollouts::turn(&bed.rollout, "m", &Turn::Approve("all".into())).unwrap();
    everybody_has(&bed, "old").await;
    drop(bed.end().await);
    let bed = life(&folder, "old").await;
    everybody_has(&bed, "old").await;
}
