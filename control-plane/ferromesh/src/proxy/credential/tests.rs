use std::{collections::BTreeMap, time::SystemTime};

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Option<Credential>, Vec<String>> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    Credential::read(&|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn a_credential_is_files_or_a_token_and_the_authorities_to_believe() {
    assert!(read(&[]).unwrap().is_none());
    assert!(read(&[(CA, "/ca")]).unwrap().is_some());
    let files = [(CA, "/ca"), (CERTIFICATE, "/c"), (KEY, "/k")];
    assert!(matches!(read(&files).unwrap().unwrap().source, Source::Files { .. }));
    assert!(matches!(
        read(&[(CA, "/ca"), (TOKEN_FILE, "/t")]).unwrap().unwrap().source,
        Source::Join(Token::File(_))
    ));
    for (variables, named) in [
        (vec![(CERTIFICATE, "/c"), (CA, "/ca")], KEY),
        (vec![(TOKEN, "t")], CA),
        (vec![(TOKEN, "t"), (TOKEN_FILE, "/t"), (CA, "/ca")], TOKEN_FILE),
        ([&files[..], &[(TOKEN, "t")]].concat(), CERTIFICATE),
    ] {
        let problems = read(&variables).unwrap_err();
        assert!(problems[0].contains(named), "{problems:?}");
    }
}

#[test]
fn the_token_is_not_in_what_is_printed() {
    let credential = read(&[(CA, "/ca"), (TOKEN, "fmj_secret")]).unwrap().unwrap();
    assert!(!format!("{credential:?}").contains("secret"));
}

struct Issuer {
    authority: crate::authority::Authority,
    folder: tempfile::TempDir,
}

impl Issuer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = crate::authority::Authority::open(&folder.path().join("ca"), SystemTime::now()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.root()).unwrap();
        Self { authority, folder }
    }

    /// Writes a chain and its key, under these names.
    fn write(&self, arn: &str, chain: &str, key: &str) {
        let issued = self
            .authority
            .certificate(arn, &Default::default(), SystemTime::now())
            .unwrap();
        std::fs::write(self.folder.path().join(chain), issued.chain).unwrap();
        std::fs::write(self.folder.path().join(key), issued.key).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[tokio::test]
async fn files_that_change_make_another_configuration_and_a_pair_that_does_not_fit_none() {
    let issuer = Issuer::new();
    issuer.write("one", "c.pem", "k.pem");
    let (ca, certificate, key) = (issuer.path("ca.pem"), issuer.path("c.pem"), issuer.path("k.pem"));
    let credential = read(&[(CA, &ca), (CERTIFICATE, &certificate), (KEY, &key)])
        .unwrap()
        .unwrap();
    let state = issuer.folder.path().join("state");
    let shutdown = CancellationToken::new();
    let mut configs = credential.follow(&state, &[], shutdown.clone()).await.unwrap();
    assert!(configs.borrow().client_auth_cert_resolver.has_certs());
    // The key alone, as if the writer were between the two.
    issuer.write("two", "other.pem", "k.pem");
    tokio::time::sleep(LOOK + Duration::from_millis(500)).await;
    assert!(!configs.has_changed().unwrap(), "the pair before stays");
    std::fs::copy(issuer.path("other.pem"), &certificate).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(30), configs.changed()).await;
    changed.unwrap().unwrap();
    shutdown.cancel();
}

#[tokio::test]
async fn a_join_token_takes_an_address_that_speaks_tls() {
    let issuer = Issuer::new();
    let ca = issuer.path("ca.pem");
    let credential = read(&[(CA, &ca), (TOKEN, "t")]).unwrap().unwrap();
    let unix = [XdsEndpoint::Unix("/x".into())];
    let refused = credential
        .follow(issuer.folder.path(), &unix, CancellationToken::new())
        .await;
    assert!(refused.unwrap_err().to_string().contains("TLS"));
}

#[tokio::test]
async fn a_kept_certificate_is_used_without_a_control_plane_unless_the_token_is_another() {
    let issuer = Issuer::new();
    let issued = issuer
        .authority
        .certificate("one", &Default::default(), SystemTime::now())
        .unwrap();
    let state = issuer.folder.path().join("state");
    crate::authority::private_file::make_folder(&state).unwrap();
    let kept = kept::Kept {
        token_sha256: kept::digest("t"),
        chain: issued.chain,
        key: issued.key,
    };
    kept.write(&kept::Kept::path(&state)).unwrap();
    let ca = issuer.path("ca.pem");
    // Nobody listens there.
    let nobody = [XdsEndpoint::Tcp {
        host: "127.0.0.1".into(),
        port: 1,
    }];
    for (token, is_used) in [("t", true), ("another", false)] {
        let credential = read(&[(CA, &ca), (TOKEN, token)]).unwrap().unwrap();
        let shutdown = CancellationToken::new();
        let configs = credential.follow(&state, &nobody, shutdown.clone()).await.unwrap();
        assert_eq!(
            configs.borrow().client_auth_cert_resolver.has_certs(),
            is_used,
            "{token}"
        );
        shutdown.cancel();
    }
}
