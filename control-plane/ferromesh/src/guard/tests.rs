mod asked;
mod bench;
mod cutting;
mod handshake;
mod property;
mod quota;
mod reports;

use ferromesh_api::Revocation;
use ferromesh_store::{catalog, key, Change, Transaction};
use ferromesh_xds::peer::Certificate;
use tonic::Code;

use super::{vouch::Authority, *};
use bench::{certificate, Bench, NODE, NODE_ID};

#[test]
fn a_proxy_gets_what_is_its_own_by_its_certificate() {
    let bench = Bench::new(Requirement::Required);
    assert!(bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).is_ok());
    let arn = "arn:aws:appmesh:us-east-1:111111111111:mesh/m/virtualNode/n";
    assert!(bench.ask(arn, &certificate(NODE_ID, Authority::BuiltIn)).is_ok());
    assert!(bench.ask(NODE, &certificate(NODE_ID, Authority::Named)).is_ok());
}

#[test]
fn whoever_shows_something_else_is_refused_in_words_that_do_not_say_what_there_is() {
    let bench = Bench::new(Requirement::Required);
    let own = || (*certificate(NODE_ID, Authority::BuiltIn)).clone();
    let with = |uris: &[&str]| Certificate {
        uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        ..own()
    };
    let other = "spiffe://ferromesh.local/mesh/m/virtualNode/other";
    for (shown, code) in [
        (with(&[]), Code::PermissionDenied),
        (with(&[NODE_ID, other]), Code::PermissionDenied),
        (with(&[NODE_ID, NODE_ID]), Code::PermissionDenied),
        (with(&[other]), Code::PermissionDenied),
        (
            with(&["spiffe://ferromesh.local/mesh/x/virtualNode/n"]),
            Code::PermissionDenied,
        ),
        (
            with(&["spiffe://ferromesh.local/mesh/m/virtualGateway/n"]),
            Code::PermissionDenied,
        ),
        (
            with(&["spiffe://elsewhere/mesh/m/virtualNode/n"]),
            Code::PermissionDenied,
        ),
        (
            with(&["spiffe://ferromesh.local/account/222222222222/mesh/m/virtualNode/n"]),
            Code::PermissionDenied,
        ),
        (
            Certificate {
                is_for_servers: true,
                ..own()
            },
            Code::PermissionDenied,
        ),
        (
            Certificate {
                not_after_seconds: bench.now(),
                ..own()
            },
            Code::Unauthenticated,
        ),
        (
            Certificate {
                chain: vec![b"nobody".to_vec()],
                ..own()
            },
            Code::Unauthenticated,
        ),
    ] {
        let refused = bench.ask(NODE, &Arc::new(shown.clone())).unwrap_err();
        assert_eq!(refused.code(), code, "{shown:?}");
        let there_is_none = bench.ask("mesh/no/virtualNode/none", &Arc::new(shown)).unwrap_err();
        assert_eq!(there_is_none.message(), refused.message());
    }
    let text = bench.metrics();
    assert!(
        text.contains("ferromesh_proxies_refused_total{reason=\"another_proxy\"}"),
        "{text}"
    );
}

#[test]
fn without_a_certificate_only_this_machine_is_believed() {
    let required = Bench::new(Requirement::Required);
    assert!(required.ask_as(NODE, Some(&Peer::Local)).is_ok());
    let refused = required.ask_as(NODE, Some(&Peer::Unidentified)).unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(required.ask_as(NODE, None).unwrap_err().code(), Code::Unauthenticated);
    let optional = Bench::new(Requirement::Optional);
    assert!(optional.ask_as(NODE, Some(&Peer::Unidentified)).is_ok());
    let other = certificate("spiffe://ferromesh.local/mesh/m/virtualNode/other", Authority::BuiltIn);
    assert!(
        optional.ask(NODE, &other).is_err(),
        "a certificate is held to what it says"
    );
}

#[test]
fn only_the_built_in_authority_proves_who_may_renew() {
    let bench = Bench::new(Requirement::Required);
    let proven = |shown: Arc<Certificate>| bench.guard.proven(&Peer::Certificate(shown));
    let proxy = proven(certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    assert_eq!(proxy.to_string(), NODE);
    assert!(proven(certificate(NODE_ID, Authority::Named)).is_err());
    assert!(proven(certificate("spiffe://ferromesh.local/x", Authority::BuiltIn)).is_err());
    assert!(bench.guard.proven(&Peer::Local).is_err());
}
