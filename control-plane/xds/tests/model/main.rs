//! Random histories: whatever happens, a client of either variant ends with what the snapshot has.
//!
//! Two simulated clients, one of each variant, are connected through queues to a stream each. Snapshots
//! change, names come and go, messages are delivered late, answers are acknowledgements or rejections,
//! streams break. The rules that must hold at every step are in [`peer`].

mod convergence;
mod peer;
mod world;

use peer::{Peer, Protocol};
use proptest::prelude::*;
use world::{World, ENDPOINT, ROUTE};

#[derive(Debug, Clone)]
enum Op {
    Publish(World),
    Subscribe(bool, u8),
    Unsubscribe(bool, u8),
    /// Requests that wait reach the server, so many of them.
    Up(bool, u8),
    /// Responses that wait reach the client, which accepts or refuses.
    Down(bool, u8, bool),
    Pass(u16),
    Reconnect(bool),
}

fn op(nacks: bool) -> impl Strategy<Value = Op> {
    let reject = if nacks {
        any::<bool>().boxed()
    } else {
        Just(false).boxed()
    };
    prop_oneof![
        4 => World::any().prop_map(Op::Publish),
        2 => (any::<bool>(), 0..4u8).prop_map(|(e, n)| Op::Subscribe(e, n)),
        1 => (any::<bool>(), 0..4u8).prop_map(|(e, n)| Op::Unsubscribe(e, n)),
        6 => (any::<bool>(), 1..4u8).prop_map(|(w, n)| Op::Up(w, n)),
        6 => (any::<bool>(), 1..4u8, reject).prop_map(|(w, n, r)| Op::Down(w, n, r)),
        2 => (0..400u16).prop_map(Op::Pass),
        1 => any::<bool>().prop_map(Op::Reconnect),
    ]
}

fn run(ops: &[Op], last: &World) -> Result<(), TestCaseError> {
    let mut peers = [Peer::new(Protocol::StateOfTheWorld), Peer::new(Protocol::Delta)];
    let which = |second: bool| usize::from(second);
    for op in ops {
        match op {
            Op::Publish(world) => peers.iter_mut().for_each(|p| p.publish(world)),
            Op::Subscribe(endpoints, n) => {
                let type_url = if *endpoints { ENDPOINT } else { ROUTE };
                peers.iter_mut().for_each(|p| p.subscribe(type_url, *n));
            }
            Op::Unsubscribe(endpoints, n) => {
                let type_url = if *endpoints { ENDPOINT } else { ROUTE };
                peers.iter_mut().for_each(|p| p.unsubscribe(type_url, *n));
            }
            Op::Up(peer, n) => peers[which(*peer)].up(usize::from(*n))?,
            Op::Down(peer, n, reject) => peers[which(*peer)].down(usize::from(*n), *reject)?,
            Op::Pass(millis) => peers.iter_mut().for_each(|p| p.pass(u64::from(*millis))),
            Op::Reconnect(peer) => peers[which(*peer)].reconnect()?,
        }
        for peer in &mut peers {
            peer.pump()?;
        }
    }
    for peer in &mut peers {
        peer.publish(last);
        peer.settle()?;
        peer.check_converged(last)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_variants_end_with_what_the_snapshot_has(
        ops in prop::collection::vec(op(false), 0..60),
        last in World::any(),
    ) {
        run(&ops, &last)?;
    }

    #[test]
    fn also_when_responses_were_rejected_on_the_way(
        ops in prop::collection::vec(op(true), 0..60),
        last in World::any(),
    ) {
        // A content that was never seen before, so that nothing of it was rejected.
        run(&ops, &last.renewed())?;
    }
}
