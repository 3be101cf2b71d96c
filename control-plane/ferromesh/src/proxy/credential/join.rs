//! A certificate that the control plane issues for a join token, and renews for the certificate before.
//!
//! The key is made here and never leaves this machine; the control plane sees a signing request. A certificate is renewed
//! when two thirds of its life are over, up to a tenth earlier, so that proxies which began together do not come together.

use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::{json, Value};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    kept::{digest, Kept},
    read_file, Material, Token, CA, LOOK, TOKEN_FILE,
};
use crate::{authority::private_file, proxy::settings::XdsEndpoint};

/// Where certificates are issued.
const PATH: &str = "/v1/identity/certificates";
/// No answer takes this long unless the control plane is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// The first pause after an attempt that failed; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A request says nothing but its key; whom the certificate is for is the control plane's word.
const COMMON_NAME: &str = "ferromesh proxy";

pub(super) async fn follow(
    ca: PathBuf,
    token: Token,
    state_folder: &Path,
    endpoints: &[XdsEndpoint],
    shutdown: CancellationToken,
) -> anyhow::Result<watch::Receiver<Arc<ClientConfig>>> {
    let urls: Vec<String> = endpoints.iter().filter_map(url).collect();
    anyhow::ensure!(
        !urls.is_empty(),
        "a join token is set, and none of the control plane's addresses is host:port: tokens are only taken over TLS"
    );
    private_file::make_folder(state_folder)?;
    let path = Kept::path(state_folder);
    let authorities = read_file(CA, &ca).await?;
    let mut kept = Kept::read(&path);
    if let (Some(known), Ok(token)) = (&kept, token.read().await) {
        if known.token_sha256 != digest(&token) {
            tracing::info!("the join token is another one: a certificate is asked for anew");
            kept = None;
        }
    }
    let kept = kept.filter(|kept| is_good(kept) && material(&authorities, Some(kept)).config().is_ok());
    let config = material(&authorities, kept.as_ref()).config()?;
    let (sender, receiver) = watch::channel(Arc::new(config));
    let joining = Joining {
        ca,
        authorities,
        token,
        path,
        urls,
        kept,
        sender,
    };
    tokio::spawn(joining.run(shutdown));
    Ok(receiver)
}

struct Joining {
    ca: PathBuf,
    authorities: Vec<u8>,
    token: Token,
    path: PathBuf,
    urls: Vec<String>,
    kept: Option<Kept>,
    sender: watch::Sender<Arc<ClientConfig>>,
}

/// What the control plane answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    certificate_chain: String,
}

