//! Which proxies are let in, and what vouches for them: the guard as the settings want it.

use std::sync::Arc;

use anyhow::Context;
use ferromesh_api::SystemClock;
use ferromesh_store::Store;
use ferromesh_xds::SnapshotSource;
use tokio::sync::watch;

use super::settings::{ProxyIdentity, Settings};
use crate::{
    authority::Authority,
    guard::{
        self,
        counts::Counts,
        issuer::Issuer,
        naming::Naming,
        vouch::{Nobody, Vouch},
        Guard, MostEnvoys, Requirement,
    },
};

/// The identities of proxies at this server.
pub(super) fn naming(settings: &Settings) -> anyhow::Result<Naming> {
    let templates = settings.spiffe_id_templates.clone();
    Ok(Naming::new(
        settings.account.as_str(),
        settings.trust_domain.as_str(),
        templates,
    )?)
}

/// The guard around a source. `vouch` is missing at a server without TLS, where nobody shows a certificate.
pub(super) async fn guard(
    settings: &Settings,
    inner: Arc<dyn SnapshotSource>,
    store: &Arc<dyn Store>,
    vouch: Option<watch::Receiver<Arc<dyn Vouch>>>,
    counts: Arc<Counts>,
) -> anyhow::Result<Guard> {
    let guarded = guard::Settings {
        requirement: match settings.proxy_identity {
            Some(ProxyIdentity::Optional) => Requirement::Optional,
            Some(ProxyIdentity::Required) | None => Requirement::Required,
        },
        naming: naming(settings)?,
        most: MostEnvoys {
            virtual_node: settings.quotas.envoys_per_virtual_node,
            virtual_gateway: settings.quotas.envoys_per_virtual_gateway,
        },
        vouch: vouch.unwrap_or_else(|| watch::Sender::new(Arc::new(Nobody) as Arc<dyn Vouch>).subscribe()),
        clock: Arc::new(SystemClock),
        counts,
    };
    if settings.proxy_identity == Some(ProxyIdentity::Optional) {
        tracing::warn!(
            "--proxy-identity optional: whoever reaches this server gets the configuration of any proxy that they say they are"
        );
    }
    let store = Arc::clone(store);
    let made = tokio::task::spawn_blocking(move || Guard::new(inner, store, guarded));
    let made = made.await.context("reading revocations was interrupted")?;
    made.context("revocations cannot be read")
}

/// Whether a proxy without a certificate is believed on a listener over TLS, because only this machine reaches it.
pub(super) fn believes_local(settings: &Settings) -> bool {
    settings.proxy_identity != Some(ProxyIdentity::Required)
}

/// Issues certificates to proxies.
pub(super) fn issuer(settings: &Settings, authority: &Arc<Authority>) -> anyhow::Result<Issuer> {
    Ok(Issuer::new(
        Arc::clone(authority),
        naming(settings)?,
        settings.proxy_certificate_life,
    ))
}
