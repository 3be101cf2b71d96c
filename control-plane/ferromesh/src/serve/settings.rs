//! What `ferromesh serve` was asked to do: flags, then the configuration file, then defaults.

use std::{path::PathBuf, time::Duration};

use ferromesh_emit::FailurePolicy;
use serde::Deserialize;

use crate::address::Address;

/// The flags of `ferromesh serve`. Each goes before its member in the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Address to listen on: IP:PORT of this machine, or unix:///PATH; may be given several times
    /// [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Address>,
    /// Folder that holds all state
    #[arg(long, value_name = "DIR", env = "FERROMESH_DATA")]
    data: Option<PathBuf>,
    /// Where resources are kept: redb, a file in the data folder [default: redb]
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// YAML file with the same settings: listen, data, store, secretKeyFile, modules, account, region, failurePolicy, reloadBackOffMillis
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
    listen: Vec<Address>,
    data: Option<PathBuf>,
    store: Option<String>,
    secret_key_file: Option<PathBuf>,
    modules: Option<PathBuf>,
    account: Option<String>,
    region: Option<String>,
    failure_policy: Option<Failure>,
    /// Least milliseconds between two attempts to make a dead VM anew, 5 to 60,000.
    reload_back_off_millis: Option<u64>,
}

/// Everything that is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where to listen, one address at least.
    pub listen: Vec<Address>,
    /// Folder of the state.
    pub data: PathBuf,
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
            (true, true) => vec![Address::Tcp(([127, 0, 0, 1], 8080).into())],
        };
        for address in listen.iter().filter(|address| !address.is_local()) {
            problems.push(format!(
                "--listen {address}: without TLS the control plane listens only on loopback addresses and unix \
                 sockets; TLS is not there yet"
            ));
        }
        let store = arguments.store.or(file.store).unwrap_or_else(|| "redb".to_owned());
        if store != "redb" {
            problems.push(format!("--store is {store:?}: only redb is there yet"));
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
            data,
            secret_key_file: arguments.secret_key_file.or(file.secret_key_file),
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
        assert_eq!(settings.listen[0].to_string(), "127.0.0.1:8080");
        assert_eq!(settings.account, "123456789012");
        let back_off = Duration::from_millis(10);
        assert_eq!(settings.failure, FailurePolicy::Reload { back_off });
    }

    #[test]
    fn plaintext_beyond_this_machine_is_refused() {
        for address in ["0.0.0.0:8080", "[::]:8080", "192.168.1.1:8080"] {
            let listen = vec![address.parse().unwrap()];
            let problems = Settings::read(Arguments { listen, ..arguments() }).unwrap_err();
            assert!(
                problems[0].contains("TLS") && problems[0].contains(address),
                "{problems:?}"
            );
        }
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
        assert_eq!(settings.listen[0].to_string(), "unix:///x");
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
