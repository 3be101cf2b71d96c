//! What `ferromesh serve` was asked to do: flags, then the configuration file, then defaults.

use std::{path::PathBuf, time::Duration};

use ferromesh_api::AuditLimits;
use ferromesh_emit::FailurePolicy;
use ferromesh_model::validate::Quotas;
use serde::Deserialize;

use super::{
    audit_limits::{self, AuditFile, AuditFlags},
    listen::Listen,
    rollout_flags::{self, RolloutFile, RolloutFlags},
    stream_flags::{self, StreamFile, StreamFlags, StreamSettings},
    tls::{Identity, TlsSettings},
};
use crate::{
    address::Address,
    config_file,
    guard::naming::{Naming, Template},
    store::{self, Choice},
};

/// The flags of `ferromesh serve`. Each goes before its member in the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Address to listen on: IP:PORT, https://IP:PORT or unix:///PATH; may be given several times. What other machines reach
    /// speaks TLS [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Listen>,
    /// PEM file with the server's certificate, followed by those that lead to its authority; read again when it changes
    /// [default: one that the built-in authority issues, whose own is certificates/root.pem in the data folder]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with the key of --tls-certificate
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Name or address that clients use, for the certificate of the built-in authority; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "tls_certificate")]
    tls_name: Vec<String>,
    /// PEM file of authorities that may vouch for clients, beside the built-in one
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Let everybody in who reaches the server, as long as there is no key
    #[arg(long)]
    allow_anonymous: bool,
    /// Whether a proxy that comes over TLS must show a certificate with its SPIFFE identity [default: required where other
    /// machines reach the server]
    #[arg(long, value_enum, value_name = "WHETHER")]
    proxy_identity: Option<ProxyIdentity>,
    /// Trust domain of the SPIFFE identities that the built-in authority issues [default: ferromesh.local]
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// SPIFFE identity of proxies as the authorities of --client-ca issue it, such as spiffe://example.org/ns/{mesh}/sa/{name};
    /// may be given several times [default: the same as the built-in authority]
    #[arg(long, value_name = "TEMPLATE")]
    spiffe_id_template: Vec<String>,
    /// Hours that a proxy's certificate of the built-in authority is good for, 1 to 720 [default: 24]
    #[arg(long, value_name = "HOURS")]
    proxy_certificate_hours: Option<u32>,
    /// Folder that holds all state
    #[arg(long, value_name = "DIR", env = "FERROMESH_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    store: store::StoreFlags,
    #[command(flatten)]
    audit: AuditFlags,
    #[command(flatten)]
    rollout: RolloutFlags,
    #[command(flatten)]
    streams: StreamFlags,
    /// YAML file with the same settings: listen, tlsCertificate, tlsKey, tlsNames, clientCa, allowAnonymous, proxyIdentity, trustDomain, spiffeIdTemplates, proxyCertificateHours, data, store, etcd, secretKeyFile, modules, moduleKeys, account, region, failurePolicy, quotas, audit, rollout, streams, reloadBackOffMillis
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File with the keys that imported private keys are sealed with [default: certificates/secret.key in the data folder,
    /// made if it is not there]
    #[arg(long, value_name = "FILE", env = "FERROMESH_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    /// Folder with the filter modules [default: FERROMESH_MODULES, then modules beside this program or one folder up]
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// minisign public key, or its file, that added modules must be signed by; may be given several times, so that one key can
    /// follow another. Without any, whoever may add modules is believed
    #[arg(long, value_name = "FILE|KEY")]
    module_key: Vec<String>,
    /// Account that owns all meshes, 12 digits [default: 123456789012]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Region in ARNs [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What happens to requests when a filter's VM has died: reload makes it anew, open passes them without it
    #[arg(long, value_enum, value_name = "POLICY")]
    failure_policy: Option<Failure>,
    /// Allow no more resources than App Mesh allowed a new account; quotas in the configuration file go before
    #[arg(long)]
    app_mesh_quotas: bool,
}

/// What happens to requests when a filter's VM has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The VM is made anew.
    Reload,
    /// Requests pass without the filter.
    Open,
}

