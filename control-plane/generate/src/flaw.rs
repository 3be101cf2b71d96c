//! Specs that break one rule each.

mod gateway;
mod node;
mod place;
mod route;

use ferromesh_model::resource::Kind;
use serde_json::Value;

use crate::{Creation, Draw, World};

/// One way in which a spec can be wrong.
#[derive(Debug, Clone, Copy)]
pub struct Flaw {
    /// What is wrong, as a sentence without a subject.
    pub name: &'static str,
    /// What kind of resource has it.
    pub kind: Kind,
    /// What becomes of it.
    pub handling: Handling,
    put: fn(&mut Value) -> bool,
}

/// What becomes of a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// The API refuses the resource.
    Refused,
    /// App Mesh took it, so the API does; the part is left out of what Envoy is given, with a lint.
    LeftOut,
}

/// All flaws.
pub fn flaws() -> impl Iterator<Item = Flaw> {
    [route::FLAWS, gateway::FLAWS, node::FLAWS]
        .into_iter()
        .flatten()
        .copied()
}

impl Flaw {
    /// The world with the flaw in the first resource that has a place for it, and that resource's index among the
    /// creations; `None` if none has.
    pub fn put_into(&self, world: &World) -> Option<(World, usize)> {
        for (index, creation) in world.creations.iter().enumerate() {
            let Creation::Resource { key, spec } = creation else {
                continue;
            };
            let mut spec = spec.clone();
            if key.kind == self.kind && (self.put)(&mut spec) {
                let mut flawed = world.clone();
                flawed.creations[index] = Creation::Resource { key: key.clone(), spec };
                return Some((flawed, index));
            }
        }
        None
    }
}

/// Puts one flaw into a world that has a place for it.
pub fn put_in(draw: &mut Draw, world: &mut World) {
    let flaws: Vec<Flaw> = flaws().collect();
    let first = draw.between(0, flaws.len() - 1);
    let from_there = flaws.iter().cycle().skip(first).take(flaws.len());
    if let Some((flawed, _)) = from_there.filter_map(|flaw| flaw.put_into(world)).next() {
        *world = flawed;
    }
}
