//! What every caller may rely on.

use super::*;

fn open() -> (tempfile::TempDir, RedbStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RedbStore::open(folder.path().join("data/store.redb")).expect("a new store");
    (folder, store)
}

fn put(store: &RedbStore, key: &str, value: &str) -> Revision {
    store
        .commit(Transaction {
            compares: vec![],
            changes: vec![Change::put(key, value.into())],
        })
        .expect("an unconditional put")
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|stored| stored.key.as_str()).collect()
}

#[test]
fn counts_revisions_and_remembers_them_per_key() {
    let (_folder, store) = open();
    assert_eq!(store.revision().expect("revision"), 0);
    assert_eq!(put(&store, "a", "1"), 1);
    assert_eq!(put(&store, "b", "1"), 2);
    assert_eq!(put(&store, "a", "2"), 3);
    let a = store.get("a").expect("get").expect("a is there");
    assert_eq!((a.created, a.modified, a.value.as_slice()), (1, 3, &b"2"[..]));
    assert_eq!(store.get("c").expect("get"), None);
}

#[test]
fn keeps_values_and_revision_across_restarts_even_when_everything_was_deleted() {
    let (folder, store) = open();
    put(&store, "a", "1");
    let change = Change::delete("a");
    assert_eq!(
        store
            .commit(Transaction {
                compares: vec![],
                changes: vec![change]
            })
            .expect("delete"),
        2
    );
    let path = store.path().to_owned();
    drop(store);
    let store = RedbStore::open(&path).expect("the same store");
    assert_eq!(store.revision().expect("revision"), 2);
    assert_eq!(*store.watch().borrow(), 2);
    assert_eq!(put(&store, "a", "1"), 3);
    drop(folder);
}

#[test]
fn lists_a_prefix_in_pages() {
    let (_folder, store) = open();
    for key in ["a/1", "a/2", "a/3", "a0", "b/1", "a"] {
        put(&store, key, "x");
    }
    let all = store.list("a/", None, None).expect("list");
    assert_eq!(keys(&all), ["a/1", "a/2", "a/3"]);
    assert_eq!(all.revision, 6);
    assert_eq!(keys(&store.list("a/", None, Some(2)).expect("list")), ["a/1", "a/2"]);
    assert_eq!(keys(&store.list("a/", Some("a/2"), Some(2)).expect("list")), ["a/3"]);
    assert_eq!(
        keys(&store.list("a/", Some("a/15"), None).expect("list")),
        ["a/2", "a/3"]
    );
    assert_eq!(
        keys(&store.list("a/", Some("A"), None).expect("list")),
        ["a/1", "a/2", "a/3"]
    );
    assert!(keys(&store.list("a/", Some("b"), None).expect("list")).is_empty());
    assert!(keys(&store.list("c", None, None).expect("list")).is_empty());
    assert!(keys(&store.list("a/", None, Some(0)).expect("list")).is_empty());
}

#[test]
fn commits_nothing_when_a_compared_key_has_changed() {
    let (_folder, store) = open();
    let first = put(&store, "a", "1");
    put(&store, "a", "2");
    for compare in [
        Compare::Unchanged {
            key: "a".into(),
            modified: Some(first),
        },
        Compare::Unchanged {
            key: "a".into(),
            modified: None,
        },
        Compare::Unchanged {
            key: "b".into(),
            modified: Some(1),
        },
        Compare::NothingNewer {
            prefix: "".into(),
            revision: first,
        },
    ] {
        let transaction = Transaction {
            compares: vec![compare.clone()],
            changes: vec![Change::put("b", b"1".to_vec()), Change::delete("a")],
        };
        assert!(
            matches!(store.commit(transaction), Err(StoreError::Conflict(_))),
            "{compare:?}"
        );
    }
    assert_eq!(store.revision().expect("revision"), 2);
    assert_eq!(store.get("b").expect("get"), None);
    assert!(store.get("a").expect("get").is_some());
}

#[test]
fn commits_when_everything_compared_holds() {
    let (_folder, store) = open();
    let first = put(&store, "a/1", "1");
    put(&store, "b", "1");
    let transaction = Transaction {
        compares: vec![
            Compare::Unchanged {
                key: "a/1".into(),
                modified: Some(first),
            },
            Compare::Unchanged {
                key: "a/2".into(),
                modified: None,
            },
            Compare::NothingNewer {
                prefix: "a/".into(),
                revision: first,
            },
        ],
        changes: vec![Change::put("a/2", b"2".to_vec()), Change::delete("b")],
    };
    assert_eq!(store.commit(transaction).expect("everything holds"), 3);
    assert_eq!(keys(&store.list("", None, None).expect("list")), ["a/1", "a/2"]);
}

