//! Reports are taken from whoever may have the proxy's configuration, and from nobody else.

use super::{bench::Believed, *};

fn report(bench: &Bench, proxy: &str, shown: &Arc<Certificate>) -> Result<(), &'static str> {
    let peer = Peer::Certificate(Arc::clone(shown));
    let decided = bench.guard.may_report(proxy, Some(&peer));
    decided.map_err(|refusal| refusal.word())
}

#[test]
fn a_report_takes_what_a_stream_takes() {
    for requirement in [Requirement::Required, Requirement::Optional] {
        let bench = Bench::new(requirement);
        let own = certificate(NODE_ID, Authority::BuiltIn);
        let of_another = certificate("spiffe://ferromesh.local/mesh/m/virtualNode/other", Authority::BuiltIn);
        let of_nobody = Arc::new(Certificate {
            chain: vec![b"nobody".to_vec()],
            ..(*own).clone()
        });
        let for_servers = Arc::new(Certificate {
            is_for_servers: true,
            ..(*own).clone()
        });
        let with_two = Arc::new(Certificate {
            uris: vec![NODE_ID.to_owned(), NODE_ID.to_owned()],
            ..(*own).clone()
        });
        let shown = [
            own,
            certificate(NODE_ID, Authority::Named),
            of_another,
            of_nobody,
            for_servers,
            with_two,
        ];
        let mut peers: Vec<Option<Peer>> = shown.into_iter().map(|one| Some(Peer::Certificate(one))).collect();
        peers.extend([None, Some(Peer::Local), Some(Peer::Unidentified)]);
        let mut taken = 0;
        for proxy in [
            NODE,
            "mesh/m/virtualNode/other",
            "mesh/m/virtualGateway/n",
            "mesh/m/x/n",
        ] {
            for peer in &peers {
                let report = bench.guard.may_report(proxy, peer.as_ref());
                let stream = bench.ask_as(proxy, peer.as_ref());
                assert_eq!(report.is_ok(), stream.is_ok(), "{proxy} {peer:?}");
                taken += usize::from(report.is_ok());
            }
        }
        let believed = match requirement {
            Requirement::Required => 0,
            Requirement::Optional => 3,
        };
        assert_eq!(
            taken,
            3 + 3 + believed,
            "its own, plaintext on this machine, who is believed"
        );
    }
}

#[test]
fn what_is_revoked_or_over_reports_no_more_on_a_connection_that_is_open() {
    let revoked = Bench::new(Requirement::Required);
    let shown = certificate(NODE_ID, Authority::BuiltIn);
    let _stream = revoked.ask(NODE, &shown).unwrap();
    assert_eq!(report(&revoked, NODE, &shown), Ok(()));
    revoked.revoke(Some("0a"), None);
    revoked.guard.read_revocations();
    assert_eq!(report(&revoked, NODE, &shown), Err("revoked"));
    revoked.restore("0a");
    revoked.guard.read_revocations();
    assert_eq!(report(&revoked, NODE, &shown), Ok(()));
    revoked.later(3600);
    assert_eq!(report(&revoked, NODE, &shown), Err("expired"));
}

#[test]
fn an_open_stream_vouches_for_its_own_connection_and_proxy_only() {
    let bench = Bench::new(Requirement::Required);
    let shown = certificate(NODE_ID, Authority::BuiltIn);
    let stream = bench.ask(NODE, &shown).unwrap();
    bench.believed.send_replace(Arc::new(Believed(&[])));
    // Until the stream is ended, which the next look at open streams does.
    assert_eq!(report(&bench, NODE, &shown), Ok(()));
    let on_another = Arc::new((*shown).clone());
    assert_eq!(report(&bench, NODE, &on_another), Err("unvouched"));
    assert_eq!(report(&bench, "mesh/m/virtualNode/other", &shown), Err("unvouched"));
    drop(stream);
    assert_eq!(report(&bench, NODE, &shown), Err("unvouched"));
}

#[test]
fn refused_reports_and_renewals_are_counted_apart_from_streams() {
    let bench = Bench::new(Requirement::Required);
    let of_another = certificate("spiffe://ferromesh.local/mesh/m/virtualNode/other", Authority::BuiltIn);
    for _ in 0..3 {
        assert_eq!(report(&bench, NODE, &of_another), Err("another_proxy"));
    }
    let named = Peer::Certificate(certificate(NODE_ID, Authority::Named));
    assert!(bench.guard.proven(&named).is_err());
    let text = bench.metrics();
    for line in [
        "ferromesh_reports_refused_total{reason=\"another_proxy\"} 3\n",
        "ferromesh_renewals_refused_total{reason=\"unvouched\"} 1\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("ferromesh_proxies_refused_total{"), "{text}");
}
