//! Meshes for tests: every field of the resource model, with values that occur and values that hurt.
//!
//! A [`World`] is a list of creations as clients send them, some of which are wrong; [`World::admit`] puts them through the
//! API's own rules and gives the mesh of those that are taken. So a test can ask two things at once: whatever is taken must
//! be deliverable, and whatever is not deliverable must not be taken.
//!
//! A seed gives the same world for ever, and [`World::shrunk`] makes a world that fails as small as it gets.
//!
//! ```
//! use ferromesh_generate::{Flaws, World};
//!
//! let world = World::from_seed(7, Flaws::None);
//! let admitted = world.admit();
//! assert_eq!(admitted.mesh.name, world.name);
//! assert_eq!(World::from_seed(7, Flaws::None), world);
//! ```

mod admit;
mod draw;
mod flaw;
mod gateway;
mod node;
mod policy;
mod route;
mod shrink;
pub mod text;
mod tls;
mod world;

pub use admit::{Admitted, Refused};
pub use draw::Draw;
pub use flaw::{flaws, Flaw, Handling};
pub use world::{Creation, Flaws, World};

use proptest::strategy::Strategy;

/// Worlds as a strategy, for tests that are written with proptest. It shrinks towards small seeds only; use
/// [`World::shrunk`] on what it finds.
pub fn worlds(flaws: Flaws) -> impl Strategy<Value = World> {
    proptest::num::u64::ANY.prop_map(move |seed| World::from_seed(seed, flaws))
}
