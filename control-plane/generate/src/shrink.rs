//! Making a world that fails as small as it gets.

use serde_json::Value;

use crate::{Creation, World};

impl World {
    /// The smallest world found that still `fails`: creations, then members and elements of specs are left out one at a
    /// time, as long as it fails without them.
    pub fn shrunk(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut smallest = self.clone();
        loop {
            let smaller = smallest.smaller().into_iter().find(|world| fails(world));
            match smaller {
                Some(world) => smallest = world,
                None => return smallest,
            }
        }
    }

    /// The worlds that lack one thing.
    fn smaller(&self) -> Vec<Self> {
        let mut worlds = Vec::new();
        for index in (1..self.creations.len()).rev() {
            let mut world = self.clone();
            world.creations.remove(index);
            worlds.push(world);
        }
        for (index, creation) in self.creations.iter().enumerate() {
            let (Creation::Resource { spec, .. } | Creation::Policy { spec, .. }) = creation;
            for spec in without_one(spec) {
                let mut world = self.clone();
                let (Creation::Resource { spec: place, .. } | Creation::Policy { spec: place, .. }) =
                    &mut world.creations[index];
                *place = spec;
                worlds.push(world);
            }
        }
        worlds
    }
}

/// The values that lack one member or element, the outer ones first.
fn without_one(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for name in members.keys() {
                let mut less = members.clone();
                less.remove(name);
                found.push(Value::Object(less));
            }
            for (name, inner) in members {
                for inner in without_one(inner) {
                    let mut less = members.clone();
                    less.insert(name.clone(), inner);
                    found.push(Value::Object(less));
                }
            }
        }
        Value::Array(elements) => {
            for index in 0..elements.len() {
                let mut less = elements.clone();
                less.remove(index);
                found.push(Value::Array(less));
            }
            for (index, inner) in elements.iter().enumerate() {
                for inner in without_one(inner) {
                    let mut less = elements.clone();
                    less[index] = inner;
                    found.push(Value::Array(less));
                }
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::{Flaws, World};

    #[test]
    fn leaves_only_what_makes_it_fail() {
        let has_a_target = |world: &World| format!("{world:?}").contains("weightedTargets");
        let world = (0..)
            .map(|seed| World::from_seed(seed, Flaws::None))
            .find(has_a_target)
            .expect("one with a route");
        let shrunk = world.shrunk(has_a_target);
        assert!(shrunk.creations.len() <= 2, "{shrunk:#?}");
        assert!(has_a_target(&shrunk));
    }
}
