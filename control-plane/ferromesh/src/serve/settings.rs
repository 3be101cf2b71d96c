//! What `ferromesh serve` was asked to do: flags, then the configuration file, then defaults.

use std::{path::PathBuf, time::Duration};

use ferromesh_emit::FailurePolicy;
use ferromesh_model::validate::Quotas;
use serde::Deserialize;

use super::{
    listen::Listen,
    tls::{Identity, TlsSettings},
};
use crate::{
    address::Address,
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
    /// Folder that holds all state
    #[arg(long, value_name = "DIR", env = "FERROMESH_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    store: store::StoreFlags,
    /// YAML file with the same settings: listen, tlsCertificate, tlsKey, tlsNames, clientCa, allowAnonymous, data, store, etcd, secretKeyFile, modules, account, region, failurePolicy, quotas, reloadBackOffMillis
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File with the keys that imported private keys are sealed with [default: certificates/secret.key in the data folder,
    /// made if it is not there]
    #[arg(long, value_name = "FILE", env = "FERROMESH_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    /// Folder with the filter modules [default: FERROMESH_MODULES, then modules beside this program or one folder up]
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
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
    data: Option<PathBuf>,
    store: Option<String>,
    #[serde(default)]
    etcd: store::EtcdFile,
    secret_key_file: Option<PathBuf>,
    modules: Option<PathBuf>,
    account: Option<String>,
    region: Option<String>,
    failure_policy: Option<Failure>,
    /// Most resources of each kind: `{meshes: 15, virtualNodes: 200, …}`; what is not named is not limited.
    quotas: Option<Quotas>,
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
    /// Folder of the state.
    pub data: PathBuf,
    /// Where everything is kept.
    pub store: Choice,
    /// File of the keys that seal imported ones, if it was named.
    pub secret_key_file: Option<PathBuf>,
    /// Folder of the modules, if it was named.
    pub modules: Option<PathBuf>,
    /// Account that owns all meshes.
    pub account: String,
    /// Region in ARNs.
    pub region: String,
    /// What happens to requests when a filter's VM has died.
    pub failure: FailurePolicy,
    /// Most resources of each kind.
    pub quotas: Quotas,
}

/// Envoy 1.40 dies of 1 ms; from 5 ms on one bad request a second costs 1.5 % of the others.
const BACK_OFF_MILLIS: std::ops::RangeInclusive<u64> = 5..=60_000;

impl Settings {
    /// Puts flags, file and defaults together.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(arguments: Arguments) -> Result<Self, Vec<String>> {
        let file = match &arguments.config {
            Some(path) => read_file(path).map_err(|problem| vec![problem])?,
            None => File::default(),
        };
        let mut problems = Vec::new();
        let listen = match (arguments.listen.is_empty(), file.listen.is_empty()) {
            (false, _) => arguments.listen,
            (true, false) => file.listen,
            (true, true) => vec![Listen {
                address: Address::Tcp(([127, 0, 0, 1], 8080).into()),
                is_tls: false,
            }],
        };
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
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            listen,
            tls: TlsSettings {
                identity,
                client_ca: arguments.client_ca.or(file.client_ca),
            },
            allow_anonymous: arguments.allow_anonymous || file.allow_anonymous,
            data,
            store,
            secret_key_file,
            modules: arguments.modules.or(file.modules),
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

fn read_file(path: &std::path::Path) -> Result<File, String> {
    let named = |error: &dyn std::fmt::Display| format!("--config {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    serde_saphyr::from_str(&text).map_err(|error| named(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            data: Some("/d".into()),
            ..Arguments::default()
        }
    }

    #[test]
    fn the_data_folder_is_enough() {
        let settings = Settings::read(arguments()).unwrap();
        assert_eq!(settings.listen[0].address.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.account, "123456789012");
        let back_off = Duration::from_millis(10);
        assert_eq!(settings.failure, FailurePolicy::Reload { back_off });
    }

    #[test]
    fn plaintext_beyond_this_machine_is_refused() {
        for address in ["http://0.0.0.0:8080", "http://[::]:8080", "http://192.168.1.1:8080"] {
            let listen = vec![address.parse().unwrap()];
            let problems = Settings::read(Arguments { listen, ..arguments() }).unwrap_err();
            assert!(
                problems[0].contains("TLS") && problems[0].contains(address),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn nothing_is_limited_unless_the_file_or_a_flag_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        std::fs::write(&path, "quotas: {meshes: 2, routes: 7}\n").unwrap();
        let with_file = Arguments {
            config: Some(path.clone()),
            app_mesh_quotas: true,
            ..arguments()
        };
        let quotas = Settings::read(with_file.clone()).unwrap().quotas;
        assert_eq!(
            (quotas.meshes, quotas.routes, quotas.virtual_nodes),
            (Some(2), Some(7), None)
        );
        let app_mesh = Arguments {
            app_mesh_quotas: true,
            ..arguments()
        };
        assert_eq!(Settings::read(app_mesh).unwrap().quotas, Quotas::app_mesh());
        assert_eq!(Settings::read(arguments()).unwrap().quotas, Quotas::default());
        std::fs::write(&path, "quotas: {mesh: 2}\n").unwrap();
        assert!(
            Settings::read(with_file).unwrap_err()[0].contains("unknown field"),
            "which quotas there are is said"
        );
    }

    #[test]
    fn flags_go_before_the_file_and_unknown_members_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let text = "listen: ['unix:///x']\nregion: eu-west-1\naccount: '000000000001'\nfailurePolicy: open\n";
        std::fs::write(&path, text).unwrap();
        let with_file = Arguments {
            config: Some(path.clone()),
            account: Some("000000000002".into()),
            ..arguments()
        };
        let settings = Settings::read(with_file.clone()).unwrap();
        assert_eq!(settings.listen[0].address.to_string(), "unix:///x");
        assert_eq!(settings.region, "eu-west-1");
        assert_eq!(settings.account, "000000000002");
        assert_eq!(settings.failure, FailurePolicy::Open);

        for text in [
            "lisen: []\n",
            "listen: ['8080']\n",
            "reloadBackOffMillis: 1\n",
            "store: etcd://x\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(Settings::read(with_file.clone()).is_err(), "{text}");
        }
    }
}
