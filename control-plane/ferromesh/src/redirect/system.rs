//! The system's tools: `iptables-save` and `iptables-restore`, and their twins for IPv6.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{bail, Context};

use super::table::Family;

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dry {
    /// It is.
    Run,
    /// What would be done is printed.
    Print,
}

/// How long another program that changes rules is waited for.
const WAIT: &str = "--wait=10";

/// Where system tools are that an ordinary user's PATH lacks.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The table `nat` in `iptables-save`'s form.
pub(super) fn save(family: Family) -> anyhow::Result<String> {
    let output = run(family, "save", &["-t", "nat"], None)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes changes, each all or nothing; those of both IP versions are tried first.
pub(super) fn apply(changes: &[(Family, String)], dry: Dry) -> anyhow::Result<()> {
    if dry == Dry::Print {
        for (family, payload) in changes {
            print!("# {}-restore --noflush\n{payload}", family.program());
        }
        return Ok(());
    }
    for (family, payload) in changes {
        run(*family, "restore", &["--noflush", WAIT, "--test"], Some(payload))?;
    }
    for (family, payload) in changes {
        run(*family, "restore", &["--noflush", WAIT], Some(payload))?;
        tracing::info!(rules = family.program(), "redirection changed");
    }
    Ok(())
}

fn run(family: Family, tool: &str, arguments: &[&str], input: Option<&str>) -> anyhow::Result<Output> {
    let name = format!("{}-{tool}", family.program());
    let mut command = Command::new(find(&name)?);
    command
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // It may refuse the first lines and end; what it says is worth more than the broken pipe.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} ended with {}: {}", output.status, said.trim());
    }
    Ok(output)
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search_path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path: &PathBuf| Path::is_file(path))
        .with_context(|| format!("no {name} on PATH, in /usr/sbin or /sbin: install the package iptables"))
}
