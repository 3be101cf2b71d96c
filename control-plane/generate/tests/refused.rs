//! What is wrong is refused by the API's own rules, or left out of what Envoy is given.

use ferromesh_generate::{flaws, Flaws, Handling, World};

/// Worlds in which each flaw is tried.
const EACH: usize = 20;

#[test]
fn every_flaw_is_refused_where_it_is() {
    let mut taken = Vec::new();
    for flaw in flaws().filter(|flaw| flaw.handling == Handling::Refused) {
        let mut tried = 0;
        for seed in 0..2000 {
            let world = World::from_seed(seed, Flaws::None);
            let Some((flawed, index)) = flaw.put_into(&world) else {
                continue;
            };
            // Only where the resource is taken without the flaw.
            if world.admit().refused.iter().any(|refused| refused.index == index) {
                continue;
            }
            if !flawed.admit().refused.iter().any(|refused| refused.index == index) {
                taken.push(format!(
                    "{:?} {} in {:?}",
                    flaw.kind, flaw.name, flawed.creations[index]
                ));
            }
            tried += 1;
            if tried == EACH {
                break;
            }
        }
        assert!(
            tried >= EACH / 2,
            "{:?} {}: {tried} worlds have a place for it",
            flaw.kind,
            flaw.name
        );
    }
    assert!(taken.is_empty(), "{} taken:\n{}", taken.len(), taken.join("\n"));
}

#[test]
fn most_of_what_is_generated_is_taken() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..500 {
        let world = World::from_seed(seed, Flaws::None);
        let admitted = world.admit();
        refused += admitted.refused.len();
        taken += world.creations.len() - admitted.refused.len();
    }
    assert!(taken > refused * 2, "{taken} taken, {refused} refused");
}
