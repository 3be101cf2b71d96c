//! Hostile clients beside good proxies: what they take is theirs, and not the others'.
//!
//! 44 beside 20 for some seconds in the normal run, in which all is asserted but the times: a build without optimisation beside
//! others says nothing about them. `FERROMESH_FULL=1` makes it 500 beside 200, for a minute, with the limits; it is meant for
//! `FERROMESH_BIN` of a release build.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ferromesh_integration::{
    full, meter,
    rig::{eventually, ports, PATIENCE},
    scale::is_full,
};
use ferromesh_xds_load::{hostile::Crowd, mesh::Mesh, proxy::Variant, way::Way};
use rustls::{
    pki_types::{pem::PemObject, CertificateDer},
    ClientConfig, RootCertStore,
};

use super::{
    api_load::ApiLoad,
    bed::{self, percentile, Guard, MOST_MEMORY_KB},
};

/// What a change may take until a good proxy has it, for 99 of 100, with hostile clients about.
const LIMIT_MILLIS: f64 = 2000.0;
/// What is waited for a change at the most; then it is lost.
const ARRIVAL: Duration = Duration::from_secs(20);
const BETWEEN_CHANGES: Duration = Duration::from_millis(300);

/// A client that knows the built-in authority, and shows no certificate.
fn tls(root: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root).expect("the authority's certificate") {
        roots.add(certificate.expect("a certificate")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_clients_keep_no_change_from_good_proxies_and_take_no_memory() {
    let mesh = full(
        Mesh {
            proxies: 20,
            services: 5,
        },
        Mesh {
            proxies: 200,
            services: 50,
        },
    );
    let (hostile, time) = full((44, Duration::from_secs(6)), (500, Duration::from_secs(60)));
    let secure = format!("127.0.0.1:{}", ports::free().expect("a port"));
    let mut rig = bed::start(&mesh, vec!["--listen".to_owned(), format!("https://{secure}")]).await;
    let process = bed::id(&mut rig);
    let good = mesh.proxies;
    let fleets = [
        bed::proxies(&rig, good / 2, Variant::Delta),
        bed::proxies(&rig, good - good / 2, Variant::Sotw),
    ];
    for fleet in &fleets {
        fleet
            .complete(PATIENCE)
            .await
            .expect("all good proxies have everything");
    }
    let fleets = [&fleets[0], &fleets[1]];
    let alone = meter::descriptors(process).expect("its descriptors");

    let ways = [
        Way::plain(rig.address()),
        Way {
            address: secure,
            tls: Some(tls(&rig.file("data/certificates/root.pem"))),
        },
    ];
    let guard = Guard::over(process);
    let api = ApiLoad::start(&rig);
    let crowd = Crowd::launch(&ways, hostile, &Mesh::nodes(), mesh.proxies);
    let mut changes = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time {
        let change = bed::change(&rig, changes.len() % mesh.services).await;
        bed::delivered(&fleets, change, good, ARRIVAL).await;
        changes.push(change);
        tokio::time::sleep(BETWEEN_CHANGES).await;
    }
    // Somebody good who comes only now is served too.
    let late = bed::proxies(&rig, 5, Variant::Delta);
    let late_after = late
        .complete(PATIENCE)
        .await
        .expect("a good proxy that comes late is served");
    let attempts = crowd.attempts();
    crowd.leave().await;
    let most = guard.end();
    api.end().await;

    let mut latencies: Vec<f64> = fleets
        .iter()
        .flat_map(|fleet| fleet.tally.latencies(&changes))
        .collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    println!(
        "{hostile} hostile clients beside {good} good ones: {} changes, p50 {p50:.1} ms, p99 {p99:.1} ms; {} MiB at most; a late one \
         after {late_after:?}; attempts: {attempts:?}",
        changes.len(),
        most / 1024
    );
    assert_eq!(latencies.len(), good * changes.len(), "changes that have arrived");
    assert!(!is_full() || p99 <= LIMIT_MILLIS, "p99 {p99} ms");
    assert!(most <= MOST_MEMORY_KB, "{most} kB");
    let idle: Vec<_> = attempts.iter().filter(|(_, count)| *count == 0).collect();
    assert!(idle.is_empty(), "who did nothing: {idle:?}");
    for fleet in fleets {
        let (count, first) = fleet.tally.flaps_seen();
        assert_eq!(count, 0, "something came twice or went back: {first:#?}");
        assert_eq!(fleet.tally.reconnect_count(), 0, "good proxies that lost their stream");
    }
    drop(late);
    assert!(rig.control_plane().expect("a control plane").is_running());
    assert!(!rig.log().contains("panicked"), "{}", rig.log());
    // What they held is given back.
    eventually("the hostile clients' connections are gone", PATIENCE, async || {
        let open = meter::descriptors(process).ok()?;
        (open <= alone + 8).then_some(())
    })
    .await
    .expect("descriptors are given back");
}
