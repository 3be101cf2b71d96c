//! `ferromesh serve`: the control plane. One port for the App Mesh API, our own API, modules and xDS.

mod dispatch;
mod explainer;
pub mod modules;
pub mod settings;
mod status;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use ferromesh_api::{ApiConfig, ApiState};
use ferromesh_store::{key, RedbStore, Store};
use ferromesh_xds::DeliveryStatus;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Listener,
    authority::Authority,
    certificates::{keyring::Keyring, Vault},
    exit::Exit,
    proxy::bootstrap::XDS_CLUSTER,
    publisher::{self, Publisher},
    rollback::Court,
    server::{self, Limits},
    termination::Termination,
};
use explainer::Simulator;
use modules::Found;
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
        Ok(config) => config,
        Err(error) => return Ok(Exit::usage([error])),
    };
    let mut termination = Termination::listen().context("cannot listen for signals")?;
    let store = open_store(&settings).await?;
    let found = modules::find(settings.modules.as_deref())?;
    let authority = Arc::new(open_authority(&settings).await?);
    let (vault, keyring) = open_vault(&settings, &store, &authority).await?;

    let lowering = ferromesh_ir::Options {
        reports_to: Some(XDS_CLUSTER.to_owned()),
        ..ferromesh_ir::Options::default()
    };
    let publisher = Publisher::new(
        Arc::clone(&store),
        publisher::Settings {
            account: settings.account.clone(),
            lowering: lowering.clone(),
            modules: found.for_emission(),
            emission: ferromesh_emit::Options {
                failure: settings.failure,
            },
            authority,
            keyring,
        },
    );
    let delivery = Arc::new(DeliveryStatus::default());
    let xds = ferromesh_xds::service(
        Arc::new(publisher.clone()),
        Arc::clone(&delivery) as Arc<_>,
        ferromesh_xds::Config::default(),
    );
    let status = Arc::new(Status::new(publisher.clone(), delivery, xds.clone()));
    let court = Arc::new(Court::new(
        Arc::clone(&store),
        Arc::new(publisher.clone()),
        settings.account.clone(),
    ));
    let state = ApiState {
        config: api_config,
        modules: Arc::new(found.for_download()),
        proxies: Arc::clone(&status) as Arc<_>,
        comparisons: Arc::clone(&court) as Arc<_>,
        certificates: Arc::new(vault),
        explainer: Arc::new(Simulator::new(lowering)),
        metrics: vec![status, court],
        ..ApiState::new(Arc::clone(&store))
    };
    let dispatch = dispatch::Dispatch::new(ferromesh_api::routes(state), xds.clone());

    let shutdown = CancellationToken::new();
    let mut servers = JoinSet::new();
    for address in &settings.listen {
        let listener = Listener::bind(address).await?;
        tracing::info!(
            url = listener.address()?.url(),
            serves = "App Mesh API /v20190125, own API /v1, xDS (gRPC), /modules, /livez, /readyz, /metrics",
            version = env!("CARGO_PKG_VERSION"),
            data = %settings.data.display(),
            revision = store.revision()?,
            modules = found.names(),
            account = settings.account,
            region = settings.region,
            "listening"
        );
        let dispatch = dispatch.clone();
        let answer = move |request| dispatch.clone().answer(request);
        servers.spawn(server::run(listener, answer, limits(), shutdown.clone()));
    }
    let publishing = tokio::spawn(publisher.run(shutdown.clone()));

    termination.asked().await;
    tracing::info!(streams = xds.streams(), "shutting down");
    // Streams first: a proxy that is told to go reconnects elsewhere, or here once there is somebody again.
    xds.drain();
    shutdown.cancel();
    let ended = async {
        while servers.join_next().await.is_some() {}
        // A panic in it has been printed.
        let _ = publishing.await;
    };
    tokio::select! {
        () = ended => {}
        () = termination.asked() => tracing::warn!("second signal: open connections are cut"),
    }
    tracing::info!("stopped");
    Ok(Exit::Success)
}

fn limits() -> Limits {
    Limits {
        // An Envoy opens one stream, or two while it reconnects; clients of the API a few at a time.
        streams: 64,
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let folder = settings.data.clone();
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<Arc<dyn Store>> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("--data: cannot make the folder {}", folder.display()))?;
        let store = RedbStore::open(folder.join("ferromesh.redb"))
            .with_context(|| format!("--data: cannot open the store in {}", folder.display()))?;
        Ok(Arc::new(store))
    });
    opened.await.context("opening the store was interrupted")?
}

async fn open_authority(settings: &Settings) -> anyhow::Result<Authority> {
    let folder = settings.data.join("certificates");
    let opened = tokio::task::spawn_blocking(move || Authority::open(&folder, SystemTime::now()));
    let opened = opened
        .await
        .context("opening the certificate authority was interrupted")?;
    opened.context("--data: cannot open the built-in certificate authority")
}

/// The keys that seal imported ones. Once something was imported, a lost file is not replaced by another.
async fn open_vault(
    settings: &Settings,
    store: &Arc<dyn Store>,
    authority: &Arc<Authority>,
) -> anyhow::Result<(Vault, Arc<Keyring>)> {
    let named = settings.secret_key_file.clone();
    let path = named
        .clone()
        .unwrap_or_else(|| settings.data.join("certificates/secret.key"));
    let (store, authority) = (Arc::clone(store), Arc::clone(authority));
    let opened = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let is_first = store.list(key::CERTIFICATES, None, Some(1))?.entries.is_empty();
        let keyring = Keyring::open_file(&path, named.is_none() && is_first);
        let keyring = Arc::new(keyring.context("--secret-key-file: cannot open the keys of imported certificates")?);
        let vault = Vault::new(store, Arc::clone(&keyring), authority);
        let count = vault.seal_anew()?;
        if count > 0 {
            tracing::info!(
                count,
                "imported keys sealed anew with the first key of the secret key file"
            );
        }
        Ok((vault, keyring))
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
