//! Which store the control plane keeps everything in, and how it is opened: by `serve`, `backup` and `restore`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use ferromesh_api::MetricsSource;
use ferromesh_store::{backup::Restore, schema, Availability, EtcdOptions, EtcdStore, RedbStore, Store, User};
use serde::Deserialize;

/// The flags that name a store.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StoreFlags {
    /// Where everything is kept: redb, a file in the data folder, or etcd://HOST:PORT[,HOST:PORT…] for several control
    /// planes [default: redb]
    #[arg(long, value_name = "STORE", env = "FERROMESH_STORE")]
    store: Option<String>,
    /// Prefix of all keys in etcd; nothing else may write under it [default: /ferromesh/]
    #[arg(long, value_name = "PREFIX")]
    store_prefix: Option<String>,
    /// PEM file with the authority of etcd's certificates; with it etcd is spoken to by TLS
    #[arg(long, value_name = "FILE")]
    store_ca: Option<PathBuf>,
    /// PEM file with the certificate that is shown to etcd
    #[arg(long, value_name = "FILE", requires = "store_key")]
    store_certificate: Option<PathBuf>,
    /// PEM file with the key of --store-certificate
    #[arg(long, value_name = "FILE", requires = "store_certificate")]
    store_key: Option<PathBuf>,
    /// User of etcd
    #[arg(long, value_name = "NAME", requires = "store_password_file")]
    store_user: Option<String>,
    /// File with the password of --store-user
    #[arg(long, value_name = "FILE", requires = "store_user")]
    store_password_file: Option<PathBuf>,
}

/// The same in the configuration file, beside `store`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdFile {
    prefix: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
}

/// The store that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A file in the data folder.
    Redb,
    /// etcd.
    Etcd(EtcdOptions),
}

impl Choice {
    /// Decides by flags, and the members of the configuration file after them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decide(flags: StoreFlags, store: Option<String>, file: EtcdFile) -> Result<Self, Vec<String>> {
        let store = flags.store.or(store).unwrap_or_else(|| "redb".to_owned());
        let prefix = flags.store_prefix.or(file.prefix);
        let ca = flags.store_ca.or(file.ca);
        let identity = (
            flags.store_certificate.or(file.certificate),
            flags.store_key.or(file.key),
        );
        let user = (
            flags.store_user.or(file.user),
            flags.store_password_file.or(file.password_file),
        );
        if store == "redb" {
            let given = [prefix.is_some(), ca.is_some(), identity.0.is_some(), user.0.is_some()];
            return if given.contains(&true) {
                Err(vec![
                    "--store-prefix, --store-ca, --store-certificate and --store-user are for etcd, and --store is redb"
                        .to_owned(),
                ])
            } else {
                Ok(Self::Redb)
            };
        }
        let mut problems = Vec::new();
        let options = EtcdOptions::parse(&store).map_err(|problem| vec![format!("--store {problem}, or redb")])?;
        let identity = match identity {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                problems.push("--store-certificate and --store-key go together: one of them is missing".to_owned());
                None
            }
        };
        if ca.is_none() && identity.is_some() {
            problems.push("--store-ca is missing: without it etcd is not spoken to by TLS".to_owned());
        }
        let mut options = match ca {
            Some(ca) => options.with_tls(ca, identity),
            None => options,
        };
        match user {
            (Some(name), Some(password_file)) => options.user = Some(User { name, password_file }),
            (None, None) => {}
            _ => problems.push("--store-user and --store-password-file go together: one of them is missing".to_owned()),
        }
        if let Some(prefix) = prefix {
            match options.clone().with_prefix(&prefix) {
                Ok(with_prefix) => options = with_prefix,
                Err(problem) => problems.push(format!("--store-prefix {problem}")),
            }
        }
        if problems.is_empty() {
            Ok(Self::Etcd(options))
        } else {
            Err(problems)
        }
    }

    /// Whether several control planes can have it open.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Etcd(_))
    }
}

/// Path of the embedded store in a data folder.
pub fn file(data: &Path) -> PathBuf {
    data.join("ferromesh.redb")
}

