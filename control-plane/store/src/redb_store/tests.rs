//! What is redb's alone; what every store promises is in `tests/behaviour`.

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

#[test]
fn numbers_revisions_without_gaps_and_keeps_them_across_restarts() {
    let (_folder, store) = open();
    assert_eq!(store.revision().expect("revision"), 0);
    assert_eq!((put(&store, "a", "1"), put(&store, "a", "2")), (1, 2));
    let path = store.path().to_owned();
    drop(store);
    let store = RedbStore::open(&path).expect("the same store");
    assert_eq!((store.revision().expect("revision"), *store.watch().borrow()), (2, 2));
    assert_eq!(put(&store, "a", "3"), 3);
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

/// A file system of a few MiB, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a full disk is tested on a tmpfs that the test mounts: run it as root"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={size}");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .status()
            .expect("mount starts");
        assert!(mounted.success(), "a tmpfs of {size} is mounted");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Fills the disk but for some bytes.
    fn fill(&self, but: usize) {
        let path = self.path("ballast");
        let free = rustix::fs::statvfs(self.0.path()).expect("statvfs");
        let free = usize::try_from(free.f_bavail * free.f_frsize).expect("a small disk");
        let _ = fs::write(path, vec![1; free.saturating_sub(but)]);
    }

    fn empty(&self) {
        fs::remove_file(self.path("ballast")).expect("the ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

/// Writes until the store refuses, and gives the revision of the last write that it took.
fn write_until_refused(store: &RedbStore, mut revision: Revision) -> Revision {
    for number in 0..20_000 {
        let change = Change::put(format!("n/{}", revision + 1), vec![7; 4000]);
        let transaction = Transaction {
            compares: vec![],
            changes: vec![change, Change::put("last", (revision + 1).to_string().into_bytes())],
        };
        match store.commit(transaction) {
            Ok(made) => {
                assert_eq!(made, revision + 1, "write {number}");
                revision = made;
            }
            Err(StoreError::Unavailable(_)) => return revision,
            Err(error) => panic!("write {number}: {error}"),
        }
    }
    panic!("the disk is never full");
}

/// Fills the disk, looks, makes space, looks again; twice.
fn full_disk(room: Room) {
    let disk = SmallDisk::mount("16m");
    let path = disk.path("store.redb");
    let store = RedbStore::open_with(&path, room).expect("a new store");
    let mut revision = put(&store, "a", "1");
    for round in 0..2 {
        disk.fill(2 << 20);
        revision = write_until_refused(&store, revision);
        // Nothing more than was acknowledged, nothing less, and it can be read.
        for _ in 0..3 {
            assert_eq!(store.revision().expect("reads go on"), revision, "round {round}");
            let last = store.get("last").expect("reads go on").expect("a value");
            assert_eq!(last.value, revision.to_string().into_bytes(), "round {round}");
            let newest = store.get(&format!("n/{revision}")).expect("reads go on");
            assert_eq!(newest.expect("a value").modified, revision);
            assert_eq!(store.get(&format!("n/{}", revision + 1)).expect("reads go on"), None);
        }
        assert!(
            matches!(store.availability(), Availability::ReadOnly { .. }),
            "round {round}"
        );
        disk.empty();
        let changes = store.list("n/", None, None).expect("reads go on").entries;
        assert!(changes.len() > 50, "round {round}: {} values", changes.len());
        let changes = changes.into_iter().map(|stored| Change::delete(stored.key));
        let transaction = Transaction {
            compares: vec![],
            changes: changes.collect(),
        };
        revision = store.commit(transaction).expect("writes resume when there is space");
        assert_eq!(store.availability(), Availability::Full, "round {round}");
    }
    drop(store);
    let store = RedbStore::open(&path).expect("the file opens after all that");
    assert_eq!(store.revision().expect("revision"), revision);
}

#[test]
fn refuses_writes_on_a_full_disk_and_takes_them_again_when_there_is_space() {
    full_disk(Room::KEPT);
}

#[test]
fn goes_on_after_the_engine_has_met_a_full_disk() {
    full_disk(Room::NONE);
}
