//! What is etcd's alone: several stores over one cluster, outages, TLS, users, a cluster that was replaced.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use ferromesh_store::backup::{Backup, JUMP};
use ferromesh_store::{Availability, Change, EtcdOptions, EtcdStore, Revision, Store, StoreError, Transaction, User};
use support::Etcd;

fn commit(store: &dyn Store, key: &str, value: &str) -> Result<Revision, StoreError> {
    store.commit(Transaction {
        compares: vec![],
        changes: vec![Change::put(key, value.into())],
    })
}

fn value(store: &dyn Store, key: &str) -> Option<String> {
    let stored = store.get(key).expect("a read")?;
    Some(String::from_utf8(stored.value).expect("a text"))
}

fn is_read_only(store: &dyn Store) -> bool {
    matches!(store.availability(), Availability::ReadOnly { .. })
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_write_through_one_is_seen_and_told_by_the_other_in_well_under_a_second() {
    let etcd = Etcd::start();
    let (a, b) = (etcd.store(), etcd.store());
    let mut watch = b.watch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut took = Vec::new();
    for number in 0..100 {
        let revision = commit(&a, "k", &number.to_string()).expect("a write");
        let written = Instant::now();
        let told = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(1), watch.wait_for(|told| *told >= revision))
                .await
                .map(drop)
        });
        told.expect("told within a second");
        took.push(written.elapsed());
        assert_eq!(
            value(&b, "k"),
            Some(number.to_string()),
            "read-your-writes at the other"
        );
    }
    took.sort();
    println!(
        "told after {:?} (half of them), {:?} (99 of 100) since the answer",
        took[50], took[98]
    );
}

