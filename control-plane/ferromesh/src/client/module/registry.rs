//! Images to and from a registry.

use std::{sync::Once, time::Duration};

use anyhow::{anyhow, bail, Context};
use bytes::Bytes;
use ferromesh_wasm_inspection::SIZE_LIMIT;
use http::HeaderValue;
use oci_client::{
    client::{ClientConfig, ClientProtocol},
    errors::{OciDistributionError, OciErrorCode},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
    Client, RegistryOperation,
};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::{
    credentials::Login,
    image::{self, Image},
    place::Place,
    unpack::{self, Layer},
};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest silence of a registry that is still at work: storing a layer takes it a moment.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// The flags that say how a registry is reached.
#[derive(Clone, Debug, clap::Args)]
pub struct Access {
    /// Speak http, without TLS; a registry on this machine (localhost, 127.x.x.x) is spoken to so anyway
    #[arg(long)]
    plain_http: bool,
    #[command(flatten)]
    login: Login,
}

/// A registry, seen from one image.
pub struct Registry {
    client: Client,
    auth: RegistryAuth,
    place: Place,
    scheme: &'static str,
}

/// What a registry has under a name.
#[derive(Debug)]
pub struct Pulled {
    /// The module's bytes.
    pub module: Bytes,
    /// `sha256:…` of the manifest.
    pub digest: String,
}

