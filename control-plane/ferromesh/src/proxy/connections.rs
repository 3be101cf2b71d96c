//! App Mesh's two metrics about connections, `ActiveConnectionCount` and `NewConnectionCount`.
//!
//! Its other seven are counted by the observability filter, which sees streams and not the connections that they come on.
//! Envoy counts those itself, for each listener's connection manager and TCP proxy; the agent adds them up and shows the
//! sums under App Mesh's names beside Envoy's own output. Only the agent can: Envoy's tags take parts of a name away and
//! put none in.

use std::fmt::Write;

use super::admin::{Admin, AdminError};
use crate::identity::{Identity, ProxyKind};

/// Envoy's counts of the connections that arrive: `^(http|tcp)\.ingress\..*\.downstream_cx_(active|total)$`
const STATS: &str = "/stats?filter=%5E(http%7Ctcp)%5C.ingress%5C..*%5C.downstream_cx_(active%7Ctotal)%24";

/// Connections of clients, over all listeners of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open now.
    pub active: u64,
    /// Opened since Envoy's start.
    pub new: u64,
}

impl Connections {
    /// Asks Envoy.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn count(admin: &Admin) -> Result<Self, AdminError> {
        Ok(Self::read(&admin.get(STATS).await?.text()))
    }

    fn read(stats: &str) -> Self {
        let mut sum = Self::default();
        for (name, value) in stats.lines().filter_map(|line| line.split_once(": ")) {
            let value = value.trim().parse::<u64>().unwrap_or(0);
            if name.ends_with(".downstream_cx_active") {
                sum.active += value;
            } else if name.ends_with(".downstream_cx_total") {
                sum.new += value;
            }
        }
        sum
    }

    /// Both metrics in Prometheus' text form, with the labels of the filter's metrics.
    pub fn prometheus(self, identity: &Identity) -> String {
        let kind = match identity.kind {
            ProxyKind::VirtualNode => "VirtualNode",
            ProxyKind::VirtualGateway => "VirtualGateway",
        };
        let (mesh, name) = (escape(&identity.mesh), escape(&identity.name));
        let mut text = String::new();
        for (metric, form, value) in [
            ("ActiveConnectionCount", "gauge", self.active),
            ("NewConnectionCount", "counter", self.new),
        ] {
            let _ = writeln!(
                text,
                "# TYPE envoy_appmesh_{metric} {form}\nenvoy_appmesh_{metric}{{Mesh=\"{mesh}\",{kind}=\"{name}\"}} {value}"
            );
        }
        text
    }
}

/// A label's value. Names hold no line breaks.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_stand_under_app_meshs_names() {
        let stats = "http.ingress.http.8080.downstream_cx_active: 2\nhttp.ingress.http.8080.downstream_cx_total: 7\n\
                     tcp.ingress.tcp.5432.downstream_cx_active: 1\ntcp.ingress.tcp.5432.downstream_cx_total: 3\n";
        let connections = Connections::read(stats);
        assert_eq!(connections, Connections { active: 3, new: 10 });
        let identity = Identity::parse("mesh/m/virtualGateway/g").unwrap();
        assert_eq!(
            connections.prometheus(&identity),
            "# TYPE envoy_appmesh_ActiveConnectionCount gauge\n\
             envoy_appmesh_ActiveConnectionCount{Mesh=\"m\",VirtualGateway=\"g\"} 3\n\
             # TYPE envoy_appmesh_NewConnectionCount counter\n\
             envoy_appmesh_NewConnectionCount{Mesh=\"m\",VirtualGateway=\"g\"} 10\n"
        );
    }
}
