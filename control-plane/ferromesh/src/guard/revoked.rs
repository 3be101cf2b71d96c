//! What was revoked, as the store has it.

use std::collections::{HashMap, HashSet};

use ferromesh_store::{Store, StoreError};
use ferromesh_xds::peer::Certificate;

use super::vouch::Authority;
use crate::{authority::identity_serial, identity::ProxyKey};

/// Serial numbers, and proxies with the time until which their certificates do not count.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    serials: HashSet<String>,
    proxies: HashMap<String, f64>,
}

impl Revoked {
    pub fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut revoked = Self::default();
        for revocation in ferromesh_api::revocations(store)? {
            if let Some(serial) = revocation.serial {
                revoked.serials.insert(serial);
            }
            if let Some(proxy) = revocation.proxy {
                revoked.proxies.insert(proxy, revocation.created_at);
            }
        }
        Ok(revoked)
    }

    /// Whether a certificate of a proxy counts no more.
    pub fn has(&self, proxy: &ProxyKey, certificate: &Certificate, authority: Authority) -> bool {
        if self.serials.contains(&certificate.serial) {
            return true;
        }
        if self.proxies.is_empty() {
            return false;
        }
        let Some(revoked_at) = self.proxies.get(&proxy.to_string()) else {
            return false;
        };
        // Ours have the time of their making in their number; others begin when they are made, or a little earlier.
        let made_at = match authority {
            Authority::BuiltIn => identity_serial::made_at(&certificate.serial),
            Authority::Named => None,
        };
        made_at.unwrap_or(certificate.not_before_seconds as f64) <= *revoked_at
    }
}
