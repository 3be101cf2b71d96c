//! `ferromesh backup` and `ferromesh restore`: everything in the store as one file, and back.

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{bail, Context};
use ferromesh_store::backup::{Backup, BackupError};
use serde_json::Value;

use crate::{
    authority::private_file,
    client::{http::Client, Connection},
    exit::Exit,
    store::{self, Choice, EtcdFile},
    timestamp::rfc3339,
};

/// The flags of `ferromesh backup`.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArguments {
    /// File to write, with mode 0600; - for standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Data folder of a control plane that does not run; without it a running one is asked
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    store: store::StoreFlags,
    #[command(flatten)]
    connection: Connection,
}

/// The flags of `ferromesh restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArguments {
    /// File that `ferromesh backup` wrote; - for standard input
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Data folder of the control plane, which must not run with redb
    #[arg(long, value_name = "DIR", env = "FERROMESH_DATA")]
    data: Option<PathBuf>,
    /// Replace what is in the store
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    store: store::StoreFlags,
}

/// Runs `ferromesh backup`.
///
/// # Errors
/// What kept the backup from being written.
pub async fn backup(arguments: BackupArguments) -> anyhow::Result<Exit> {
    let choice = match Choice::decide(arguments.store, None, EtcdFile::default()) {
        Ok(choice) => choice,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    let file = match (&arguments.data, choice.is_shared()) {
        (None, false) => {
            let client = Client::new(&arguments.connection)?;
            let answer = client.get("/v1/backup").await?;
            let file = answer.get("backup").and_then(Value::as_str);
            file.context("the server's answer has no member backup")?.to_owned()
        }
        (data, _) => {
            let data = data.clone();
            tokio::task::spawn_blocking(move || from_store(&choice, data.as_deref()))
                .await
                .context("the backup was interrupted")??
        }
    };
    // What was written is what can be read back.
    let taken = Backup::parse(file.as_bytes()).context("the backup cannot be read back")?;
    if arguments.to == Path::new("-") {
        std::io::stdout().write_all(file.as_bytes())?;
    } else {
        private_file::write(&arguments.to, &file, 0o600)?;
        println!(
            "{}: {} values of revision {}",
            arguments.to.display(),
            taken.values.len(),
            taken.revision
        );
    }
    Ok(Exit::Success)
}

fn from_store(choice: &Choice, data: Option<&Path>) -> anyhow::Result<String> {
    if let (Choice::Redb, Some(data)) = (choice, data) {
        let file = store::file(data);
        if !file.exists() {
            bail!("--data: there is no store {}", file.display());
        }
    }
    let store = store::open_to_restore(choice, data)?;
    Ok(Backup::take(store.as_ref())?.to_file())
}

/// Runs `ferromesh restore`.
///
/// # Errors
/// What kept the store from being restored.
pub async fn restore(arguments: RestoreArguments) -> anyhow::Result<Exit> {
    let choice = match Choice::decide(arguments.store.clone(), None, EtcdFile::default()) {
        Ok(choice) => choice,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    let restored = tokio::task::spawn_blocking(move || {
        let mut file = Vec::new();
        if arguments.from == Path::new("-") {
            if std::io::stdin().is_terminal() {
                bail!("--from -: standard input is a terminal");
            }
            std::io::stdin().read_to_end(&mut file)?;
        } else {
            file = std::fs::read(&arguments.from)
                .with_context(|| format!("--from: cannot read {}", arguments.from.display()))?;
        }
        let backup = Backup::parse(&file).with_context(|| format!("--from {}", arguments.from.display()))?;
        let store = store::open_to_restore(&choice, arguments.data.as_deref())?;
        let restored = match backup.restore(store.as_ref(), arguments.replace) {
            Err(error @ BackupError::NotEmpty(_)) => bail!("{error}; --replace does it"),
            done => done?,
        };
        Ok((backup, restored))
    });
    let (backup, revision) = restored.await.context("the restore was interrupted")??;
    let taken = UNIX_EPOCH + Duration::from_secs(backup.taken_at_seconds);
    let taken = taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    println!(
        "restored {} values, taken at {} of revision {}, as revision {revision}",
        backup.values.len(),
        rfc3339(taken),
        backup.revision
    );
    Ok(Exit::Success)
}