/// Whether a proxy that comes over TLS must show who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum ProxyIdentity {
    /// Always.
    Required,
    /// One without a certificate is believed.
    Optional,
}

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    listen: Vec<Listen>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    #[serde(default)]
    tls_names: Vec<String>,
    client_ca: Option<PathBuf>,
    #[serde(default)]
    allow_anonymous: bool,
    proxy_identity: Option<ProxyIdentity>,
    trust_domain: Option<String>,
    #[serde(default)]
    spiffe_id_templates: Vec<String>,
    proxy_certificate_hours: Option<u32>,
    data: Option<PathBuf>,
    store: Option<String>,
    #[serde(default)]
    etcd: store::EtcdFile,
    secret_key_file: Option<PathBuf>,
    modules: Option<PathBuf>,
    #[serde(default)]
    module_keys: Vec<String>,
    account: Option<String>,
    region: Option<String>,
    failure_policy: Option<Failure>,
    /// Most resources of each kind: `{meshes: 15, virtualNodes: 200, …}`; what is not named is not limited.
    quotas: Option<Quotas>,
    #[serde(default)]
    audit: AuditFile,
    #[serde(default)]
    rollout: RolloutFile,
    #[serde(default)]
    streams: StreamFile,
    /// Least milliseconds between two attempts to make a dead VM anew, 5 to 60,000.
    reload_back_off_millis: Option<u64>,
}

/// Everything that is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where to listen, one address at least.
    pub listen: Vec<Listen>,
    /// TLS of those addresses that speak it.
    pub tls: TlsSettings,
    /// Whether everybody is let in as long as there is no key, from other machines too.
    pub allow_anonymous: bool,
    /// Whether a proxy that comes over TLS must show who it is; `None`: where other machines reach the server.
    pub proxy_identity: Option<ProxyIdentity>,
    /// Trust domain of the identities that the built-in authority issues: a host name in lower case.
    pub trust_domain: String,
    /// Identities of proxies as other authorities issue them; none: as the built-in one does.
    pub spiffe_id_templates: Vec<Template>,
    /// How long a proxy's certificate of the built-in authority is good for.
    pub proxy_certificate_life: Duration,
    /// Folder of the state.
    pub data: PathBuf,
    /// Where everything is kept.
    pub store: Choice,
    /// File of the keys that seal imported ones, if it was named.
    pub secret_key_file: Option<PathBuf>,
    /// Folder of the modules, if it was named.
    pub modules: Option<PathBuf>,
    /// Keys that added modules must be signed by, or their files.
    pub module_keys: Vec<String>,
    /// Account that owns all meshes.
    pub account: String,
    /// Region in ARNs.
    pub region: String,
    /// What happens to requests when a filter's VM has died.
    pub failure: FailurePolicy,
    /// Most resources of each kind.
    pub quotas: Quotas,
    /// How much of the audit record is kept.
    pub audit: AuditLimits,
    /// How changes reach proxies.
    pub rollout: crate::rollout::Settings,
    /// How long discovery streams last.
    pub streams: StreamSettings,
}

/// Envoy 1.40 dies of 1 ms; from 5 ms on one bad request a second costs 1.5 % of the others.
const BACK_OFF_MILLIS: std::ops::RangeInclusive<u64> = 5..=60_000;

/// A day is enough for every control plane to be away over night, and short enough for what was forgotten to revoke.
const CERTIFICATE_HOURS: u32 = 24;
const CERTIFICATE_HOURS_RANGE: std::ops::RangeInclusive<u32> = 1..=720;

