//! `ferromesh serve`: the control plane. One port for the App Mesh API, our own API, modules and xDS.

pub(crate) mod admission;
mod alarm;
pub mod audit_limits;
mod dispatch;
mod explainer;
mod listen;
pub mod modules;
mod preview;
mod proxies;
mod rollout_flags;
pub mod settings;
mod status;
mod stream_flags;
pub mod tls;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use ferromesh_api::{ApiConfig, ApiState, Audit};
use ferromesh_store::{key, Store, StoreError};
use ferromesh_xds::DeliveryStatus;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Listener,
    authority::{leaves::Leaves, private_file, shared, Authority},
    certificates::{keyring::Keyring, Vault},
    exit::Exit,
    modules::{verdicts, Catalogue, TrustedKeys},
    proxy::bootstrap::XDS_CLUSTER,
    publisher::{self, Publisher},
    rollback::Court,
    rollout::{events::Events, Rollout},
    server::{self, Limits},
    sharing::Sharing,
    store::{self, StoreMetrics},
    termination::Termination,
};
use alarm::Alarm;
use explainer::Simulator;
use modules::Found;
use preview::Preview;
pub use settings::Arguments;
use settings::Settings;
use status::Status;

/// Runs the command.
///
/// # Errors
/// What kept the control plane from running.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = match Settings::read(arguments) {
        Ok(settings) => settings,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    let api_config = match ApiConfig::try_new(settings.region.clone(), settings.account.clone()) {
        Ok(config) => ApiConfig {
            quotas: settings.quotas,
            audit: settings.audit,
            ..config
        },
        Err(error) => return Ok(Exit::usage([error])),
    };
    let mut termination = Termination::listen().context("cannot listen for signals")?;
    let store = open_store(&settings).await?;
    let found = modules::find(settings.modules.as_deref())?;
    let catalogue = open_catalogue(&settings, &store, &found).await?;
    let keyring = open_keyring(&settings, &store).await?;
    let authority = Arc::new(open_authority(&settings, &store, &keyring).await?);
    let vault = open_vault(&store, &keyring, &authority).await?;
    let admission = {
        let (settings, store, keyring) = (settings.clone(), Arc::clone(&store), Arc::clone(&keyring));
        let decided = tokio::task::spawn_blocking(move || admission::decide(&settings, store.as_ref(), keyring));
        decided.await.context("opening the key table was interrupted")??
    };
    let shutdown = CancellationToken::new();
    let refusals = Arc::default();
    let tls = match settings.listen.iter().any(|listen| listen.is_tls) {
        true => {
            let addresses: Vec<_> = settings.listen.iter().map(|listen| listen.address.clone()).collect();
            Some(
                tls::start(
                    settings.tls.clone(),
                    &addresses,
                    Arc::clone(&authority),
                    Arc::clone(&refusals),
                    shutdown.clone(),
                )
                .await?,
            )
        }
        false => None,
    };
    let (tls, vouch) = tls.map(|followed| (followed.tls, followed.vouch)).unzip();
    let issuer = proxies::issuer(&settings, &authority)?;

    let lowering = ferromesh_ir::Options {
        reports_to: Some(XDS_CLUSTER.to_owned()),
        trust_domain: settings.trust_domain.clone(),
        ..ferromesh_ir::Options::default()
    };
    let publisher = Publisher::new(
        Arc::clone(&store),
        publisher::Settings {
            account: settings.account.clone(),
            lowering: lowering.clone(),
            modules: found.for_emission(),
            catalogue: Some(Arc::clone(&catalogue)),
            emission: ferromesh_emit::Options {
                failure: settings.failure,
            },
            authority,
            keyring,
            pool: Arc::default(),
        },
    );
    let delivery = Arc::new(DeliveryStatus::default());
    let events = Arc::new(Events::new(settings.account.clone()));
    let rollout = Rollout::new(
        Arc::new(publisher.clone()),
        Arc::clone(&store),
        settings.rollout.clone(),
        Arc::clone(&events),
    );
    let sharing = Sharing::new(Arc::new(rollout.clone()), Arc::clone(&store), settings.account.clone());
    let guard = proxies::guard(&settings, Arc::new(sharing.clone()), &store, vouch, refusals).await?;
    let xds = ferromesh_xds::service(
        Arc::new(guard.clone()),
        Arc::new((Arc::clone(&delivery), (rollout.clone(), Arc::clone(&events)))),
        settings.streams.config(),
    );
    let alarm = Alarm::new(Arc::clone(&delivery), Arc::clone(&events), settings.account.clone());
    let status = Arc::new(Status::new(publisher.clone(), rollout.clone(), delivery, xds.clone()));
    let court = Arc::new(Court::new(
        Arc::clone(&store),
        Arc::new(publisher.clone()),
        settings.account.clone(),
    ));
    let state = ApiState {
        config: api_config,
        modules: Arc::new(found.for_download()),
        module_sets: Arc::clone(&catalogue) as Arc<_>,
        proxies: Arc::clone(&status) as Arc<_>,
        comparisons: Arc::clone(&court) as Arc<_>,
        rollouts: Arc::new(rollout.clone()),
        events,
        certificates: Arc::new(vault),
        identities: Arc::new(issuer),
        previewer: Arc::new(
            Preview::new(
                Arc::clone(&store),
                lowering.clone(),
                &found.for_emission(),
                ferromesh_emit::Options {
                    failure: settings.failure,
                },
            )
            .choosing_from(Arc::clone(&catalogue), settings.account.clone()),
        ),
        explainer: Arc::new(Simulator::new(lowering)),
        admission,
        audit: Audit::On,
        metrics: vec![
            status,
            court,
            Arc::new(rollout.clone()),
            Arc::new(alarm.clone()),
            Arc::new(guard.clone()),
            Arc::new(StoreMetrics(Arc::clone(&store))),
        ],
        ..ApiState::new(Arc::clone(&store))
    };
    let dispatch = dispatch::Dispatch::new(ferromesh_api::routes(state), xds.clone(), guard.clone());

    let limits = limits();
    let mut servers = JoinSet::new();
    for listen in &settings.listen {
        let listener = Listener::bind(&listen.address).await?;
        tracing::info!(
            url = listen.url(&listener.address()?),
            serves = "App Mesh API /v20190125, own API /v1, xDS (gRPC), /modules, /livez, /readyz, /metrics",
            version = env!("CARGO_PKG_VERSION"),
            data = %settings.data.display(),
            revision = store.revision()?,
            modules = found.names(),
            account = settings.account,
            region = settings.region,
            "listening"
        );
        let is_local = listen.address.is_local() && proxies::believes_local(&settings);
        let dispatch = dispatch.clone().on_local(is_local);
        let answer = move |request| dispatch.clone().answer(request);
        let tls = tls.clone().filter(|_| listen.is_tls);
        servers.spawn(server::run_with(
            listener,
            tls,
            answer,
            limits.clone(),
            shutdown.clone(),
        ));
    }
    let publishing = tokio::spawn(publisher.run(shutdown.clone()));
    // Before the first verdict.
    tokio::spawn(verdicts::follow(catalogue, rollout.verdicts(), shutdown.clone()));
    let rolling = tokio::spawn(rollout.clone().run(shutdown.clone()));
    tokio::spawn(alarm.run(shutdown.clone()));
    tokio::spawn(sharing.run(shutdown.clone()));
    tokio::spawn(guard.run(shutdown.clone()));

    termination.asked().await;
    tracing::info!(streams = xds.streams(), "shutting down");
    // A store that does not answer must not keep anybody here.
    let _ = tokio::time::timeout(Duration::from_secs(1), rollout.write_down()).await;
    // Streams first: a proxy that is told to go reconnects elsewhere, or here once there is somebody again.
    xds.drain();
    shutdown.cancel();
    let ended = async {
        while servers.join_next().await.is_some() {}
        // A panic in them has been printed.
        let _ = publishing.await;
        let _ = rolling.await;
    };
    termination.asked_again_or(ended).await;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