/// Opens the store and brings its schema up to date. Blocks.
///
/// # Errors
/// It cannot be opened, or is of a later version.
pub fn open(choice: &Choice, data: &Path) -> anyhow::Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = match choice {
        Choice::Redb => {
            std::fs::create_dir_all(data)
                .with_context(|| format!("--data: cannot make the folder {}", data.display()))?;
            let store = RedbStore::open(file(data));
            Arc::new(store.with_context(|| format!("--data: cannot open the store in {}", data.display()))?)
        }
        Choice::Etcd(options) => {
            std::fs::create_dir_all(data)
                .with_context(|| format!("--data: cannot make the folder {}", data.display()))?;
            let copy = data.join("etcd-copy.redb");
            let named = || format!("--store: cannot open the store in etcd ({})", options.named());
            Arc::new(EtcdStore::open(options.clone(), Some(&copy)).with_context(named)?)
        }
    };
    schema::bring_up(store.as_ref()).context("--store: cannot bring the store up to this version")?;
    Ok(store)
}

/// Opens the store so that its content can be replaced. Blocks.
///
/// # Errors
/// It cannot be opened.
pub fn open_to_restore(choice: &Choice, data: Option<&Path>) -> anyhow::Result<Box<dyn Restore>> {
    match (choice, data) {
        (Choice::Redb, None) => anyhow::bail!("--data DIR is missing: the store is a file in it"),
        (Choice::Redb, Some(data)) => {
            let store = RedbStore::open(file(data))
                .with_context(|| format!("--data: cannot open the store in {}", data.display()))?;
            Ok(Box::new(store))
        }
        (Choice::Etcd(options), _) => {
            let store = EtcdStore::open_to_restore(options.clone())
                .with_context(|| format!("--store: cannot open the store in etcd ({})", options.named()))?;
            Ok(Box::new(store))
        }
    }
}

/// The store's metrics.
pub struct StoreMetrics(pub Arc<dyn Store>);

impl MetricsSource for StoreMetrics {
    fn write(&self, text: &mut String) {
        let read_only = u8::from(self.0.availability() != Availability::Full);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP ferromesh_store_read_only Whether the store takes no writes now: its disk is full, or etcd away.\n\
             # TYPE ferromesh_store_read_only gauge\n\
             ferromesh_store_read_only {read_only}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(store: &str) -> StoreFlags {
        StoreFlags {
            store: Some(store.to_owned()),
            ..StoreFlags::default()
        }
    }

    #[test]
    fn redb_is_the_default_and_takes_no_settings_of_etcds() {
        let decide = |flags| Choice::decide(flags, None, EtcdFile::default());
        assert_eq!(decide(StoreFlags::default()), Ok(Choice::Redb));
        let with_prefix = StoreFlags {
            store_prefix: Some("/a/".into()),
            ..StoreFlags::default()
        };
        assert!(decide(with_prefix).unwrap_err()[0].contains("for etcd"));
    }

    #[test]
    fn flags_go_before_the_file_and_settings_that_belong_together_are_asked_for() {
        let file = EtcdFile {
            prefix: Some("/a/".into()),
            ca: Some("ca.pem".into()),
            ..EtcdFile::default()
        };
        let Ok(Choice::Etcd(options)) = Choice::decide(flags("etcd://b"), Some("etcd://a".into()), file) else {
            panic!("etcd");
        };
        assert_eq!((options.named().as_str(), options.prefix.as_str()), ("b:2379", "/a/"));
        assert!(options.members[0].tls);
        let lacking = EtcdFile {
            certificate: Some("c".into()),
            user: Some("u".into()),
            prefix: Some("a".into()),
            ..EtcdFile::default()
        };
        let problems = Choice::decide(flags("etcd://b"), None, lacking).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        let problems = Choice::decide(flags("consul://b"), None, EtcdFile::default()).unwrap_err();
        assert!(
            problems[0].contains("etcd://") && problems[0].contains("redb"),
            "{problems:?}"
        );
    }
}
