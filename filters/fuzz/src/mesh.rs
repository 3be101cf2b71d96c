//! Requests against the fused filter: all features at once.

use ferromesh_policy::mesh::Features;

use crate::play::Play;

/// One input.
pub fn requests(input: &[u8]) {
    Play::new(Features::MESH, input).anything(|_, _| {});
}