fn limits() -> Limits {
    Limits {
        // An Envoy opens one stream, or two while it reconnects; clients of the API a few at a time.
        streams: 64,
        connections: server::descriptors::for_connections(Limits::default().connections),
        discovery: Some(server::streams::Budget::default()),
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let (choice, folder) = (settings.store.clone(), settings.data.clone());
    let opened = tokio::task::spawn_blocking(move || store::open(&choice, &folder));
    opened.await.context("opening the store was interrupted")?
}

/// The keys that seal what is secret in the store. Once something is sealed there, a lost file is not replaced by another.
async fn open_keyring(settings: &Settings, store: &Arc<dyn Store>) -> anyhow::Result<Arc<Keyring>> {
    let named = settings.secret_key_file.clone();
    let path = named
        .clone()
        .unwrap_or_else(|| settings.data.join("certificates/secret.key"));
    let store = Arc::clone(store);
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let mut is_first = store.get(shared::KEY)?.is_none();
        for sealed in [key::CERTIFICATES, key::ACCESS_KEYS] {
            is_first &= store.list(sealed, None, Some(1))?.entries.is_empty();
        }
        if let Some(folder) = path.parent().filter(|_| named.is_none()) {
            private_file::make_folder(folder)?;
        }
        let keyring = Keyring::open_file(&path, named.is_none() && is_first);
        Ok(Arc::new(keyring.context(
            "--secret-key-file: cannot open the keys that seal what is secret in the store",
        )?))
    });
    opened.await.context("opening the secret keys was interrupted")?
}

