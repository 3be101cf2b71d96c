use std::os::unix::fs::PermissionsExt;

use ferromesh_store::RedbStore;
use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519,
};

use super::*;

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(issuer: &Issuer, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::new(vec!["a.local".to_owned()]).unwrap();
    change(&mut params);
    params.signed_by(key, issuer).unwrap().pem()
}

fn of(chain: &str, key: &KeyPair, trust: &str) -> Import {
    Import {
        certificate_chain: Some(chain.to_owned()),
        private_key: Some(key.serialize_pem()),
        trust: (!trust.is_empty()).then(|| trust.to_owned()),
    }
}

fn vault(folder: &std::path::Path, store: &Arc<RedbStore>) -> Vault {
    let keyring = Keyring::open_file(&folder.join("secret.key"), true).unwrap();
    let authority = Authority::open(&folder.join("certificates"), SystemTime::now()).unwrap();
    Vault::new(store.clone(), Arc::new(keyring), Arc::new(authority))
}

fn store(folder: &std::path::Path) -> Arc<RedbStore> {
    Arc::new(RedbStore::open(folder.join("s.redb")).unwrap())
}

#[test]
fn a_key_that_was_imported_is_sealed_and_opens_for_its_own_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let vault = vault(folder.path(), &store);
    let (issuer, key) = (authority("ca"), KeyPair::generate().unwrap());
    let import = of(&leaf(&issuer, &key, |_| {}), &key, &issuer.pem());
    let shown = vault.put(ARN, &import).unwrap();
    let secret = key.serialize_pem().lines().nth(1).unwrap().to_owned();
    assert!(!shown.to_string().contains(&secret) && !format!("{import:?}").contains(&secret));
    assert_eq!(shown["subjectAlternativeNames"], json!(["a.local"]));
    assert_eq!(shown["keyType"], "EC-256");

    let stored = store.list(key::CERTIFICATES, None, None).unwrap().entries;
    assert!(!String::from_utf8_lossy(&stored[0].value).contains(&secret));
    let imports = Imports::read(&stored).unwrap();
    let opened = imports.certificate(ARN, &vault.keyring).unwrap().unwrap();
    assert_eq!(opened.key, key.serialize_pem());
    assert_eq!(imports.authorities(ARN), Some(issuer.pem().as_str()));

    let mut record: Record = catalog::read(&stored[0]).unwrap();
    record.identity.as_mut().unwrap().chain.push('\n');
    let moved = Imports([(ARN.to_owned(), record)].into());
    assert_eq!(moved.certificate(ARN, &vault.keyring).unwrap_err(), Unsealable::Damaged);

    assert!(vault.delete(ARN).unwrap().is_some());
    assert!(vault.get(ARN).unwrap().is_none() && vault.delete(ARN).unwrap().is_none());
}

#[test]
fn a_new_first_key_seals_everything_anew_and_the_old_one_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let before = vault(folder.path(), &store);
    let (issuer, key) = (authority("ca"), KeyPair::generate().unwrap());
    before
        .put(ARN, &of(&leaf(&issuer, &key, |_| {}), &key, &issuer.pem()))
        .unwrap();
    let path = folder.path().join("secret.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let old = std::fs::read_to_string(&path).unwrap();
    let new = "07".repeat(32);
    std::fs::write(&path, format!("# new\n{new}\n{old}")).unwrap();
    assert_eq!(vault(folder.path(), &store).seal_anew().unwrap(), 1);
    std::fs::write(&path, &new).unwrap();
    let after = vault(folder.path(), &store);
    assert_eq!(after.seal_anew().unwrap(), 0);
    let imports = Imports::read(&store.list(key::CERTIFICATES, None, None).unwrap().entries).unwrap();
    assert!(imports.certificate(ARN, &after.keyring).unwrap().is_some());
    let error = imports.certificate(ARN, &before.keyring).unwrap_err();
    assert!(matches!(error, Unsealable::OtherKey(_)), "{error}");
}

#[test]
fn a_key_file_that_is_lost_exposed_or_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.key");
    let refused = || Keyring::open_file(&path, false).unwrap_err().to_string();
    assert!(refused().contains("restore it"), "{}", refused());
    std::fs::write(&path, "x\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused().contains("mode 644"), "{}", refused());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refused().starts_with("line 1 of"), "{}", refused());
    std::fs::write(&path, "# none\n").unwrap();
    assert!(refused().contains("holds no key"), "{}", refused());
}

#[test]
fn what_cannot_be_served_is_refused_with_its_reason() {
    let (issuer, key) = (authority("ca"), KeyPair::generate().unwrap());
    let other = authority("other");
    let good = leaf(&issuer, &key, |_| {});
    let expired = leaf(&issuer, &key, |params| params.not_after = date_time_ymd(2001, 1, 1));
    let early = leaf(&issuer, &key, |params| params.not_before = date_time_ymd(3000, 1, 1));
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let ed25519 = leaf(&issuer, &edwards, |_| {});
    let root = issuer.pem();
    let now = SystemTime::now();
    let cases: [(Import, &str); 11] = [
        (Import::default(), "must be there"),
        (
            of(&good, &KeyPair::generate().unwrap(), &root),
            "privateKey: is not the key of the first certificate",
        ),
        (
            of(&(root.clone() + &good), &key, &root),
            "the first certificate is an authority's",
        ),
        (
            of(&(good.clone() + &other.pem()), &key, ""),
            "certificate 1 was not issued by certificate 2",
        ),
        (
            of(&expired, &key, &root),
            "certificate 1 expired at 2001-01-01T00:00:00Z",
        ),
        (of(&early, &key, &root), "is not good before 3000-01-01T00:00:00Z"),
        (of(&ed25519, &edwards, &root), "type that Envoy does not take"),
        (of(&good, &key, ""), "trust: must hold the authority"),
        (
            of(&good, &key, &other.pem()),
            "trust: has no certificate that issued the last one",
        ),
        (of("x", &key, &root), "certificateChain: holds no certificate in PEM"),
        (
            of(&"x".repeat(70_000), &key, &root),
            "must have at most 65536 bytes, has 70000",
        ),
    ];
    for (import, expected) in cases {
        let violations = check::import(&import, now).err().unwrap_or_default();
        let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
        assert!(texts.join("; ").contains(expected), "{expected}: {texts:?}");
    }
    let larger = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let chain = leaf(&issuer, &larger, |_| {}) + &root;
    let checked = check::import(&of(&chain, &larger, ""), now).ok().unwrap();
    assert_eq!(checked.trust, root);
    assert_eq!(check::summary(&chain).unwrap().key_type, "EC-384");
    for arn in ["c", "arn:a b", &format!("arn:{}", "x".repeat(600))] {
        assert_eq!(arn_violations(arn).len(), 1, "{arn}");
    }
}
