//! A network of tasks: a switch that joins the network namespaces of any number of them.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::{namespace::run, Namespace};

const SWITCH: &str = "fm-switch";

/// A network of 24 bits, gone when dropped.
#[derive(Debug)]
pub struct Network {
    /// Holds the switch, so that the machine's own network has no part in it.
    namespace: Namespace,
}

impl Network {
    /// A network without members.
    pub fn create() -> Result<Self> {
        let namespace = Namespace::create("switch")?;
        namespace.run(&["ip", "link", "add", SWITCH, "type", "bridge"])?;
        namespace.run(&["ip", "link", "set", SWITCH, "up"])?;
        Ok(Self { namespace })
    }

    /// Plugs a namespace in under an address of the network.
    pub fn join(&self, member: &Namespace, address: Ipv4Addr) -> Result<()> {
        let port = format!("fm-port-{}", address.octets()[3]);
        let (switch, name) = (self.namespace.name(), member.name());
        run(&[
            "ip", "link", "add", &port, "netns", switch, "type", "veth", "peer", "name", "eth0", "netns", name,
        ])?;
        self.namespace
            .run(&["ip", "link", "set", &port, "master", SWITCH, "up"])?;
        member.run(&["ip", "address", "add", &format!("{address}/24"), "dev", "eth0"])?;
        member.run(&["ip", "link", "set", "eth0", "up"])?;
        // Names that a test makes up resolve to somewhere: the way there only has to exist, redirection does the rest.
        member.run(&["ip", "route", "add", "default", "dev", "eth0"])?;
        Ok(())
    }
}
