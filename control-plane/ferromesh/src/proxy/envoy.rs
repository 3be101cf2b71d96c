//! The Envoy process: finding the binary, its command line, its start and its end.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::settings::Settings;

/// Finds Envoy: the flag, then `FERROMESH_ENVOY`, then `envoy` on the path.
///
/// # Errors
/// What was looked at and why it is not usable.
pub fn find(flag: Option<&Path>, variable: Option<OsString>, search_path: Option<&OsStr>) -> Result<PathBuf, String> {
    let named = match (flag, variable.filter(|value| !value.is_empty())) {
        (Some(path), _) => Some(("--envoy", path.to_path_buf())),
        (None, Some(path)) => Some(("FERROMESH_ENVOY", path.into())),
        (None, None) => None,
    };
    if let Some((source, path)) = named {
        return if is_executable(&path) {
            Ok(path)
        } else {
            Err(format!("{source} is {path:?}: no executable file"))
        };
    }
    search_path
        .into_iter()
        .flat_map(std::env::split_paths)
        .map(|folder| folder.join("envoy"))
        .find(|path| is_executable(path))
        .ok_or_else(|| {
            "envoy was not found: give its path with --envoy or FERROMESH_ENVOY, or put it on PATH".to_owned()
        })
}

/// Whether a path names a file that can be run.
pub fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The files of one run.
#[derive(Clone, Debug)]
pub struct Files {
    /// The bootstrap.
    pub bootstrap: PathBuf,
    /// Where Envoy writes the address of its admin interface.
    pub admin_address: PathBuf,
}

/// Envoy's arguments.
pub fn arguments(settings: &Settings, files: &Files) -> Vec<OsString> {
    let envoy = &settings.envoy;
    let mut arguments: Vec<OsString> = vec![
        "-c".into(),
        envoy.config_file.as_ref().unwrap_or(&files.bootstrap).into(),
        "-l".into(),
        envoy.log_level.into(),
        // Envoy takes no zero here; who waits for nothing drains in one second.
        "--drain-time-s".into(),
        settings.agent.drain_wait.as_secs().max(1).to_string().into(),
        "--admin-address-path".into(),
        files.admin_address.clone().into(),
        // A filter logs what clients send: a line break in it must not make a line.
        "--log-format-escaped".into(),
    ];
    if let Some(log) = &envoy.log_files {
        arguments.push("--log-path".into());
        arguments.push(log.path().into());
    }
    if let Some(workers) = envoy.concurrency {
        arguments.push("--concurrency".into());
        arguments.push(workers.to_string().into());
    }
    // Hot restart uses shared memory that is named by a number: two proxies on one host would collide.
    arguments.push(if envoy.hot_restart {
        "--use-dynamic-base-id".into()
    } else {
        "--disable-hot-restart".into()
    });
    if envoy.skip_deprecated_logs {
        arguments.push("--skip-deprecated-logs".into());
    }
    arguments
}

/// Starts Envoy. It ends with this process, however this process ends.
///
/// Must be called on a thread that lives as long as the process: Linux ties the signal to the thread.
///
/// # Errors
/// What the system says.
pub fn start(binary: &Path, arguments: &[OsString]) -> std::io::Result<Child> {
    let mut command = Command::new(binary);
    command.args(arguments);
    tie_to_this_process(&mut command);
    command.spawn()
}

/// What is started ends with this process, or with the thread that starts it, however these end; and it is a process group
/// of its own: a Ctrl-C in a terminal goes to the whole group of ours, and Envoy shall be drained, not interrupted.
pub fn tie_to_this_process(command: &mut Command) {
    let parent = rustix::process::getpid();
    command.process_group(0).kill_on_drop(true);
    let die_with_parent = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have ended before the call above.
        if rustix::process::getppid() != Some(parent) {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec and does nothing but two system calls: it allocates nothing and
    // takes no lock.
    unsafe {
        command.pre_exec(die_with_parent);
    }
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It has not been waited for, so the id is still its own; and if it has just ended, all is well.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

/// The status that a shell would give: the exit code, or 128 and the number of the signal.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_that_before_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("envoy");
        std::fs::write(&binary, "").unwrap();
        let search = Some(dir.path().as_os_str());
        assert!(find(None, None, search).is_err(), "not executable yet");
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(None, None, search).unwrap(), binary);
        assert_eq!(find(None, Some("".into()), search).unwrap(), binary);
        let wrong = find(None, Some("/nowhere/envoy".into()), search).unwrap_err();
        assert!(wrong.contains("FERROMESH_ENVOY"), "{wrong}");
        let wrong = find(Some(Path::new("/nowhere")), Some(binary.into()), None).unwrap_err();
        assert!(wrong.contains("--envoy"), "{wrong}");
    }

    #[test]
    fn a_signal_becomes_a_shells_status() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(6)), 134);
    }
}
