use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ferromesh_store::{Listing, RedbStore};
use tokio::sync::watch;

use super::*;
use crate::authority::shared;

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A store that can be made to take no writes.
struct Moody {
    store: RedbStore,
    is_read_only: AtomicBool,
}

impl Store for Moody {
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.store.get(key)
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        self.store.list(prefix, after, limit)
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        self.store.snapshot(prefixes)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision()
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        match self.is_read_only.load(Ordering::Relaxed) {
            true => Err(StoreError::Unavailable("etcd is away".to_owned())),
            false => self.store.commit(transaction),
        }
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.store.watch()
    }
}

struct Bench {
    folder: tempfile::TempDir,
    store: Arc<Moody>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("s.redb")).unwrap();
        let is_read_only = AtomicBool::new(false);
        let store = Arc::new(Moody { store, is_read_only });
        Self { folder, store }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn keyring(&self) -> Arc<Keyring> {
        Arc::new(Keyring::open_file(&self.file("secret.key"), true).unwrap())
    }

    /// The authority of a control plane that starts.
    fn authority(&self, name: &str) -> Authority {
        let (folder, keyring) = (self.file(name), self.keyring());
        shared::share(&folder, self.store.as_ref(), &keyring, now()).unwrap();
        let leaves = Leaves::new(Arc::clone(&self.store) as Arc<_>, keyring);
        Authority::open(&folder, now()).unwrap().sharing(leaves).unwrap()
    }

    fn is_read_only(&self, is: bool) {
        self.store.is_read_only.store(is, Ordering::Relaxed);
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_000
}

fn shown(authority: &Authority, wanted: &[&str], now: SystemTime) -> ferromesh_emit::Certificate {
    let names: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let secrets = authority.secrets(&BTreeMap::from([(ARN, &names)]), now).unwrap();
    secrets.certificates[ARN].clone()
}

/// After another control plane has written.
fn followed(authority: &Authority) -> String {
    authority.follow().unwrap();
    authority.issued()[0].chain.clone()
}

#[test]
fn control_planes_over_one_store_serve_the_same_certificate_whoever_issues_it() {
    let bench = Bench::new();
    let [a, b] = ["a", "b"].map(|name| bench.authority(name));
    let first = shown(&a, &["a.local"], now());
    assert_eq!(shown(&b, &["a.local"], now()), first);

    // A name that only one of them was asked for.
    let wider = shown(&b, &["b.local"], now());
    assert_ne!(wider, first);
    assert_eq!(followed(&a), wider.chain);
    assert_eq!(shown(&a, &["a.local", "b.local"], now()), wider);

    let renewed = a.renew(ARN, now()).unwrap().unwrap();
    assert_ne!(renewed.chain, wider.chain);
    assert_eq!(followed(&b), renewed.chain);

    // Both find at one time that it expires: one of them issues.
    let late = now() + DAY * 61;
    let next = shown(&b, &["a.local"], late);
    assert_eq!(shown(&a, &["a.local"], late), next);

    // A third one, or one of them after a restart.
    for name in ["a", "c"] {
        assert_eq!(shown(&bench.authority(name), &["b.local"], late), next);
    }
}

#[test]
fn of_many_who_issue_at_one_moment_one_is_followed() {
    let bench = Bench::new();
    let authorities: Vec<Authority> = (0..4).map(|number| bench.authority(&number.to_string())).collect();
    let shown: Vec<String> = std::thread::scope(|scope| {
        let asking = authorities
            .iter()
            .map(|authority| scope.spawn(|| shown(authority, &["a.local"], now()).chain));
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(shown.iter().all(|chain| *chain == shown[0]));
}

#[test]
fn keys_are_sealed_and_a_new_first_key_seals_them_anew() {
    let bench = Bench::new();
    let first = shown(&bench.authority("a"), &["a.local"], now());
    let secret = first.key.lines().nth(1).unwrap().to_owned();
    let stored = || bench.store.get(&key(ARN)).unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&stored().value).contains(&secret));

    let old = std::fs::read_to_string(bench.file("secret.key")).unwrap();
    let new = "07".repeat(32);
    std::fs::write(bench.file("secret.key"), format!("{new}\n{old}")).unwrap();
    bench.authority("a");
    std::fs::write(bench.file("secret.key"), &new).unwrap();
    assert_eq!(shown(&bench.authority("b"), &["a.local"], now()), first);
}

#[test]
fn what_a_version_before_has_issued_is_taken_over() {
    let bench = Bench::new();
    shared::share(&bench.file("a"), bench.store.as_ref(), &bench.keyring(), now()).unwrap();
    let alone = Authority::open(&bench.file("a"), now()).unwrap();
    let before = shown(&alone, &["a.local"], now());
    assert_eq!(shown(&bench.authority("a"), &["a.local"], now()), before);
    assert_eq!(shown(&bench.authority("b"), &["a.local"], now()), before);
}

#[test]
fn while_the_store_takes_no_writes_a_certificate_is_served_and_shared_later() {
    let bench = Bench::new();
    let [a, b] = ["a", "b"].map(|name| bench.authority(name));
    bench.is_read_only(true);
    let alone = shown(&a, &["a.local"], now());
    assert_eq!(shown(&a, &["a.local"], now()), alone);
    assert!(matches!(a.renew(ARN, now()), Err(AuthorityError::ReadOnly)));
    bench.is_read_only(false);
    assert_eq!(shown(&a, &["a.local"], now()), alone);
    assert_eq!(shown(&b, &["a.local"], now()), alone);
    assert_eq!(
        std::fs::read_dir(bench.file("a/leaf")).unwrap().count(),
        1,
        "a copy in the folder"
    );
}

#[test]
fn an_authority_that_cannot_be_shared_is_not_made() {
    let bench = Bench::new();
    bench.is_read_only(true);
    let share = |name: &str| shared::share(&bench.file(name), bench.store.as_ref(), &bench.keyring(), now());
    let refused = share("a").unwrap_err().to_string();
    assert!(refused.contains("takes no writes now"), "{refused}");
    assert_eq!(std::fs::read_dir(bench.file("a")).unwrap().count(), 0);
    // One that there is goes on.
    let before = Authority::open(&bench.file("b"), now()).unwrap().root().to_owned();
    share("b").unwrap();
    assert_eq!(Authority::open(&bench.file("b"), now()).unwrap().root(), before);
}

#[test]
fn the_certificate_of_a_control_plane_itself_stays_with_it() {
    let bench = Bench::new();
    let [a, b] = ["a", "b"].map(|name| bench.authority(name));
    let names = BTreeSet::from(["localhost".to_owned()]);
    let [of_a, of_b] = [&a, &b].map(|authority| authority.certificate(OWN, &names, now()).unwrap());
    assert_ne!(of_a.key, of_b.key);
    a.renew(OWN, now()).unwrap().unwrap();
    assert!(bench.store.list(PREFIX, None, None).unwrap().entries.is_empty());
}
