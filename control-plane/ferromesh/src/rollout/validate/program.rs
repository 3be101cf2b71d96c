//! One run of Envoy: in a folder of its own, without an environment, and ended with everything it has started.

use std::{
    os::unix::fs::PermissionsExt,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::Bytes;
use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::Instant,
};

use crate::proxy::envoy;

/// The file in the folder.
const FILE: &str = "bootstrap.pb";
/// What Envoy says of a configuration that it does not take, before its reason.
const REFUSAL: &str = "error initializing configuration 'bootstrap.pb': ";
/// Bytes of what Envoy prints that are looked at.
const MOST_READ: usize = 64 * 1024;
/// Characters of it that a reason carries.
const MOST_SAID: usize = 1000;
/// How long the rest of what was printed is waited for after the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Envoy takes the configuration.
    Takes,
    /// It does not, or dies of it: why.
    Refuses(String),
    /// It could not be run, or did not come to an end: why.
    Nothing(String),
}

/// Lets Envoy judge a bootstrap until a moment.
pub async fn run(program: &Path, bootstrap: Bytes, ends: Instant) -> Said {
    let folder = match tokio::task::spawn_blocking(move || write(&bootstrap)).await {
        Ok(Ok(folder)) => folder,
        Ok(Err(error)) => return Said::Nothing(format!("a folder for Envoy cannot be made: {error}")),
        Err(error) => return Said::Nothing(format!("writing for Envoy was interrupted: {error}")),
    };
    let mut command = Command::new(program);
    command
        .args(["--mode", "validate", "--concurrency", "1", "--disable-hot-restart"])
        .args(["-l", "error", "--log-format", "%v", "-c", FILE])
        .current_dir(folder.path())
        // Nothing of ours, such as credentials, is Envoy's business.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    envoy::tie_to_this_process(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Said::Nothing(format!("{} cannot be run: {error}", program.display())),
    };
    let reader = child.stderr.take().map(|from| tokio::spawn(read(from)));
    let began = Instant::now();
    let waited = tokio::time::timeout_at(ends, child.wait()).await;
    let status = match waited {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Said::Nothing(format!("waiting for Envoy failed: {error}")),
        Err(_) => {
            let seconds = began.elapsed().as_secs_f64();
            end(&mut child).await;
            return Said::Nothing(format!("Envoy had not come to an end after {seconds:.1} s"));
        }
    };
    let mut text = Vec::new();
    if let Some(reader) = reader {
        let stop = reader.abort_handle();
        match tokio::time::timeout(LAST_WORDS, reader).await {
            Ok(read) => text = read.unwrap_or_default(),
            Err(_) => stop.abort(),
        }
    }
    verdict(status, &String::from_utf8_lossy(&text))
}

fn write(bootstrap: &[u8]) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("ferromesh-validate-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()?;
    std::fs::write(folder.path().join(FILE), bootstrap)?;
    Ok(folder)
}

/// Reads to the end, so that nobody waits for us, and keeps the beginning.
async fn read(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; 8 * 1024]);
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let room = MOST_READ.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&chunk[..room]);
    }
    kept
}

/// Ends a program that has not been waited for, and all that it has started.
async fn end(child: &mut Child) {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Whoever is not there any more need not be ended.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    let _ = child.wait().await;
}

fn verdict(status: ExitStatus, text: &str) -> Said {
    if status.success() {
        return Said::Takes;
    }
    let reason = text.split_once(REFUSAL).map(|(before, after)| {
        // What a filter has logged stands before, and says more.
        let lines = after
            .lines()
            .chain(before.lines())
            .map(str::trim)
            .filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("; ")
    });
    match (reason, status.signal()) {
        (Some(reason), _) => Said::Refuses(shortened(&reason)),
        // Somebody, such as the kernel for want of memory, has ended it; who dies of a configuration does so by another one.
        (None, Some(signal)) if is_crash(signal) => Said::Refuses(format!("Envoy died of it with signal {signal}")),
        (None, _) => Said::Nothing(shortened(&format!("Envoy ended with {status}: {}", text.trim()))),
    }
}

fn is_crash(signal: i32) -> bool {
    [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::FPE, Signal::ILL]
        .iter()
        .any(|crash| crash.as_raw() == signal)
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_envoys_reason_and_then_what_it_logged() {
        let text =
            format!("wasm log x: no retries\nPlugin configured failed\n{REFUSAL}Unable to create Wasm plugin x\n");
        let said = verdict(ExitStatus::from_raw(1 << 8), &text);
        let expected = "Unable to create Wasm plugin x; wasm log x: no retries; Plugin configured failed";
        assert_eq!(said, Said::Refuses(expected.into()));
    }

    #[test]
    fn a_crash_is_a_refusal_and_being_ended_by_somebody_is_none() {
        assert_eq!(
            verdict(ExitStatus::from_raw(11), ""),
            Said::Refuses("Envoy died of it with signal 11".into())
        );
        for other in [ExitStatus::from_raw(9), ExitStatus::from_raw(1 << 8)] {
            assert!(matches!(verdict(other, "what"), Said::Nothing(_)), "{other}");
        }
        assert_eq!(verdict(ExitStatus::from_raw(0), ""), Said::Takes);
    }
}
