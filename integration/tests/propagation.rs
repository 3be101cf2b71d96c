//! A change through the API and the first request that a stock Envoy answers the new way: what `cargo xtask bench xds` measures, as
//! far as it can be asserted on a machine that does other things too.

use ferromesh_integration::{full, two_colours::TwoColours};
use ferromesh_xds_load::bench::Propagation;

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_route_is_answered_the_new_way_and_never_the_old_way_after_that() {
    let mesh = TwoColours::start([1, 0]).await.expect("the mesh");
    let changes = full(20, 200);
    let seen = Propagation { changes }.measure(&mesh, changes).await.expect("changes");
    let at = |share: usize| seen.from_answer[(seen.from_answer.len() - 1) * share / 100];
    println!(
        "{changes} changes: first answer the new way {:.1} ms after the API's answer for half of them, {:.1} ms for 99 of 100",
        at(50),
        at(99)
    );
    assert_eq!(seen.from_call.len(), changes);
    assert_eq!((seen.lost, seen.went_back, seen.failed), (0, 0, 0));
}