impl Joining {
    async fn run(mut self, shutdown: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut not_before = Instant::now();
        let mut due = self.due();
        let mut told = String::new();
        loop {
            if due <= now() && not_before <= Instant::now() {
                let attempt = tokio::select! {
                    attempt = self.attempt() => attempt,
                    () = shutdown.cancelled() => return,
                };
                match attempt {
                    Ok(()) => {
                        pause = FIRST_PAUSE;
                        told.clear();
                        due = self.due();
                    }
                    Err(error) => {
                        let reason = format!("{error:#}");
                        if reason != told {
                            tracing::warn!(reason, "the control plane issues no certificate; it is asked again");
                            told = reason;
                        }
                        not_before = Instant::now() + pause.mul_f64(0.5 + fraction() / 2.0);
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
            let wake = tokio::time::sleep_until(not_before.max(Instant::now() + LOOK.min(pause)));
            tokio::select! {
                () = wake => {}
                () = shutdown.cancelled() => return,
                () = self.sender.closed() => return,
            }
            self.look_at_authorities().await;
        }
    }

    /// When to ask for the next certificate, in seconds since 1970.
    fn due(&self) -> i64 {
        let Some((from, until)) = self.kept.as_ref().and_then(Kept::life) else {
            return 0;
        };
        let life = (until - from).max(0);
        let early = Duration::from_secs(u64::try_from(life / 10).unwrap_or(0)).mul_f64(fraction());
        from + life / 3 * 2 - i64::try_from(early.as_secs()).unwrap_or(0)
    }

    async fn look_at_authorities(&mut self) {
        match read_file(CA, &self.ca).await {
            Ok(read) if read != self.authorities => match material(&read, self.kept.as_ref()).config() {
                Ok(config) => {
                    self.authorities = read;
                    self.sender.send_replace(Arc::new(config));
                    tracing::info!("{CA} has changed: connections use it from now on");
                }
                Err(error) => tracing::debug!(error = format!("{error:#}"), "the authorities before stay in use"),
            },
            Ok(_) => {}
            Err(error) => tracing::debug!(error = format!("{error:#}"), "the authorities before stay in use"),
        }
    }

    /// Renews, or joins where there is nothing to renew.
    async fn attempt(&mut self) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, COMMON_NAME);
        let csr = params.serialize_request(&key)?.pem()?;
        let current = self.kept.clone().filter(is_good);
        let mut renewal = None;
        if let Some(current) = &current {
            match self.ask(Some(current), &json!({ "csr": csr })).await {
                Ok(issued) => return self.take(issued, &key, current.token_sha256.clone()),
                Err(error) => renewal = Some(error),
            }
        }
        let joined = async {
            let token = self.token.read().await?;
            let issued = self.ask(None, &json!({ "csr": csr, "token": token })).await?;
            anyhow::Ok((issued, digest(&token)))
        };
        match (joined.await, renewal) {
            (Ok((issued, token)), _) => self.take(issued, &key, token),
            // While the certificate is good, the token may be used up: what went wrong is the renewal.
            (Err(_), Some(renewal)) => Err(renewal.context("renewal")),
            (Err(error), None) => Err(error),
        }
    }

    /// Asks one control plane after the other; one that refuses is not the last word while another may know better.
    async fn ask(&self, shown: Option<&Kept>, body: &Value) -> anyhow::Result<Issued> {
        let mut config = material(&self.authorities, shown).config()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .user_agent(concat!("ferromesh-proxy/", env!("CARGO_PKG_VERSION")))
            .timeout(TIME_LIMIT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .use_preconfigured_tls(config)
            .build()?;
        let mut first = None;
        for url in &self.urls {
            match ask_one(&client, url, body).await {
                Ok(issued) => return Ok(issued),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.context("there is no control plane to ask")?)
    }

    fn take(&mut self, issued: Issued, key: &KeyPair, token_sha256: String) -> anyhow::Result<()> {
        let kept = Kept {
            token_sha256,
            chain: issued.certificate_chain,
            key: key.serialize_pem(),
        };
        let config = material(&self.authorities, Some(&kept)).config()?;
        let (_, until) = kept.life().context("the answer holds no certificate")?;
        anyhow::ensure!(
            until > now(),
            "the certificate of the answer has expired: compare this machine's clock"
        );
        if let Err(error) = kept.write(&self.path) {
            tracing::warn!(%error, "the certificate is used and not kept: a restart takes a token");
        }
        self.kept = Some(kept);
        self.sender.send_replace(Arc::new(config));
        tracing::info!(
            not_after = until,
            "the control plane has issued a certificate for this proxy"
        );
        Ok(())
    }
}

async fn ask_one(client: &reqwest::Client, url: &str, body: &Value) -> anyhow::Result<Issued> {
    let sent = client.post(url).json(body).send().await;
    // The innermost error says what happened; the outer ones repeat the URL.
    let response = sent.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        anyhow::anyhow!("{url} cannot be reached: {cause}")
    })?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("{url}: no answer"))?;
    if !status.is_success() {
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = answer["message"].as_str().unwrap_or("no reason is given");
        anyhow::bail!("{url} answers {status}: {message}");
    }
    serde_json::from_str(&text).with_context(|| format!("{url}: the answer cannot be read"))
}

impl Token {
    async fn read(&self) -> anyhow::Result<String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => String::from_utf8(read_file(TOKEN_FILE, path).await?)
                .map_err(|_| anyhow::anyhow!("{TOKEN_FILE}: is not text"))?,
        };
        let text = text.trim();
        anyhow::ensure!(!text.is_empty(), "the join token is empty");
        Ok(text.to_owned())
    }
}

fn material(authorities: &[u8], kept: Option<&Kept>) -> Material {
    Material {
        ca: authorities.to_vec(),
        identity: kept.map(|kept| (kept.chain.clone().into_bytes(), kept.key.clone().into_bytes())),
    }
}

fn is_good(kept: &Kept) -> bool {
    kept.life().is_some_and(|(_, until)| until > now())
}

fn url(endpoint: &XdsEndpoint) -> Option<String> {
    match endpoint {
        XdsEndpoint::Tcp { host, port } if host.contains(':') => Some(format!("https://[{host}]:{port}{PATH}")),
        XdsEndpoint::Tcp { host, port } => Some(format!("https://{host}:{port}{PATH}")),
        XdsEndpoint::Unix(_) => None,
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A number from 0 up to 1 that is another each time.
fn fraction() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
