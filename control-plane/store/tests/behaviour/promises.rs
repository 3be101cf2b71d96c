//! The promises, one test each.

use ferromesh_store::{schema, Change, Compare, Listing, Revision, Store, StoreError, Transaction};

use super::Engine;

fn put(store: &dyn Store, key: &str, value: &str) -> Revision {
    commit(store, vec![Change::put(key, value.into())])
}

fn commit(store: &dyn Store, changes: Vec<Change>) -> Revision {
    let compares = vec![];
    store
        .commit(Transaction { compares, changes })
        .expect("an unconditional commit")
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|stored| stored.key.as_str()).collect()
}

pub fn counts_revisions_and_remembers_them_per_key(engine: &impl Engine) {
    let store = engine.open();
    let start = store.revision().expect("revision");
    let first = put(&*store, "a", "1");
    let second = put(&*store, "b", "1");
    let third = put(&*store, "a", "2");
    assert!(start < first && first < second && second < third);
    assert_eq!(store.revision().expect("revision"), third);
    let a = store.get("a").expect("get").expect("a is there");
    assert_eq!((a.created, a.modified, a.value.as_slice()), (first, third, &b"2"[..]));
    assert_eq!(store.get("c").expect("get"), None);
}

pub fn keeps_values_and_revision_across_restarts_even_when_everything_was_deleted(engine: &impl Engine) {
    let store = engine.open();
    put(&*store, "a", "1");
    let deleted = commit(&*store, vec![Change::delete("a")]);
    drop(store);
    let store = engine.open();
    assert_eq!(store.revision().expect("revision"), deleted);
    assert_eq!(*store.watch().borrow(), deleted);
    assert!(put(&*store, "a", "1") > deleted);
}

pub fn lists_a_prefix_in_pages(engine: &impl Engine) {
    let store = engine.open();
    let mut last = 0;
    for key in ["a/1", "a/2", "a/3", "a0", "b/1", "a", "a/ä"] {
        last = put(&*store, key, "x");
    }
    let list = |after, limit| store.list("a/", after, limit).expect("list");
    let all = list(None, None);
    assert_eq!(keys(&all), ["a/1", "a/2", "a/3", "a/ä"]);
    assert_eq!(all.revision, last);
    assert_eq!(keys(&list(None, Some(2))), ["a/1", "a/2"]);
    assert_eq!(keys(&list(Some("a/2"), Some(1))), ["a/3"]);
    assert_eq!(keys(&list(Some("a/15"), None)), ["a/2", "a/3", "a/ä"]);
    assert_eq!(keys(&list(Some("A"), Some(1))), ["a/1"]);
    assert_eq!(keys(&list(Some("a/"), Some(1))), ["a/1"]);
    assert!(keys(&list(Some("b"), None)).is_empty());
    assert!(keys(&list(None, Some(0))).is_empty());
    assert!(keys(&store.list("c", None, None).expect("list")).is_empty());
    assert_eq!(store.list("", None, None).expect("list").entries.len(), 7);
}

pub fn takes_a_snapshot_of_several_prefixes_at_one_revision(engine: &impl Engine) {
    let store = engine.open();
    put(&*store, "a", "0");
    put(&*store, "b", "0");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..60 {
                let value = number.to_string();
                let changes = vec![Change::put("a", value.clone().into()), Change::put("b", value.into())];
                commit(&*store, changes);
            }
        });
        let mut before = 0;
        for _ in 0..60 {
            let (revision, listed) = store.snapshot(&["a", "b"]).expect("snapshot");
            assert_eq!(listed[0][0].value, listed[1][0].value, "both of one revision");
            assert!(revision >= before && listed[0][0].modified <= revision);
            before = revision;
        }
    });
}

pub fn commits_nothing_when_a_compared_key_has_changed(engine: &impl Engine) {
    let store = engine.open();
    let first = put(&*store, "a", "1");
    let second = put(&*store, "a", "2");
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
            modified: Some(first),
        },
        Compare::NothingNewer {
            prefix: "".into(),
            revision: first,
        },
    ] {
        for changes in [vec![Change::put("b", b"1".to_vec()), Change::delete("a")], vec![]] {
            let transaction = Transaction {
                compares: vec![compare.clone()],
                changes,
            };
            let refused = store.commit(transaction);
            assert!(
                matches!(refused, Err(StoreError::Conflict(_))),
                "{compare:?}: {refused:?}"
            );
        }
    }
    assert_eq!(store.revision().expect("revision"), second);
    assert_eq!(store.get("b").expect("get"), None);
    assert!(store.get("a").expect("get").is_some());
}

