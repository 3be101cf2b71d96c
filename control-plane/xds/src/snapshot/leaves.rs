//! Newer endpoints and secrets for a snapshot that is otherwise to stay.

use std::sync::Arc;

use super::{ResourceSet, Snapshot};
use crate::type_url::{ENDPOINT, SECRET};

impl Snapshot {
    /// The same snapshot with the endpoints and secrets that `newer` has under the same names; everything else is shared.
    /// What `newer` does not have stays, so that every reference still resolves.
    pub fn with_leaves_of(&self, newer: &Self) -> Self {
        let mut renewed = Self {
            sets: self.sets.clone(),
            references: self.references.clone(),
        };
        for type_url in [ENDPOINT, SECRET] {
            if let Some(set) = renewed.sets.get_mut(type_url) {
                set.renew(newer.resources(type_url));
            }
        }
        renewed
    }
}

impl ResourceSet {
    fn renew(&mut self, newer: &Self) {
        if self.version == newer.version {
            return;
        }
        let names: Vec<Arc<str>> = self.by_name.keys().cloned().collect();
        for resource in names.iter().filter_map(|name| newer.get(name)) {
            self.insert(Arc::clone(resource));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::type_url::CLUSTER;

    #[test]
    fn only_endpoints_and_secrets_of_known_names_are_renewed() {
        let of = |cluster: &'static str, endpoints: &[(&'static str, &'static str)]| {
            let endpoints = endpoints.iter().map(|(name, value)| (ENDPOINT, *name, (*value).into()));
            Snapshot::seal(endpoints.chain([(CLUSTER, "c", cluster.into())]), []).unwrap()
        };
        let old = of("old", &[("a", "1"), ("b", "1")]);
        let renewed = old.with_leaves_of(&of("new", &[("a", "2"), ("z", "2")]));
        let expected = of("old", &[("a", "2"), ("b", "1")]);
        for type_url in [CLUSTER, ENDPOINT] {
            assert_eq!(
                renewed.resources(type_url).version(),
                expected.resources(type_url).version()
            );
        }
        assert!(renewed.resources(ENDPOINT).get("z").is_none());
    }
}
