//! Several configurations as one: names and ports that would collide are changed.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use envoy_types::pb::envoy::config::core::v3::{address, socket_address, Address};

/// One configuration with everything of all of them. Their clusters must have different names already; of secrets of one
/// name the first is kept.
pub fn merged(bootstraps: impl IntoIterator<Item = Bootstrap>) -> Bootstrap {
    let apart = bootstraps.into_iter().enumerate().map(|(index, mut bootstrap)| {
        if let Some(resources) = &mut bootstrap.static_resources {
            for (place, listener) in resources.listeners.iter_mut().enumerate() {
                listener
                    .address
                    .iter_mut()
                    .for_each(|address| unique(address, index, place));
            }
        }
        bootstrap
    });
    joined(apart)
}

/// The same where listeners have different addresses already.
pub fn joined(bootstraps: impl IntoIterator<Item = Bootstrap>) -> Bootstrap {
    let mut all: Option<Bootstrap> = None;
    let mut secrets = BTreeMap::new();
    for (index, mut bootstrap) in bootstraps.into_iter().enumerate() {
        let Some(mut resources) = bootstrap.static_resources.take() else {
            continue;
        };
        for listener in &mut resources.listeners {
            listener.name = format!("{index}/{}", listener.name);
        }
        for secret in std::mem::take(&mut resources.secrets) {
            secrets.entry(secret.name.clone()).or_insert(secret);
        }
        let whole = all.get_or_insert_with(|| Bootstrap {
            static_resources: Some(Default::default()),
            ..bootstrap
        });
        let into = whole.static_resources.as_mut().expect("static resources");
        into.listeners.append(&mut resources.listeners);
        // What every proxy's bootstrap has, such as the way to its agent, is there once.
        let new = resources
            .clusters
            .into_iter()
            .filter(|cluster| !into.clusters.contains(cluster));
        let new: Vec<_> = new.collect();
        into.clusters.extend(new);
    }
    let mut all = all.unwrap_or_default();
    if let Some(resources) = &mut all.static_resources {
        resources.secrets = secrets.into_values().collect();
    }
    all
}

/// An address of 127/8 for each listener of each configuration.
pub fn loopback(index: usize, place: usize) -> String {
    format!("127.{}.{}.{}", 100 + place, index / 250, index % 250 + 1)
}

/// A loopback address instead of the one that was asked for.
fn unique(address: &mut Address, index: usize, place: usize) {
    if let Some(address::Address::SocketAddress(socket)) = &mut address.address {
        socket.address = loopback(index, place);
        socket.ipv4_compat = false;
        socket.port_specifier = Some(socket_address::PortSpecifier::PortValue(15_000));
    }
}
