//! kill -9, and all proxies come back at once: a restart is no storm.
//!
//! 150 proxies and 2 kills in the normal run; `FERROMESH_FULL=1` makes it 1,000 proxies that call 100 services, and 10 kills.

use std::time::{Duration, Instant};

use ferromesh_integration::{full, meter};
use ferromesh_xds_load::{mesh::Mesh, proxy::Variant};

use super::{
    api_load::ApiLoad,
    bed::{self, MOST_MEMORY_KB},
};

/// From the kill to the last proxy that has a change made after it.
const CONVERGENCE: Duration = Duration::from_secs(60);
/// What a later process may take more than the first: nothing grows from restart to restart.
const SLACK: f64 = 1.25;

#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_come_back_after_kill_9_converge_within_a_minute_and_get_nothing_twice() {
    let mesh = full(
        Mesh {
            proxies: 150,
            services: 10,
        },
        Mesh {
            proxies: 1000,
            services: 100,
        },
    );
    let kills = full(2, 10);
    let mut rig = bed::start(&mesh, Vec::new()).await;
    let delta = mesh.proxies / 5 * 4;
    let fleets = [
        bed::proxies(&rig, delta, Variant::Delta),
        bed::proxies(&rig, mesh.proxies - delta, Variant::Sotw),
    ];
    for fleet in &fleets {
        fleet.complete(CONVERGENCE).await.expect("all proxies have everything");
    }
    let fleets = [&fleets[0], &fleets[1]];
    let mut peaks = Vec::new();
    for kill in 1..=kills {
        rig.kill_control_plane();
        let began = Instant::now();
        rig.start_control_plane().await.expect("it starts again");
        let process = bed::id(&mut rig);
        let api = ApiLoad::start(&rig);
        let change = bed::change(&rig, kill % mesh.services).await;
        let have = bed::delivered(
            &fleets,
            change,
            mesh.proxies,
            CONVERGENCE.saturating_sub(began.elapsed()),
        )
        .await;
        let took = began.elapsed();
        assert_eq!(
            have, mesh.proxies,
            "kill {kill}: proxies that have converged after {took:?}"
        );
        // What comes late, acknowledgements and the last of the storm, counts as well.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let p99 = api.end().await;
        let (peak, rest) = (
            meter::peak_rss_kb(process).expect("its memory"),
            meter::rss_kb(process).expect("its memory"),
        );
        println!(
            "kill {kill}: {} proxies converged after {took:?}; {} MiB at most, {} MiB after it; API p99 {p99:.1} ms",
            mesh.proxies,
            peak / 1024,
            rest / 1024
        );
        assert!(peak <= MOST_MEMORY_KB, "kill {kill}: {peak} kB");
        peaks.push(peak);
    }
    let (first, last) = (peaks[0] as f64, peaks[peaks.len() - 1] as f64);
    assert!(
        last <= first * SLACK,
        "memory grows from restart to restart: {peaks:?} kB"
    );
    for fleet in fleets {
        let (count, first) = fleet.tally.flaps_seen();
        assert_eq!(count, 0, "something came twice or went back: {first:#?}");
        assert_eq!(fleet.tally.failures().0, 0);
        assert!(fleet.tally.reconnect_count() > 0);
    }
    assert!(!rig.log().contains("panicked"), "{}", rig.log());
}