#[test]
fn makes_no_revision_of_a_transaction_without_changes() {
    let (_folder, store) = open();
    put(&store, "a", "1");
    assert_eq!(store.commit(Transaction::default()).expect("nothing to do"), 1);
}

#[test]
fn tells_watchers_of_the_latest_revision() {
    let (_folder, store) = open();
    let mut watch = store.watch();
    assert!(!watch.has_changed().expect("the store lives"));
    put(&store, "a", "1");
    put(&store, "a", "2");
    assert!(watch.has_changed().expect("the store lives"));
    assert_eq!(*watch.borrow_and_update(), 2);
}

#[test]
fn refuses_a_file_that_is_open_already() {
    let (_folder, store) = open();
    assert!(matches!(RedbStore::open(store.path()), Err(StoreError::InUse { .. })));
}

#[test]
fn refuses_a_file_that_is_no_store() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.redb");
    fs::write(&path, b"something else entirely").expect("a file");
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Engine(_))));
}

#[test]
fn lets_only_one_of_many_concurrent_writers_win_each_revision() {
    let (_folder, store) = open();
    put(&store, "counter", "0");
    let won: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| count_up(&store, 10))).collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).sum()
    });
    let counter = store.get("counter").expect("get").expect("counter");
    assert_eq!(won, 40);
    assert_eq!(counter.value, b"40");
    assert_eq!(counter.modified, 41);
}

/// Adds one `times` times, each time reading, comparing and trying again on a conflict.
fn count_up(store: &RedbStore, times: usize) -> usize {
    let mut won = 0;
    while won < times {
        let counter = store.get("counter").expect("get").expect("counter");
        let value: u64 = String::from_utf8_lossy(&counter.value).parse().expect("a number");
        let transaction = Transaction {
            compares: vec![Compare::Unchanged {
                key: "counter".into(),
                modified: Some(counter.modified),
            }],
            changes: vec![Change::put("counter", (value + 1).to_string().into_bytes())],
        };
        match store.commit(transaction) {
            Ok(_) => won += 1,
            Err(StoreError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    won
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Delete(u8),
    Reopen,
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn holds_what_a_map_would_hold_after_any_history(steps in proptest::collection::vec(step(), 1..30), limit in 1_usize..5) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("store.redb");
        let mut store = RedbStore::open(&path).expect("a new store");
        let mut map = std::collections::BTreeMap::new();
        let mut revision = 0;
        for step in steps {
            let change = match step {
                Step::Reopen => {
                    drop(store);
                    store = RedbStore::open(&path).expect("the same store");
                    continue;
                }
                Step::Put(key) => {
                    revision += 1;
                    let key = format!("k/{key}");
                    let created = map.get(&key).map_or(revision, |(created, _)| *created);
                    map.insert(key.clone(), (created, revision));
                    Change::put(key, revision.to_string().into_bytes())
                }
                Step::Delete(key) => {
                    revision += 1;
                    let key = format!("k/{key}");
                    map.remove(&key);
                    Change::delete(key)
                }
            };
            let transaction = Transaction { compares: vec![], changes: vec![change] };
            proptest::prop_assert_eq!(store.commit(transaction).expect("commit"), revision);
        }
        let mut seen = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = store.list("k/", after.as_deref(), Some(limit)).expect("list");
            proptest::prop_assert_eq!(page.revision, revision);
            let Some(last) = page.entries.last() else { break };
            after = Some(last.key.clone());
            seen.extend(page.entries.into_iter().map(|stored| (stored.key, (stored.created, stored.modified))));
        }
        proptest::prop_assert_eq!(seen, map.into_iter().collect::<Vec<_>>());
    }
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::{any, prop_oneof, Just, Strategy};
    prop_oneof![
        6 => any::<u8>().prop_map(|key| Step::Put(key % 12)),
        3 => any::<u8>().prop_map(|key| Step::Delete(key % 12)),
        1 => Just(Step::Reopen),
    ]
}