/// The module sets. What is in the store is looked at now, so that it is known before a proxy asks.
async fn open_catalogue(settings: &Settings, store: &Arc<dyn Store>, found: &Found) -> anyhow::Result<Arc<Catalogue>> {
    let (named, store, found) = (settings.module_keys.clone(), Arc::clone(store), found.clone());
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let keys = TrustedKeys::read(named.iter().map(String::as_str)).context("--module-key")?;
        tracing::info!(
            keys = keys.ids().join(","),
            "{}",
            match keys.are_asked_for() {
                true => "added modules must be signed by one of these keys",
                false =>
                    "added modules need no signature: who holds the role admin is believed; --module-key asks for one",
            }
        );
        let catalogue = Catalogue::new(store, &found, keys);
        match catalogue.sweep() {
            Ok(0) => {}
            Ok(parts) => tracing::info!(parts, "parts of modules that no set names were removed"),
            // Another control plane adds a set at this moment; or the next start does it.
            Err(error @ (StoreError::Conflict(_) | StoreError::Unavailable(_))) => {
                tracing::warn!(%error, "parts of modules that no set names are not removed");
            }
            Err(error) => return Err(error.into()),
        }
        catalogue.review()?;
        Ok(Arc::new(catalogue))
    });
    opened.await.context("opening the module sets was interrupted")?
}

async fn open_authority(
    settings: &Settings,
    store: &Arc<dyn Store>,
    keyring: &Arc<Keyring>,
) -> anyhow::Result<Authority> {
    let folder = settings.data.join("certificates");
    let (store, keyring) = (Arc::clone(store), Arc::clone(keyring));
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let now = SystemTime::now();
        shared::share(&folder, store.as_ref(), &keyring, now)?;
        let leaves = Leaves::new(store, keyring);
        Ok(Authority::open(&folder, now)?.sharing(leaves)?)
    });
    let opened = opened
        .await
        .context("opening the certificate authority was interrupted")?;
    opened.context("cannot open the built-in certificate authority")
}

/// What was imported; sealed anew when the first key is another.
async fn open_vault(
    store: &Arc<dyn Store>,
    keyring: &Arc<Keyring>,
    authority: &Arc<Authority>,
) -> anyhow::Result<Vault> {
    let vault = Vault::new(Arc::clone(store), Arc::clone(keyring), Arc::clone(authority));
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        match vault.seal_anew() {
            Ok(0) => {}
            Ok(count) => tracing::info!(
                count,
                "imported keys sealed anew with the first key of the secret key file"
            ),
            // Another control plane does it at this moment; or the next start does.
            Err(error @ (StoreError::Conflict(_) | StoreError::Unavailable(_))) => {
                tracing::warn!(%error, "imported keys are not sealed anew");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(vault)
    });
    opened
        .await
        .context("opening the imported certificates was interrupted")?
}

impl Found {
    fn names(&self) -> String {
        let names: Vec<&str> = self.modules.iter().map(|module| module.name.as_str()).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        }
    }
}
