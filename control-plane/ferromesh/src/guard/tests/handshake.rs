//! What is refused in the handshake of TLS is counted by its reason, and what is good passes as before.

use rcgen::{date_time_ymd, BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::{danger::ClientCertVerifier, WebPkiClientVerifier},
    RootCertStore,
};

use super::*;
use crate::guard::{counts::Counts, handshake::Told};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(by: &CertifiedIssuer<'static, KeyPair>, is_over: bool) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(NODE_ID.try_into().unwrap())];
    if is_over {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
    }
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    certificate.der().clone()
}

#[test]
fn whoever_gets_no_connection_is_counted_by_the_reason() {
    let (believed, stranger) = (authority(), authority());
    let mut roots = RootCertStore::empty();
    roots.add(believed.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let counts = Arc::new(Counts::default());
    let told = Told::new(verifier, Arc::clone(&counts));
    assert!(told.offer_client_auth() && !told.client_auth_mandatory());

    let verify = |certificate| told.verify_client_cert(&certificate, &[], UnixTime::now());
    assert!(verify(issued(&believed, false)).is_ok());
    for _ in 0..2 {
        assert!(verify(issued(&believed, true)).is_err());
    }
    assert!(verify(issued(&stranger, false)).is_err());
    assert!(verify(CertificateDer::from(b"no certificate".to_vec())).is_err());
    let mut text = String::new();
    counts.write(&mut text);
    let refused: Vec<&str> = text.lines().filter(|line| line.contains("_total{")).collect();
    let expected = [
        "ferromesh_connections_refused_total{reason=\"expired\"} 2",
        "ferromesh_connections_refused_total{reason=\"unusable\"} 1",
        "ferromesh_connections_refused_total{reason=\"unvouched\"} 1",
    ];
    assert_eq!(refused, expected);
}
