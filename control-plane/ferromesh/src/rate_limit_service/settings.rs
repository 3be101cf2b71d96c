//! What `ferromesh rate-limit-service` was asked to do: flags, then the configuration file, then defaults.

use std::{path::PathBuf, time::Duration};

use ferromesh_ratelimit::{Client, RedisConfig, StoreTls};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use crate::{address::Address, config_file};

/// The flags of `ferromesh rate-limit-service`. Each goes before its member in the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Address to listen on: IP:PORT of this machine, or unix:///PATH; may be given several times
    /// [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Address>,
    /// Where counts are kept: redis://, rediss:// (TLS) or redis+unix:// of a Redis or Valkey, or memory for one instance
    #[arg(
        long,
        value_name = "STORE",
        env = "FERROMESH_RATE_LIMIT_STORE",
        hide_env_values = true
    )]
    store: Option<String>,
    /// Milliseconds that the store may take for an answer, 1 to 60000 [default: 100]
    #[arg(long, value_name = "MILLIS")]
    store_timeout: Option<u64>,
    /// PEM file of who may have signed the store's certificate [default: whom this machine trusts]
    #[arg(long, value_name = "FILE")]
    store_ca: Option<PathBuf>,
    /// PEM file of the certificate that is shown to the store
    #[arg(long, value_name = "FILE")]
    store_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// Let passwords and counts cross the network in the clear: redis:// to another machine
    #[arg(long)]
    store_plaintext: bool,
    /// PEM file of this service's certificate chain: TLS, without which it listens on loopback addresses and unix sockets only
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// PEM file of who may have signed the certificates that callers must show
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Requests that may wait for the store at the same time, 1 to 100000 [default: 4096]
    #[arg(long, value_name = "COUNT")]
    max_waiting: Option<usize>,
    /// YAML file with the same settings: listen, store, storeTimeoutMillis, storeCa, storeCert, storeKey, storePlaintext,
    /// tlsCert, tlsKey, tlsClientCa, maxWaiting, memoryBuckets
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    listen: Vec<Address>,
    store: Option<String>,
    store_timeout_millis: Option<u64>,
    store_ca: Option<PathBuf>,
    store_cert: Option<PathBuf>,
    store_key: Option<PathBuf>,
    #[serde(default)]
    store_plaintext: bool,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_client_ca: Option<PathBuf>,
    max_waiting: Option<usize>,
    /// Buckets that the store `memory` has room for, 1 to 10,000,000; 100,000 when absent.
    memory_buckets: Option<usize>,
}

/// Everything that is decided.
pub(super) struct Settings {
    /// Where to listen, one address at least.
    pub listen: Vec<Address>,
    /// Where counts are kept.
    pub counts: Counts,
    /// TLS, if it was asked for.
    pub tls: Option<TlsAcceptor>,
    /// Requests that may wait for the store at the same time.
    pub waiting: usize,
}

/// Where counts are kept.
#[derive(Clone)]
pub(super) enum Counts {
    Memory { buckets: usize },
    Redis(Box<Client>, RedisConfig),
}

impl Settings {
    /// Puts flags, file and defaults together, and reads the certificates.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn read(arguments: Arguments) -> Result<Self, Vec<String>> {
        let file: File = config_file::read(arguments.config.as_deref()).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut listen = config_file::listed(arguments.listen, file.listen);
        if listen.is_empty() {
            listen.push(Address::Tcp(([127, 0, 0, 1], 8081).into()));
        }
        let tls = match (arguments.tls_cert.or(file.tls_cert), arguments.tls_key.or(file.tls_key)) {
            (Some(certificate), Some(key)) => {
                let callers = arguments.tls_client_ca.or(file.tls_client_ca);
                match super::tls::acceptor(&certificate, &key, callers.as_deref()) {
                    Ok(acceptor) => Some(acceptor),
                    Err(problem) => {
                        problems.push(problem);
                        None
                    }
                }
            }
            (None, None) => {
                if arguments.tls_client_ca.or(file.tls_client_ca).is_some() {
                    problems.push("--tls-client-ca: needs --tls-cert and --tls-key".into());
                }
                for address in listen.iter().filter(|address| !address.is_local()) {
                    problems.push(format!(
                        "--listen {address}: without --tls-cert and --tls-key the service listens only on loopback \
                         addresses and unix sockets"
                    ));
                }
                None
            }
            _ => {
                problems.push("--tls-cert and --tls-key: one is missing".into());
                None
            }
        };
        let mut within = |what: &str, value: u64, most: u64| {
            if !(1..=most).contains(&value) {
                problems.push(format!("{what} is {value}: expected 1 to {most}"));
            }
            value
        };
        let millis = arguments.store_timeout.or(file.store_timeout_millis).unwrap_or(100);
        let deadline = Duration::from_millis(within("--store-timeout", millis, 60_000));
        let waiting = arguments.max_waiting.or(file.max_waiting).unwrap_or(4_096);
        within("--max-waiting", waiting as u64, 100_000);
        let buckets = file.memory_buckets.unwrap_or(100_000);
        within("memoryBuckets", buckets as u64, 10_000_000);
        let certificates = store_tls(
            arguments.store_ca.or(file.store_ca),
            arguments.store_cert.or(file.store_cert),
            arguments.store_key.or(file.store_key),
            arguments.store_plaintext || file.store_plaintext,
        );
        let counts = match (arguments.store.or(file.store).as_deref(), certificates) {
            (None, _) => Err("--store is missing: it says where counts are kept, redis://HOST:PORT or memory".into()),
            (_, Err(problem)) => Err(problem),
            (Some("memory"), Ok(_)) => Ok(Counts::Memory { buckets }),
            (Some(url), Ok(certificates)) => Client::open(url, &certificates)
                .map(|client| {
                    let config = RedisConfig {
                        deadline,
                        ..RedisConfig::default()
                    };
                    Counts::Redis(Box::new(client), config)
                })
                .map_err(|error| format!("--store: {error}")),
        };
        match counts {
            Ok(counts) if problems.is_empty() => Ok(Self {
                listen,
                counts,
                tls,
                waiting,
            }),
            counts => {
                problems.extend(counts.err());
                Err(problems)
            }
        }
    }
}

