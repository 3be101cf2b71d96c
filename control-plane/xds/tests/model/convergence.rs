//! Whether a client holds in the end what it should.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use crate::peer::{Peer, Protocol};
use crate::view::{is_full, TYPES};
use crate::world::{World, LISTENER};

impl Peer {
    pub fn check_converged(&self, world: &World) -> Result<(), TestCaseError> {
        let contents = world.contents();
        for type_url in TYPES {
            let view = &self.views[type_url];
            let desired: BTreeMap<&str, &Bytes> = contents
                .iter()
                .filter(|((t, name), _)| *t == type_url && (is_full(t) || view.names.contains(name)))
                .map(|((_, name), value)| (name.as_str(), value))
                .collect();
            // A partial state-of-the-world response cannot take anything away.
            let keeps = self.protocol == Protocol::StateOfTheWorld && !is_full(type_url);
            let held: BTreeMap<&str, &Bytes> = view
                .held
                .iter()
                .filter(|(name, _)| {
                    let refuses = self.refused_removals.contains(&(type_url.to_owned(), name.to_string()));
                    desired.contains_key(name.as_str()) || !(keeps || refuses)
                })
                .map(|(name, (_, value))| (name.as_str(), value))
                .collect();
            prop_assert_eq!(held, desired, "{:?} {}", self.protocol, type_url);
        }
        for name in self.views[LISTENER]
            .held
            .keys()
            .filter(|name| world.listener(name).is_some())
        {
            let (serves, wanted) = (self.listeners.get(name), world.listener(name));
            prop_assert_eq!(serves, wanted.as_ref(), "{:?}", self.protocol);
        }
        Ok(())
    }
}
