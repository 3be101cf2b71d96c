use std::{os::unix::fs::PermissionsExt, time::Duration};

use super::*;

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_000
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn certificate(authority: &Authority, wanted: &[&str], now: SystemTime) -> ferromesh_emit::Certificate {
    let wanted = names(wanted);
    let secrets = authority.secrets(&BTreeMap::from([(ARN, &wanted)]), now).unwrap();
    assert_eq!(secrets.root.as_deref(), Some(authority.root()));
    secrets.certificates[ARN].clone()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("certificates");
    let first = Authority::open(&data, now()).unwrap();
    let one = certificate(&first, &["a.local", "127.0.0.1"], now());
    assert_eq!(certificate(&first, &["a.local"], now() + DAY), one);
    let again = Authority::open(&data, now() + DAY).unwrap();
    assert_eq!(again.root(), first.root());
    assert_eq!(certificate(&again, &["127.0.0.1"], now() + DAY), one);
}

#[test]
fn issues_anew_for_more_names_and_keeps_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path(), now()).unwrap();
    let one = certificate(&authority, &["a.local"], now());
    let two = certificate(&authority, &["b.local"], now());
    assert_ne!(one.chain, two.chain);
    assert_ne!(one.key, two.key);
    // Two meshes that share an ARN don't take it from each other.
    assert_eq!(certificate(&authority, &["a.local"], now()), two);
    assert_eq!(certificate(&authority, &["b.local", "a.local"], now()), two);
}

#[test]
fn issues_anew_within_30_days_of_expiry_and_says_so_by_a_new_generation() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path(), now()).unwrap();
    let one = certificate(&authority, &["a.local"], now());
    authority.review(now() + DAY * 59);
    assert_eq!(authority.generation(), 0);
    assert_eq!(certificate(&authority, &["a.local"], now() + DAY * 59), one);
    let late = now() + DAY * 61;
    authority.review(late);
    assert_eq!(authority.generation(), 1);
    let two = certificate(&authority, &["a.local"], late);
    assert_ne!(two.chain, one.chain);
    authority.review(late);
    assert_eq!(authority.generation(), 1);
}

#[test]
fn a_certificate_that_cannot_be_kept_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path(), now()).unwrap();
    std::fs::remove_dir(folder.path().join("leaf")).unwrap();
    let wanted = names(&["a.local"]);
    let error = authority.secrets(&BTreeMap::from([(ARN, &wanted)]), now()).unwrap_err();
    assert!(error.to_string().starts_with("cannot write"), "{error}");
    authority.review(now());
    assert_eq!(authority.generation(), 1);
    std::fs::create_dir(folder.path().join("leaf")).unwrap();
    certificate(&authority, &["a.local"], now());
    authority.review(now());
    assert_eq!(authority.generation(), 1);
}

#[test]
fn keys_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("certificates");
    let authority = Authority::open(&data, now()).unwrap();
    certificate(&authority, &["a.local"], now());
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("root.key")), 0o600);
    assert_eq!(mode(&data.join("root.pem")), 0o644);
    let leaves = files(&data.join("leaf"));
    assert_eq!(leaves.len(), 1, "{leaves:?}");
    assert_eq!(mode(&leaves[0]), 0o600);

    let exposed = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(data.join("root.key"), exposed).unwrap();
    let error = Authority::open(&data, now()).unwrap_err().to_string();
    assert!(error.contains("root.key has mode 640"), "{error}");
}

#[test]
fn a_lost_key_is_not_replaced_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let one = Authority::open(folder.path(), now()).unwrap();
    let leaf = certificate(&one, &["a.local"], now());
    std::fs::remove_file(folder.path().join("root.key")).unwrap();
    let error = Authority::open(folder.path(), now()).unwrap_err().to_string();
    assert!(error.contains("restore the key"), "{error}");

    std::fs::remove_file(folder.path().join("root.pem")).unwrap();
    let other = Authority::open(folder.path(), now()).unwrap();
    assert_ne!(other.root(), one.root());
    assert_ne!(certificate(&other, &["a.local"], now()), leaf);
}

#[test]
fn nothing_prints_a_private_key() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path(), now()).unwrap();
    let wanted = names(&["a.local"]);
    let secrets = authority.secrets(&BTreeMap::from([(ARN, &wanted)]), now()).unwrap();
    let key = secrets.certificates[ARN].key.clone();
    assert!(key.contains("PRIVATE KEY"));
    let root_key = std::fs::read_to_string(folder.path().join("root.key")).unwrap();
    // The second line holds the secret; the third is the public key, which certificates hold too.
    let secret_lines = ["PRIVATE", key.lines().nth(1).unwrap(), root_key.lines().nth(1).unwrap()];

    let mut printed = vec![format!("{authority:?} {authority:#?}"), format!("{secrets:?}")];
    // The errors of files that were written to by hand.
    let leaf = files(&folder.path().join("leaf")).remove(0);
    let damaged = root_key.replacen("M", "N", 1);
    std::fs::write(folder.path().join("root.key"), damaged).unwrap();
    let error = Authority::open(folder.path(), now()).unwrap_err();
    printed.push(format!("{error} {error:?}"));
    std::fs::write(folder.path().join("root.key"), &root_key).unwrap();
    std::fs::write(leaf, format!("{{\"arn\": {key:?}, \"names\": {key:?}}}")).unwrap();
    let again = Authority::open(folder.path(), now()).unwrap();
    // Not an error: another is issued.
    certificate(&again, &["a.local"], now());
    for text in printed {
        for line in secret_lines {
            assert!(!text.contains(line), "{text}");
        }
    }
}

#[test]
fn renews_on_demand_with_the_same_names_and_a_spiffe_identity() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path(), now()).unwrap();
    assert_eq!(authority.renew(ARN, now()).unwrap(), None);
    let identity = "spiffe://ferromesh.local/mesh/m/virtualNode/n";
    let one = certificate(&authority, &["a.local", identity], now());
    let renewed = authority.renew(ARN, now()).unwrap().unwrap();
    assert_eq!(authority.generation(), 1);
    let two = certificate(&authority, &["a.local", identity], now());
    assert_eq!(two.chain, renewed.chain);
    assert_ne!((&two.chain, &two.key), (&one.chain, &one.key));
    assert_eq!(authority.issued(), [renewed]);
    for chain in [one.chain, two.chain] {
        let der = rustls::pki_types::pem::PemObject::from_pem_slice(chain.as_bytes());
        let der: rustls::pki_types::CertificateDer<'_> = der.unwrap();
        assert!(der.windows(identity.len()).any(|window| window == identity.as_bytes()));
    }
}
