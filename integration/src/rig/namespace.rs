//! Network namespaces, one for each task of the mesh, with App Mesh's traffic redirection: what a sidecar needs.
//!
//! App Mesh's rules never redirect traffic to the host's own addresses, so two tasks cannot share a host's
//! network. Needs root, `ip` (package iproute2) and `iptables` (package iptables); `cargo xtask test` installs them.

use std::{
    fs::File,
    io::Write,
    net::Ipv4Addr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{bail, ensure, Context, Result};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};

use super::{ports, program};

/// The group whose traffic is not redirected: Envoy's. App Mesh's own is user 1337; a group serves as well and
/// lets a test run from a folder that only root may read.
const ENVOY_GROUP: &str = "1337";
const INGRESS_PORT: &str = "15000";
const EGRESS_PORT: &str = "15001";

/// A network namespace, removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// Folders that processes started in it see elsewhere: where, and which.
    folders: Vec<(PathBuf, PathBuf)>,
}

impl Namespace {
    /// Makes a namespace whose loopback is up.
    pub fn create(purpose: &str) -> Result<Self> {
        for (name, package) in [("ip", "iproute2"), ("iptables", "iptables")] {
            if program::on_path(name).is_none() {
                bail!("no {name}: install the package {package}, as `cargo xtask test` does");
            }
        }
        let name = format!("ferromesh-{purpose}-{}", ports::free()?);
        run(&["ip", "netns", "add", &name]).context("network namespaces need root")?;
        let namespace = Self {
            name,
            folders: Vec::new(),
        };
        namespace.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Joins two namespaces by a cable, each with an address of one network of 24 bits.
    pub fn connect(&self, own: Ipv4Addr, peer: &Self, peers: Ipv4Addr) -> Result<()> {
        let (one, other) = (cable(own), cable(peers));
        run(&[
            "ip", "link", "add", &one, "netns", &self.name, "type", "veth", "peer", "name", &other, "netns", &peer.name,
        ])?;
        for (namespace, device, address) in [(self, &one, own), (peer, &other, peers)] {
            namespace.run(&["ip", "address", "add", &format!("{address}/24"), "dev", device])?;
            namespace.run(&["ip", "link", "set", device, "up"])?;
        }
        Ok(())
    }

    /// App Mesh's redirection: what the task sends goes to the egress listener, what arrives for `app_ports`
    /// to the ingress listener, except Envoy's own traffic and what never leaves the host.
    pub fn redirect(&self, app_ports: &[u16]) -> Result<()> {
        let rules: &[&[&str]] = &[
            &["-N", "APPMESH_EGRESS"],
            &[
                "-A",
                "APPMESH_EGRESS",
                "-m",
                "owner",
                "--gid-owner",
                ENVOY_GROUP,
                "-j",
                "RETURN",
            ],
            &[
                "-A",
                "APPMESH_EGRESS",
                "-p",
                "tcp",
                "-m",
                "multiport",
                "--dports",
                "22",
                "-j",
                "RETURN",
            ],
            &[
                "-A",
                "APPMESH_EGRESS",
                "-p",
                "tcp",
                "-d",
                "169.254.169.254,169.254.170.2",
                "-j",
                "RETURN",
            ],
            &[
                "-A",
                "APPMESH_EGRESS",
                "-p",
                "tcp",
                "-j",
                "REDIRECT",
                "--to-ports",
                EGRESS_PORT,
            ],
            &[
                "-A",
                "OUTPUT",
                "-p",
                "tcp",
                "-m",
                "addrtype",
                "!",
                "--dst-type",
                "LOCAL",
                "-j",
                "APPMESH_EGRESS",
            ],
        ];
        for rule in rules {
            self.run(&[&["iptables", "-t", "nat"], *rule].concat())?;
        }
        if app_ports.is_empty() {
            return Ok(());
        }
        let ports: Vec<_> = app_ports.iter().map(u16::to_string).collect();
        let ports = ports.join(",");
        let rules: &[&[&str]] = &[
            &["-N", "APPMESH_INGRESS"],
            &[
                "-A",
                "APPMESH_INGRESS",
                "-p",
                "tcp",
                "-m",
                "multiport",
                "--dports",
                &ports,
                "-j",
                "REDIRECT",
                "--to-port",
                INGRESS_PORT,
            ],
            &[
                "-A",
                "PREROUTING",
                "-p",
                "tcp",
                "-m",
                "addrtype",
                "!",
                "--src-type",
                "LOCAL",
                "-j",
                "APPMESH_INGRESS",
            ],
        ];
        for rule in rules {
            self.run(&[&["iptables", "-t", "nat"], *rule].concat())?;
        }
        Ok(())
    }

    /// Lets processes that are started in this namespace from now on see a folder under another path, as a container's
    /// volume does. The path becomes an empty folder of the machine if there is none.
    pub fn mount(&mut self, folder: &Path, at: &str) -> Result<()> {
        std::fs::create_dir_all(at).with_context(|| format!("a folder to mount on: {at}"))?;
        self.folders.push((at.into(), folder.to_owned()));
        Ok(())
    }

    /// Gives a host name an address, for processes that are started in this namespace from now on.
    pub fn name_host(&self, host: &str, address: Ipv4Addr) -> Result<()> {
        // `ip netns exec` puts the files of this folder in the place of those in /etc.
        let folder = self.files();
        std::fs::create_dir_all(&folder)?;
        let mut hosts = File::options().create(true).append(true).open(folder.join("hosts"))?;
        writeln!(hosts, "{address} {host}")?;
        // There is no name server in a namespace: one that refuses at once, so that nobody waits for an IPv6 address.
        std::fs::write(
            folder.join("resolv.conf"),
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        )?;
        Ok(())
    }

    fn files(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }

    /// A command that runs in this namespace as Envoy's group, which is not redirected.
    pub fn as_envoy(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]);
        for (at, folder) in &self.folders {
            // `ip netns exec` has made a mount namespace of the process's own: nobody else sees this.
            inside
                .args(["sh", "-ec", "mount --bind \"$0\" \"$1\"; shift; exec \"$@\""])
                .args([folder, at]);
        }
        inside
            .args(["setpriv", "--regid", ENVOY_GROUP, "--clear-groups"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    /// Runs `act` on a thread in this namespace and waits for it: every socket it opens belongs there.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(format!("/var/run/netns/{}", self.name))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> Result<T> {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(act())
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a command in the namespace.
    pub(super) fn run(&self, command: &[&str]) -> Result<Output> {
        run(&[&["ip", "netns", "exec", &self.name], command].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.files());
        // Its end of the cable, and with it the other one, goes along.
        let _ = run(&["ip", "netns", "delete", &self.name]);
    }
}

/// A device name of at most 15 bytes that no other address has.
fn cable(address: Ipv4Addr) -> String {
    let [.., c, d] = address.octets();
    format!("fm-{c}-{d}")
}

/// Runs a command of the machine.
pub(super) fn run(command: &[&str]) -> Result<Output> {
    let [program, arguments @ ..] = command else {
        bail!("no command");
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output)
}
