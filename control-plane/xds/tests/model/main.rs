//! Random histories: whatever happens, a client of either variant ends with what the snapshot has.
//!
//! Two simulated clients, one of each variant, are connected through queues to a stream each. Snapshots
//! change, names come and go, messages are delivered late, answers are acknowledgements or rejections,
//! streams break. The rules that must hold at every step are in [`peer`].

mod convergence;
mod listeners;
mod peer;
mod view;
mod world;

use peer::{Peer, Protocol};
use proptest::prelude::*;
use view::Verdict;
use world::{World, ENDPOINT, ROUTE};

#[derive(Debug, Clone)]
enum Op {
    Publish(World),
    /// Something else for a moment, and then again what was there before.
    Flicker(World),
    Subscribe(bool, u8),
    Unsubscribe(bool, u8),
    /// Dropped, and wanted again at once.
    Again(bool, u8),
    /// Requests that wait reach the server, so many of them.
    Up(bool, u8),
    /// Responses that wait reach the client, which accepts or refuses.
    Down(bool, u8, Verdict),
    Pass(u16),
    /// To the same server, or to one that has never seen the client.
    Reconnect(bool, bool),
}

fn op(nacks: bool) -> impl Strategy<Value = Op> {
    let verdict = if nacks {
        prop_oneof![2 => Just(Verdict::Take), 1 => Just(Verdict::Refuse), 1 => Just(Verdict::RefusePart)].boxed()
    } else {
        Just(Verdict::Take).boxed()
    };
    prop_oneof![
        4 => World::any().prop_map(Op::Publish),
        1 => World::any().prop_map(Op::Flicker),
        2 => (any::<bool>(), 0..4u8).prop_map(|(e, n)| Op::Subscribe(e, n)),
        1 => (any::<bool>(), 0..4u8).prop_map(|(e, n)| Op::Unsubscribe(e, n)),
        1 => (any::<bool>(), 0..4u8).prop_map(|(e, n)| Op::Again(e, n)),
        6 => (any::<bool>(), 1..4u8).prop_map(|(w, n)| Op::Up(w, n)),
        6 => (any::<bool>(), 1..4u8, verdict).prop_map(|(w, n, v)| Op::Down(w, n, v)),
        2 => (0..400u16).prop_map(Op::Pass),
        1 => any::<(bool, bool)>().prop_map(|(w, f)| Op::Reconnect(w, f)),
    ]
}

fn run(ops: &[Op], last: &World) -> Result<(), TestCaseError> {
    let mut peers = [Peer::new(Protocol::StateOfTheWorld), Peer::new(Protocol::Delta)];
    let which = |second: bool| usize::from(second);
    let type_url = |endpoints: bool| if endpoints { ENDPOINT } else { ROUTE };
    let mut present: Option<&World> = None;
    for op in ops {
        match op {
            Op::Publish(world) => {
                peers.iter_mut().for_each(|p| p.publish(world));
                present = Some(world);
            }
            Op::Flicker(world) => {
                for peer in &mut peers {
                    peer.publish(world);
                    peer.pump()?;
                    present.into_iter().for_each(|before| peer.publish(before));
                }
                present = present.or(Some(world));
            }
            Op::Subscribe(e, n) => peers.iter_mut().for_each(|p| p.subscribe(type_url(*e), *n)),
            Op::Unsubscribe(e, n) => peers.iter_mut().for_each(|p| p.unsubscribe(type_url(*e), *n)),
            Op::Again(e, n) => {
                for peer in &mut peers {
                    peer.unsubscribe(type_url(*e), *n);
                    peer.subscribe(type_url(*e), *n);
                }
            }
            Op::Up(peer, n) => peers[which(*peer)].up(usize::from(*n))?,
            Op::Down(peer, n, verdict) => peers[which(*peer)].down(usize::from(*n), *verdict)?,
            Op::Pass(millis) => peers.iter_mut().for_each(|p| p.pass(u64::from(*millis))),
            Op::Reconnect(peer, forgets) => peers[which(*peer)].reconnect(*forgets)?,
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

/// 400 histories; `FERROMESH_FULL=1` makes it 10,000.
fn cases() -> u32 {
    let full = std::env::var_os("FERROMESH_FULL").is_some_and(|value| value == "1");
    if full {
        10_000
    } else {
        400
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

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