fn store_tls(
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    plaintext: bool,
) -> Result<StoreTls, String> {
    let read = |flag: &str, path: Option<PathBuf>| {
        path.map(|path| std::fs::read(&path).map_err(|error| format!("{flag} {}: {error}", path.display())))
            .transpose()
    };
    let client = match (read("--store-cert", certificate)?, read("--store-key", key)?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("--store-cert and --store-key: one is missing".into()),
    };
    Ok(StoreTls {
        authorities: read("--store-ca", authorities)?,
        client,
        plaintext,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            store: Some("redis://127.0.0.1".into()),
            ..Arguments::default()
        }
    }

    fn problems(arguments: Arguments) -> Vec<String> {
        Settings::read(arguments).err().expect("problems")
    }

    #[test]
    fn a_store_is_enough_and_must_be_named() {
        let settings = Settings::read(arguments()).expect("settings");
        assert_eq!(settings.listen[0].to_string(), "127.0.0.1:8081");
        assert_eq!(settings.waiting, 4_096);
        assert!(matches!(settings.counts, Counts::Redis(_, config) if config.deadline == Duration::from_millis(100)));
        assert!(problems(Arguments::default())[0].starts_with("--store is missing"));
    }

    #[test]
    fn plaintext_beyond_this_machine_is_refused_on_both_sides() {
        let found = problems(Arguments {
            listen: vec!["0.0.0.0:8081".parse().unwrap()],
            store: Some("redis://me:hunter2@redis.local".into()),
            ..Arguments::default()
        });
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("--tls-cert"), "{found:?}");
        assert!(
            found[1].contains("rediss://") && !found[1].contains("hunter2"),
            "{found:?}"
        );
    }

    #[test]
    fn with_a_certificate_it_listens_everywhere() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["limits.local".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let with = |key: &Path| Arguments {
            listen: vec!["0.0.0.0:8081".parse().unwrap()],
            tls_cert: Some(certificate.clone()),
            tls_key: Some(key.to_owned()),
            tls_client_ca: Some(certificate.clone()),
            ..arguments()
        };
        assert!(Settings::read(with(&key)).expect("settings").tls.is_some());
        assert!(problems(with(&certificate))[0].starts_with("--tls-key"));
        let half = Arguments {
            tls_key: None,
            ..with(&key)
        };
        assert_eq!(problems(half), ["--tls-cert and --tls-key: one is missing"]);
    }

    #[test]
    fn flags_go_before_the_file_and_unknown_members_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        std::fs::write(
            &path,
            "store: memory\nmaxWaiting: 7\nmemoryBuckets: 9\nstoreTimeoutMillis: 5\n",
        )
        .unwrap();
        let with_file = |store: Option<&str>| Arguments {
            config: Some(path.clone()),
            store: store.map(str::to_owned),
            ..Arguments::default()
        };
        let settings = Settings::read(with_file(None)).expect("settings");
        assert!(matches!(settings.counts, Counts::Memory { buckets: 9 }));
        assert_eq!(settings.waiting, 7);
        let settings = Settings::read(with_file(Some("redis://localhost"))).expect("settings");
        assert!(matches!(settings.counts, Counts::Redis(_, config) if config.deadline == Duration::from_millis(5)));
        for text in [
            "stor: memory\n",
            "store: memory\nmaxWaiting: 0\n",
            "store: memory\nstoreTimeoutMillis: 60001\n",
            "store: etcd://x\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(Settings::read(with_file(None)).is_err(), "{text}");
        }
    }
}
