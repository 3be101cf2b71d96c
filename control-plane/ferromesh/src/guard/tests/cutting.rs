//! Streams that are open when what let them in is over.

use tokio::sync::oneshot;

use super::{
    bench::{Believed, ACCOUNT},
    *,
};

/// The status that a stream was ended with, if it was.
fn ended(subscription: &mut Subscription) -> Option<Status> {
    subscription.end.as_mut().unwrap().try_recv().ok()
}

#[test]
fn a_stream_is_cut_when_its_certificate_is_over() {
    let bench = Bench::new(Requirement::Required);
    let mut stream = bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    bench.later(3599);
    assert_eq!(bench.guard.sweep(), 0);
    assert!(ended(&mut stream).is_none());
    bench.later(1);
    assert_eq!(bench.guard.sweep(), 1);
    assert_eq!(ended(&mut stream).unwrap().code(), Code::Unauthenticated);
    assert!(bench
        .metrics()
        .contains("ferromesh_proxies_cut_total{reason=\"expired\"} 1"));
    assert_eq!(bench.guard.sweep(), 0, "once");
}

#[test]
fn a_stream_is_cut_when_its_certificate_is_revoked_and_the_proxys_others_are_not() {
    let bench = Bench::new(Requirement::Required);
    let one = certificate(NODE_ID, Authority::BuiltIn);
    let other = Arc::new(Certificate {
        serial: "0b".to_owned(),
        ..(*one).clone()
    });
    let (mut first, mut second) = (bench.ask(NODE, &one).unwrap(), bench.ask(NODE, &other).unwrap());
    bench.revoke(Some("0a"), None);
    bench.guard.read_revocations();
    assert_eq!(bench.guard.sweep(), 1);
    assert!(ended(&mut first).unwrap().message().contains("revoked"));
    assert!(ended(&mut second).is_none());
    assert_eq!(bench.ask(NODE, &one).unwrap_err().code(), Code::Unauthenticated);
    bench.restore("0a");
    bench.guard.read_revocations();
    assert!(bench.ask(NODE, &one).is_ok());
}

#[test]
fn a_revoked_proxy_comes_back_with_a_certificate_that_was_made_later() {
    let bench = Bench::new(Requirement::Required);
    let issued_at = |seconds: i64| {
        let millis = format!("{:012x}", seconds * 1000);
        Arc::new(Certificate {
            serial: format!("01{millis}{}", "00".repeat(9)),
            ..(*certificate(NODE_ID, Authority::BuiltIn)).clone()
        })
    };
    let before = issued_at(bench.now());
    let mut stream = bench.ask(NODE, &before).unwrap();
    bench.revoke(None, Some(NODE));
    bench.guard.read_revocations();
    assert_eq!(bench.guard.sweep(), 1);
    assert!(ended(&mut stream).is_some());
    assert!(bench.ask(NODE, &before).is_err());
    assert!(bench.guard.proven(&Peer::Certificate(before)).is_err());
    bench.later(1);
    assert!(bench.ask(NODE, &issued_at(bench.now())).is_ok());
    let of_others = certificate(NODE_ID, Authority::Named);
    assert!(bench.ask(NODE, &of_others).is_err(), "it began before");
}

#[test]
fn a_stream_is_cut_when_its_authority_is_believed_no_more() {
    let bench = Bench::new(Requirement::Required);
    let mut named = bench.ask(NODE, &certificate(NODE_ID, Authority::Named)).unwrap();
    let mut own = bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    bench.believed.send_replace(Arc::new(Believed(&[Authority::BuiltIn])));
    assert_eq!(bench.guard.sweep(), 1);
    assert_eq!(ended(&mut named).unwrap().code(), Code::Unauthenticated);
    assert!(ended(&mut own).is_none());
}

#[tokio::test]
async fn everything_is_noticed_without_being_asked() {
    let bench = Bench::new(Requirement::Required);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(bench.guard.clone().run(shutdown.clone()));
    let limit = Duration::from_secs(60);
    let mut stream = bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    bench.revoke(Some("0a"), None);
    let status = tokio::time::timeout(limit, stream.end.take().unwrap()).await;
    assert!(status.unwrap().unwrap().message().contains("revoked"));
    bench.restore("0a");
    let restored = async {
        while bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, restored).await.unwrap();
    let mut named = bench.ask(NODE, &certificate(NODE_ID, Authority::Named)).unwrap();
    bench.believed.send_replace(Arc::new(Believed(&[])));
    let status = tokio::time::timeout(limit, named.end.take().unwrap()).await;
    assert!(status.unwrap().unwrap().message().contains("authority"));
    bench.believed.send_replace(Arc::new(Believed(&[Authority::BuiltIn])));
    let mut stream = bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    bench.later(4000);
    let status = tokio::time::timeout(limit, stream.end.take().unwrap()).await;
    assert!(status.unwrap().unwrap().message().contains("expired"));
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn the_source_ends_streams_too_and_a_source_that_forgets_ends_nothing() {
    let bench = Bench::new(Requirement::Required);
    let shown = certificate(NODE_ID, Authority::BuiltIn);
    let open = || {
        let (sender, receiver) = oneshot::channel();
        *bench.source.end.lock().unwrap() = Some(receiver);
        (sender, bench.ask(NODE, &shown).unwrap())
    };
    let (sources, mut stream) = open();
    sources.send(Status::aborted("rolled back")).unwrap();
    assert_eq!(stream.end.take().unwrap().await.unwrap().code(), Code::Aborted);

    let (sources, mut stream) = open();
    drop(sources);
    bench.revoke(Some("0a"), None);
    bench.guard.read_revocations();
    bench.guard.sweep();
    assert!(stream.end.take().unwrap().await.unwrap().message().contains("revoked"));
}

#[test]
fn a_proxy_without_a_certificate_costs_nothing_and_keeps_the_sources_end() {
    let bench = Bench::new(Requirement::Required);
    let stream = bench.ask_as(NODE, Some(&Peer::Local)).unwrap();
    assert!(stream.end.is_none());
    let key = Identity::parse(NODE).unwrap().key_at(ACCOUNT);
    assert!(bench.source.snapshots.lock().unwrap().contains_key(&key));
}