pub fn commits_when_everything_compared_holds(engine: &impl Engine) {
    let store = engine.open();
    let first = put(&*store, "a/1", "1");
    let second = put(&*store, "b", "1");
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
            Compare::NothingNewer {
                prefix: "nothing/".into(),
                revision: 0,
            },
        ],
        changes: vec![
            Change::put("a/2", b"2".to_vec()),
            Change::delete("b"),
            Change::put("c", b"1".to_vec()),
            Change::put("c", b"2".to_vec()),
            Change::put("d", b"1".to_vec()),
            Change::delete("d"),
            Change::delete("never there"),
        ],
    };
    assert!(store.commit(transaction).expect("everything holds") > second);
    assert_eq!(keys(&store.list("", None, None).expect("list")), ["a/1", "a/2", "c"]);
    assert_eq!(store.get("c").expect("get").expect("c").value, b"2");
}

pub fn makes_no_revision_of_a_transaction_without_changes(engine: &impl Engine) {
    let store = engine.open();
    let made = put(&*store, "a", "1");
    assert_eq!(store.commit(Transaction::default()).expect("nothing to do"), made);
    assert_eq!(store.revision().expect("revision"), made);
}

/// Change sets are that large; etcd takes 128 of each in a plain transaction.
pub fn commits_hundreds_of_changes_and_compares_as_one(engine: &impl Engine) {
    let store = engine.open();
    let many = |value: &'static str| {
        let changes = (0..700).map(move |n| Change::put(format!("n/{n:03}"), value.into()));
        changes.collect::<Vec<_>>()
    };
    let absent = (0..700).map(|n| Compare::Unchanged {
        key: format!("n/{n:03}"),
        modified: None,
    });
    let transaction = Transaction {
        compares: absent.collect(),
        changes: many("1"),
    };
    let made = store.commit(transaction.clone()).expect("nothing was there");
    let listed = store.list("n/", None, None).expect("list").entries;
    assert_eq!(listed.len(), 700);
    assert!(listed.iter().all(|one| one.modified == made && one.created == made));
    assert!(matches!(store.commit(transaction), Err(StoreError::Conflict(_))));
    let delete = (0..700).map(|n| Change::delete(format!("n/{n:03}")));
    commit(&*store, delete.collect());
    assert!(store.list("n/", None, None).expect("list").entries.is_empty());
}

pub fn tells_watchers_of_the_latest_revision(engine: &impl Engine) {
    let store = engine.open();
    let mut watch = store.watch();
    watch.mark_unchanged();
    put(&*store, "a", "1");
    let last = put(&*store, "a", "2");
    assert!(watch.has_changed().expect("the store lives"));
    assert_eq!(*watch.borrow_and_update(), last);
    assert!(!watch.has_changed().expect("the store lives"));
}

pub fn lets_only_one_of_many_concurrent_writers_win_each_revision(engine: &impl Engine) {
    let store = engine.open();
    put(&*store, "counter", "0");
    let won: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| count_up(&*store, 10))).collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).sum()
    });
    let counter = store.get("counter").expect("get").expect("counter");
    assert_eq!(won, 40);
    assert_eq!(counter.value, b"40");
}

/// Adds one `times` times, each time reading, comparing and trying again on a conflict.
fn count_up(store: &dyn Store, times: usize) -> usize {
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

pub fn migrates_a_store_of_an_older_version_and_refuses_a_newer_one(engine: &impl Engine) {
    let store = engine.open();
    put(&*store, "old/a", "1");
    put(&*store, "old/b", "2");
    schema::bring_up(&*store).expect("schema 0 is known");
    let migrations = [
        schema::MIGRATIONS[0],
        schema::Migration {
            to: 2,
            what: "old/ is new/",
            changes: |stored| {
                let old = stored.iter().filter(|one| one.key.starts_with("old/"));
                let moved = old.flat_map(|one| {
                    let new = one.key.replace("old/", "new/");
                    [Change::delete(one.key.clone()), Change::put(new, one.value.clone())]
                });
                Ok(moved.collect())
            },
        },
    ];
    schema::bring_up_by(&*store, &migrations).expect("the store is of schema 1");
    let listing = store.list("", None, None).expect("list");
    assert_eq!(keys(&listing), ["new/a", "new/b", "schema"]);
    let revision = listing.revision;
    schema::bring_up_by(&*store, &migrations).expect("nothing to do");
    assert_eq!(store.revision().expect("revision"), revision);
    let refused = schema::bring_up(&*store).expect_err("this version knows schema 1");
    let text = refused.to_string();
    assert!(text.contains("schema 2, this version of Ferromesh knows 1"), "{text}");
}

pub use super::restored::{
    brings_up_what_schema_0_left, refuses_to_restore_over_values_unless_told_to,
    restores_a_backup_with_later_revisions_and_versions,
};
