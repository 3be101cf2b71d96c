//! The system's network tools, which the sidecar tests need: `ip` makes network namespaces, `iptables` redirects.

use std::process::Command;

use anyhow::{bail, Context, Result};

use crate::{process, progress};

/// A program and the Debian package that has it.
const TOOLS: [(&str, &str); 2] = [("ip", "iproute2"), ("iptables", "iptables")];

/// Installs what is missing through apt; does nothing, and asks no network, when all is there.
///
/// # Errors
/// When a tool is missing and cannot be installed: no apt, not root, or the archive out of reach.
pub fn prepare() -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| !process::succeeds(Command::new(tool).arg("-V")))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    progress::step(format!("installing {packages} for the sidecar tests"));
    let advice =
        || format!("the sidecar tests need {packages}: run `apt-get install {packages}` as root, then this again");
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("there is no apt-get here; {}", advice());
    }
    // The lists may be absent (containers) or too old to name a version that still exists.
    process::run(Command::new("apt-get").args(["-q", "update"])).with_context(advice)?;
    process::run(
        Command::new("apt-get")
            .args(["-q", "-y", "--no-install-recommends", "install"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .with_context(advice)
}
