//! `ferromesh redirect`: the packet rules that lead an application's traffic through its proxy, from App Mesh's
//! variables.
//!
//! It does what App Mesh's route manager did, with the same chains in the same order: what the task sends goes to Envoy's
//! egress listener, what arrives for the application's ports to the ingress listener, except Envoy's own traffic, what is
//! ignored by the variables, and what never leaves the host. One `iptables-restore --noflush` for each IP version: all
//! rules or none, and nobody else's are touched.

pub mod rules;
pub mod settings;
mod system;
pub mod table;

use settings::{Redirection, Start};
use system::Dry;
use table::{Family, Table};

use crate::{exit::Exit, proxy::environment::Environment};

/// The flags of `ferromesh redirect`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// What is to be done.
#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Redirect as the environment says; again with the same environment changes nothing
    ///
    /// APPMESH_IGNORE_UID or APPMESH_IGNORE_GID is required: the user or group that Envoy runs as. The others have App
    /// Mesh's defaults: APPMESH_APP_PORTS, APPMESH_ENVOY_INGRESS_PORT, APPMESH_ENVOY_EGRESS_PORT,
    /// APPMESH_EGRESS_IGNORED_IP, APPMESH_EGRESS_IGNORED_PORTS, APPMESH_ENABLE_IPV6, APPMESH_START_ENABLED.
    Up {
        /// Print what would be given to iptables-restore and ip6tables-restore, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove every rule that `up` has made
    Down {
        /// Print what would be given to iptables-restore and ip6tables-restore, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the rules that are in force
    Show,
}

/// Runs the command.
///
/// # Errors
/// What kept the rules from being read or changed.
pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    match arguments.action {
        Action::Up { dry_run } => {
            let look_up = |name: &str| std::env::var(name).ok();
            let mut env = Environment::new(&look_up);
            let read = Redirection::read(&mut env);
            match (env.finish(), read) {
                (Err(problems), _) => Ok(Exit::usage(problems)),
                (Ok(_), Start::Disabled) => {
                    tracing::info!("APPMESH_START_ENABLED is 0: nothing is redirected");
                    Ok(Exit::Success)
                }
                (Ok(_), Start::Enabled(redirection)) => up(&redirection, dry(dry_run)),
            }
        }
        Action::Down { dry_run } => down(dry(dry_run)),
        Action::Show => show(),
    }
}

fn dry(flag: bool) -> Dry {
    if flag {
        Dry::Print
    } else {
        Dry::Run
    }
}

fn up(redirection: &Redirection, dry: Dry) -> anyhow::Result<Exit> {
    let mut changes = Vec::new();
    for family in Family::ALL {
        let wanted = if family == Family::V6 && !redirection.ipv6 {
            Vec::new()
        } else {
            rules::chains(redirection, family)
        };
        // Without IPv6 there is nothing to read but what an earlier `up` may have left.
        let Some(current) = read(family, !wanted.is_empty(), dry)? else {
            continue;
        };
        let payload = if wanted.is_empty() {
            current.without()
        } else {
            Some(current.with(&wanted))
        };
        changes.extend(payload.map(|payload| (family, payload)));
    }
    // Both are tried before the first is made: a mistake in one leaves neither.
    system::apply(&changes, dry)?;
    Ok(Exit::Success)
}

fn down(dry: Dry) -> anyhow::Result<Exit> {
    let mut changes = Vec::new();
    for family in Family::ALL {
        let payload = read(family, family == Family::V4, dry)?.and_then(|current| current.without());
        changes.extend(payload.map(|payload| (family, payload)));
    }
    if changes.is_empty() {
        tracing::info!("nothing is redirected");
    }
    system::apply(&changes, dry)?;
    Ok(Exit::Success)
}

fn show() -> anyhow::Result<Exit> {
    for family in Family::ALL {
        let current = read(family, family == Family::V4, Dry::Run)?.unwrap_or_default();
        for line in current.ours() {
            println!("{} -t nat {line}", family.program());
        }
    }
    Ok(Exit::Success)
}

/// The rules now. `None`: they cannot be read and need not be, because this machine has no such IP version.
fn read(family: Family, is_needed: bool, dry: Dry) -> anyhow::Result<Option<Table>> {
    match system::save(family) {
        Ok(text) => Ok(Some(Table::parse(&text))),
        Err(error) if dry == Dry::Print => {
            tracing::warn!("{error:#}; printed is what a host without redirection needs");
            Ok(is_needed.then(Table::default))
        }
        Err(error) if is_needed => Err(error),
        Err(error) => {
            tracing::debug!("{error:#}");
            Ok(None)
        }
    }
}