impl Registry {
    /// The registry of an image. Nothing is sent yet.
    ///
    /// # Errors
    /// Credentials that are asked for cannot be had.
    pub fn new(access: &Access, place: &Place) -> anyhow::Result<Self> {
        let plain = access.plain_http || place.is_local();
        let mut config = ClientConfig {
            protocol: if plain {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            connect_timeout: Some(CONNECT_LIMIT),
            read_timeout: Some(SILENCE_LIMIT),
            user_agent: concat!("ferromesh/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        if place.is_local() {
            // What is on this machine is not asked for through a proxy, whatever the environment says. The client
            // knows no other way to say so than a proxy of its own that is not for this machine.
            config.http_proxy = Some("http://localhost".to_owned());
            config.no_proxy = Some("localhost,127.0.0.0/8".to_owned());
        }
        install_cryptography();
        Ok(Self {
            client: Client::try_from(config).map_err(|error| anyhow!("cannot make a client: {error}"))?,
            auth: access.login.find(place)?,
            place: place.clone(),
            scheme: if plain { "http" } else { "https" },
        })
    }

    /// Sends an image and gives it the place's tag.
    ///
    /// # Errors
    /// The registry is out of reach or refuses.
    pub async fn push(&self, image: &Image) -> anyhow::Result<()> {
        let reference = self.place.reference();
        self.authorise(RegistryOperation::Push).await?;
        for blob in &image.blobs {
            let known = self.client.blob_exists(reference, &blob.digest).await;
            if !known.map_err(|error| self.explain(error))? {
                let pushed = self.client.push_blob(reference, blob.bytes.clone(), &blob.digest).await;
                pushed.map_err(|error| self.explain(error))?;
            }
        }
        let media_type = HeaderValue::from_static(image::MANIFEST);
        let pushed = self
            .client
            .push_manifest_raw(reference, image.manifest.clone(), media_type)
            .await;
        pushed.map_err(|error| self.explain(error))?;
        Ok(())
    }

    /// Fetches the module that the place has. Every byte is checked against the digests that name it.
    ///
    /// # Errors
    /// The registry is out of reach or refuses, or what it gives is no module or not what its digest says.
    pub async fn pull(&self) -> anyhow::Result<Pulled> {
        let reference = self.place.reference();
        let (manifest, digest) = self
            .client
            .pull_manifest_raw(reference, &self.auth, &unpack::MANIFESTS)
            .await
            .map_err(|error| self.explain(error))?;
        let actual = image::digest(&manifest);
        if actual != digest || self.place.digest().is_some_and(|expected| expected != actual) {
            bail!("the manifest's digest is {actual}, and not {digest} as it was named");
        }
        let layer = Layer::of(&manifest).with_context(|| self.place.to_string())?;
        let bytes = self.blob(&layer).await?;
        let module = layer.module(bytes).with_context(|| self.place.to_string())?;
        Ok(Pulled {
            module: module.into(),
            digest,
        })
    }

    async fn blob(&self, layer: &Layer) -> anyhow::Result<Vec<u8>> {
        let descriptor = OciDescriptor {
            digest: layer.digest.clone(),
            ..OciDescriptor::default()
        };
        let stream = self.client.pull_blob_stream(self.place.reference(), &descriptor).await;
        let stream = stream.map_err(|error| self.explain(error))?.stream;
        let mut bytes = Vec::new();
        StreamReader::new(stream)
            .take(SIZE_LIMIT as u64 + 1)
            .read_to_end(&mut bytes)
            .await
            .with_context(|| format!("layer {} of {}", layer.digest, self.place))?;
        let actual = image::digest(&bytes);
        if actual != layer.digest {
            bail!(
                "layer {} of {} has other bytes: their digest is {actual}",
                layer.digest,
                self.place
            );
        }
        Ok(bytes)
    }

    /// Makes the registry's refusal of our credentials, or its absence, the first error that there is.
    async fn authorise(&self, operation: RegistryOperation) -> anyhow::Result<()> {
        let answer = self.client.auth(self.place.reference(), &self.auth, operation).await;
        answer.map_err(|error| self.explain(error))?;
        Ok(())
    }

    /// What went wrong, in words that name the registry and hold no address with tokens in it.
    fn explain(&self, error: OciDistributionError) -> anyhow::Error {
        let registry = format!("{}://{}", self.scheme, self.place.registry());
        match error {
            OciDistributionError::RequestError(error) => match error.status().map(|status| status.as_u16()) {
                Some(401 | 403) => self.unwelcome(&registry),
                Some(code) => anyhow!("the registry at {registry} answers {code}"),
                None => anyhow!("the registry at {registry} cannot be reached: {}", root_cause(&error)),
            },
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_)
            | OciDistributionError::ServerError { code: 403, .. } => self.unwelcome(&registry),
            OciDistributionError::RegistryError { envelope, .. } => {
                let is_missing = |code: &OciErrorCode| {
                    matches!(
                        code,
                        OciErrorCode::ManifestUnknown
                            | OciErrorCode::NotFound
                            | OciErrorCode::NameUnknown
                            | OciErrorCode::BlobUnknown
                    )
                };
                let is_unwelcome =
                    |code: &OciErrorCode| matches!(code, OciErrorCode::Denied | OciErrorCode::Unauthorized);
                if envelope.errors.iter().any(|error| is_unwelcome(&error.code)) {
                    return self.unwelcome(&registry);
                }
                if envelope.errors.iter().any(|error| is_missing(&error.code)) {
                    return anyhow!("the registry at {registry} has no {}", self.place);
                }
                let reasons: Vec<_> = envelope
                    .errors
                    .iter()
                    .map(|error| format!("{:?}: {}", error.code, error.message))
                    .collect();
                anyhow!(
                    "the registry at {registry} refuses {}: {}",
                    self.place,
                    reasons.join("; ")
                )
            }
            OciDistributionError::ServerError { code: 404, .. }
            | OciDistributionError::ImageManifestNotFoundError(_) => {
                anyhow!("the registry at {registry} has no {}", self.place)
            }
            OciDistributionError::ServerError { code, message, .. } => {
                let message: String = message.trim().chars().take(200).collect();
                anyhow!("the registry at {registry} answers {code}: {message:?}")
            }
            OciDistributionError::DigestError(error) => anyhow!("{}: {error}", self.place),
            other => anyhow!("the registry at {registry}, for {}: {other}", self.place),
        }
    }

    fn unwelcome(&self, registry: &str) -> anyhow::Error {
        let who = match &self.auth {
            RegistryAuth::Basic(username, _) => format!("user {username:?}"),
            _ => "nobody in particular: log in with docker, or use --username and --password-stdin".to_owned(),
        };
        anyhow!("the registry at {registry} does not let us at {} as {who}", self.place)
    }
}

/// The provider of cryptography for TLS, for the whole process; once, because a second one is an error.
fn install_cryptography() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The innermost error says what happened; the outer ones repeat the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