impl Settings {
    /// Puts flags, file and defaults together.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(arguments: Arguments) -> Result<Self, Vec<String>> {
        let file: File = config_file::read(arguments.config.as_deref()).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut listen = config_file::listed(arguments.listen, file.listen);
        if listen.is_empty() {
            listen.push(Listen {
                address: Address::Tcp(([127, 0, 0, 1], 8080).into()),
                is_tls: false,
            });
        }
        problems.extend(listen.iter().filter_map(Listen::problem));
        let certificate = arguments.tls_certificate.or(file.tls_certificate);
        let identity = match (certificate, arguments.tls_key.or(file.tls_key)) {
            (Some(certificate), Some(key)) => Identity::Files { certificate, key },
            (None, None) => Identity::Issued {
                names: [arguments.tls_name, file.tls_names].concat(),
            },
            _ => {
                problems.push("tlsCertificate and tlsKey go together: one of them is missing".to_owned());
                Identity::Issued { names: Vec::new() }
            }
        };
        let trust_domain = arguments.trust_domain.or(file.trust_domain);
        let trust_domain = trust_domain.unwrap_or_else(|| ferromesh_ir::Options::default().trust_domain);
        let mut spiffe_id_templates = Vec::new();
        for text in config_file::listed(arguments.spiffe_id_template, file.spiffe_id_templates) {
            match text.parse::<Template>() {
                Ok(template) => spiffe_id_templates.push(template),
                Err(error) => problems.push(format!("spiffeIdTemplates: {error}")),
            }
        }
        if let Err(error) = Naming::new("", trust_domain.as_str(), Vec::new()) {
            problems.push(format!("trustDomain: {error}"));
        }
        let hours = arguments.proxy_certificate_hours.or(file.proxy_certificate_hours);
        let hours = hours.unwrap_or(CERTIFICATE_HOURS);
        if !CERTIFICATE_HOURS_RANGE.contains(&hours) {
            let (least, most) = (CERTIFICATE_HOURS_RANGE.start(), CERTIFICATE_HOURS_RANGE.end());
            problems.push(format!("proxyCertificateHours is {hours}: expected {least} to {most}"));
        }
        let store = Choice::decide(arguments.store, file.store, file.etcd).unwrap_or_else(|wrong| {
            problems.extend(wrong);
            Choice::Redb
        });
        let secret_key_file = arguments.secret_key_file.or(file.secret_key_file);
        if store.is_shared() && secret_key_file.is_none() {
            problems.push(
                "--secret-key-file is missing: all control planes over one store need the same, it seals what they share"
                    .to_owned(),
            );
        }
        let data = arguments.data.or(file.data).unwrap_or_else(|| {
            problems.push("--data DIR is missing: it says where all state is kept".to_owned());
            PathBuf::new()
        });
        let back_off = file.reload_back_off_millis.unwrap_or(10);
        if !BACK_OFF_MILLIS.contains(&back_off) {
            problems.push(format!(
                "reloadBackOffMillis is {back_off}: expected {} to {}",
                BACK_OFF_MILLIS.start(),
                BACK_OFF_MILLIS.end()
            ));
        }
        let failure = match arguments.failure_policy.or(file.failure_policy) {
            None | Some(Failure::Reload) => FailurePolicy::Reload {
                back_off: Duration::from_millis(back_off),
            },
            Some(Failure::Open) => FailurePolicy::Open,
        };
        let audit = audit_limits::decide(&arguments.audit, &file.audit, &mut problems);
        let streams = stream_flags::decide(arguments.streams, file.streams, &mut problems);
        let mut rollout = rollout_flags::decide(arguments.rollout, file.rollout, store.is_shared(), &mut problems);
        // What stands between us and etcd knows by itself whether etcd has gone back.
        rollout.served = (!store.is_shared()).then(|| data.join("served.json"));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            rollout,
            streams,
            listen,
            audit,
            tls: TlsSettings {
                identity,
                client_ca: arguments.client_ca.or(file.client_ca),
            },
            allow_anonymous: arguments.allow_anonymous || file.allow_anonymous,
            proxy_identity: arguments.proxy_identity.or(file.proxy_identity),
            trust_domain,
            spiffe_id_templates,
            proxy_certificate_life: Duration::from_secs(u64::from(hours) * 3600),
            data,
            store,
            secret_key_file,
            modules: arguments.modules.or(file.modules),
            module_keys: config_file::listed(arguments.module_key, file.module_keys),
            account: arguments
                .account
                .or(file.account)
                .unwrap_or_else(|| "123456789012".to_owned()),
            region: arguments
                .region
                .or(file.region)
                .unwrap_or_else(|| "us-east-1".to_owned()),
            failure,
            quotas: match (file.quotas, arguments.app_mesh_quotas) {
                (Some(quotas), _) => quotas,
                (None, true) => Quotas::app_mesh(),
                (None, false) => Quotas::default(),
            },
        })
    }
}

#[cfg(test)]
mod tests;