#[test]
fn reads_go_on_and_writes_are_refused_while_etcd_is_away_also_after_a_restart() {
    let mut etcd = Etcd::start();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.redb");
    let open = |options: EtcdOptions| EtcdStore::open(options, Some(&copy));
    let store = open(etcd.options()).expect("a store");
    commit(&store, "k", "1").expect("a write");
    let last = commit(&store, "k", "2").expect("a write");
    etcd.kill();
    assert_eq!(value(&store, "k").as_deref(), Some("2"));
    let refused = commit(&store, "k", "3").expect_err("etcd is away");
    assert!(
        matches!(refused, StoreError::Unavailable(_) | StoreError::Unsettled(_)),
        "{refused}"
    );
    assert!(is_read_only(&store));
    let said = store.availability().to_string();
    assert!(
        said.starts_with("read-only since 2") && said.contains("unreachable"),
        "{said}"
    );
    // The copy is written behind the events.
    std::thread::sleep(Duration::from_millis(300));
    drop(store);
    let reopened = || open(etcd.options()).ok();
    let mut found = None;
    eventually("the copy's file is let go", || {
        found = reopened();
        found.is_some()
    });
    let store = found.expect("a store without etcd");
    assert_eq!(value(&store, "k").as_deref(), Some("2"));
    assert_eq!(
        (store.revision().expect("revision"), *store.watch().borrow()),
        (last, last)
    );
    assert!(matches!(commit(&store, "k", "3"), Err(StoreError::Unavailable(_))));

    etcd.resume();
    eventually("writes resume", || commit(&store, "k", "4").is_ok());
    assert_eq!(value(&store, "k").as_deref(), Some("4"));
    assert_eq!(store.availability(), Availability::Full);
    assert!(store.revision().expect("revision") > last);
    // Without a copy there is nothing to serve.
    etcd.kill();
    let error = EtcdStore::open(etcd.options(), None).err().expect("no copy");
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[test]
fn a_member_that_is_away_is_passed_over() {
    let etcd = Etcd::start();
    let members = etcd.url().replace("etcd://", "etcd://127.0.0.1:1,");
    let store = EtcdStore::open(EtcdOptions::parse(&members).expect("members"), None).expect("the second answers");
    commit(&store, "k", "1").expect("a write");
}

#[test]
fn stores_under_other_prefixes_do_not_see_each_other() {
    let etcd = Etcd::start();
    let other = etcd.options().with_prefix("/ferromesh/other/").expect("a prefix");
    let (a, b) = (etcd.store(), EtcdStore::open(other, None).expect("a store"));
    commit(&a, "k", "a").expect("a write");
    commit(&b, "k", "b").expect("a write");
    assert_eq!(value(&a, "k").as_deref(), Some("a"));
    assert_eq!(a.list("", None, None).expect("a list").entries.len(), 1);
}

#[test]
fn a_cluster_that_lost_its_past_is_not_believed_until_it_is_restored() {
    let mut etcd = Etcd::start();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.redb");
    let store = EtcdStore::open(etcd.options(), Some(&copy)).expect("a store");
    for number in 0..50 {
        commit(&store, "k", &number.to_string()).expect("a write");
    }
    let backup = Backup::take(&store).expect("a backup");
    let last = store.revision().expect("revision");
    etcd.begin_anew();
    eventually("the loss is seen", || is_read_only(&store));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(value(&store, "k").as_deref(), Some("49"));
    let said = store.availability().to_string();
    assert!(said.contains("older backup"), "{said}");

    let to = EtcdStore::open_to_restore(etcd.options()).expect("the new cluster");
    let restored = backup.restore(&to, false).expect("it is empty");
    assert!(restored > last + JUMP / 2, "{restored}");
    eventually("the store goes on", || store.availability() == Availability::Full);
    assert_eq!(value(&store, "k").as_deref(), Some("49"));
    assert!(commit(&store, "k", "50").expect("a write") > restored);
}

#[test]
fn a_restore_that_was_interrupted_is_noticed_and_can_be_done_again() {
    let etcd = Etcd::start();
    let store = etcd.store();
    commit(&store, "k", "1").expect("a write");
    let backup = Backup::take(&store).expect("a backup");
    // What an interrupted restore leaves: its mark, which is written first and removed last.
    etcd.put("/ferromesh/m/restore", "x");
    eventually("the mark is seen", || is_read_only(&store));
    assert!(commit(&store, "k", "2").is_err());
    assert_eq!(value(&store, "k").as_deref(), Some("1"));
    let error = EtcdStore::open(etcd.options(), None)
        .err()
        .expect("the values may not be whole");
    assert!(error.to_string().contains("run `ferromesh restore` again"), "{error}");
    let to = EtcdStore::open_to_restore(etcd.options()).expect("a store to restore");
    backup.restore(&to, true).expect("a restore");
    eventually("the store goes on", || commit(&store, "k", "3").is_ok());
}

#[test]
fn etcd_is_spoken_to_by_tls_with_certificates_of_both_sides() {
    let folder = tempfile::tempdir().expect("a folder");
    make_pki(folder.path());
    let flag = |name: &str, file: &str| format!("{name}={}", folder.path().join(file).display());
    let flags = [
        flag("--cert-file", "server.pem"),
        flag("--key-file", "server.key"),
        flag("--trusted-ca-file", "ca.pem"),
        "--client-cert-auth".to_owned(),
    ];
    let etcd = Etcd::start_with("https", &flags);
    let path = |name: &str| folder.path().join(name);
    let with = |ca: &str, client: Option<(&str, &str)>| {
        let identity = client.map(|(chain, key)| (path(chain), path(key)));
        EtcdStore::open(etcd.options().with_tls(path(ca), identity), None)
    };
    let store = with("ca.pem", Some(("client.pem", "client.key"))).expect("both believe each other");
    commit(&store, "k", "1").expect("a write");
    let folder = tempfile::tempdir().expect("a folder");
    make_pki(folder.path());
    let foreign = etcd.options().with_tls(
        folder.path().join("ca.pem"),
        Some((path("client.pem"), path("client.key"))),
    );
    assert!(EtcdStore::open(foreign, None).is_err(), "another authority");
    assert!(with("ca.pem", None).is_err(), "no certificate of ours");
    assert!(EtcdStore::open(etcd.options(), None).is_err(), "no TLS");
}

#[test]
fn a_user_of_etcd_is_let_in_by_the_password_of_a_file() {
    let etcd = Etcd::start();
    etcd.require_password("root", "secret");
    let folder = tempfile::tempdir().expect("a folder");
    let password_file = folder.path().join("password");
    let open = |password: &str| {
        std::fs::write(&password_file, password).expect("a file");
        let mut options = etcd.options();
        options.user = Some(User {
            name: "root".to_owned(),
            password_file: password_file.clone(),
        });
        EtcdStore::open(options, None)
    };
    commit(&open("secret\n").expect("the right password"), "k", "1").expect("a write");
    let error = open("wrong").err().expect("a wrong password");
    assert!(error.to_string().contains("authentication failed"), "{error}");
    assert!(EtcdStore::open(etcd.options(), None).is_err(), "nobody");
}

/// An authority, a server's and a client's certificate, as files.
fn make_pki(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    write("ca.pem", &authority.pem());
    for name in ["server", "client"] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        write(&format!("{name}.pem"), &certificate.pem());
        write(&format!("{name}.key"), &key.serialize_pem());
    }
}
