//! Certificates from files, or none: read again when a file changes.

use std::{path::PathBuf, sync::Arc};

use rustls::ClientConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{read_file, Material, CA, CERTIFICATE, KEY, LOOK};

struct Files {
    ca: PathBuf,
    /// Chain and key.
    identity: Option<(PathBuf, PathBuf)>,
}

impl Files {
    async fn read(&self) -> anyhow::Result<Material> {
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => Some((read_file(CERTIFICATE, certificate).await?, read_file(KEY, key).await?)),
        };
        let ca = read_file(CA, &self.ca).await?;
        Ok(Material { ca, identity })
    }
}

pub(super) async fn follow(
    ca: PathBuf,
    identity: Option<(PathBuf, PathBuf)>,
    shutdown: CancellationToken,
) -> anyhow::Result<watch::Receiver<Arc<ClientConfig>>> {
    let files = Files { ca, identity };
    let mut material = files.read().await?;
    let (sender, receiver) = watch::channel(Arc::new(material.config()?));
    tokio::spawn(async move {
        let mut told = String::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
                () = sender.closed() => return,
            }
            let made = match files.read().await {
                Ok(read) if read == material => Ok(None),
                Ok(read) => read.config().map(|config| Some((read, config))),
                Err(error) => Err(error),
            };
            match made {
                Ok(None) => told.clear(),
                Ok(Some((read, config))) => {
                    material = read;
                    told.clear();
                    sender.send_replace(Arc::new(config));
                    tracing::info!("the proxy's certificate files have changed: connections use them from now on");
                }
                Err(error) => {
                    // Once, however long it stays wrong. A pair that is being replaced does not fit for a moment.
                    let reason = format!("{error:#}");
                    if reason != told {
                        tracing::warn!(reason, "the proxy's certificate before stays in use");
                        told = reason;
                    }
                }
            }
        }
    });
    Ok(receiver)
}
