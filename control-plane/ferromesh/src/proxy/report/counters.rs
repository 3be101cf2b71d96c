//! Which of Envoy's counters are reported, summed over listeners, plugins and threads.

use std::collections::BTreeMap;

use serde::Serialize;

/// `^(server\.(uptime|state)|workers\.watchdog_mega_miss|http\..*\.downstream_rq_(completed|5xx)|`
/// `.*vm_reload_(success|failure)|.*(cds|lds|\.rds\..*|extension_config_discovery.*)\.(update_success|config_reload))$`
pub(super) const STATS: &str =
    "/stats?usedonly&filter=%5E(server%5C.(uptime%7Cstate)%7Cworkers%5C.watchdog_mega_miss%7C\
     http%5C..*%5C.downstream_rq_(completed%7C5xx)%7C.*vm_reload_(success%7Cfailure)%7C\
     .*(cds%7Clds%7C%5C.rds%5C..*%7Cextension_config_discovery.*)%5C.(update_success%7Cconfig_reload))%24";

/// `server.state` of an Envoy that has been told to drain.
const DRAINING: u64 = 1;

/// What Envoy has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counters {
    pub requests: u64,
    pub errors: u64,
    pub vm_failures: u64,
    /// Worker threads that stood still for a second.
    pub stalls: u64,
    pub uptime_seconds: u64,
    pub is_draining: bool,
    /// Configurations that it has taken: only for us.
    #[serde(skip)]
    pub taken: u64,
}

/// Sums that only grow while an Envoy runs: a counter that goes with its listener takes nothing with it.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Envoy's counters by name, as they were the last time.
    last: BTreeMap<String, u64>,
    sums: Counters,
}

impl Totals {
    /// Reads `name: value` lines.
    pub(super) fn read(&mut self, text: &str) -> Counters {
        let lines: Vec<(&str, u64)> = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((name, value.trim().parse().ok()?)))
            .collect();
        let gauge = |wanted: &str| lines.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let uptime_seconds = gauge("server.uptime").unwrap_or_default();
        if uptime_seconds < self.sums.uptime_seconds {
            // Another Envoy, that counts from nothing.
            *self = Self::default();
        }
        self.sums.uptime_seconds = uptime_seconds;
        self.sums.is_draining = gauge("server.state") == Some(DRAINING);
        let mut now = BTreeMap::new();
        for (name, value) in lines {
            let Some(sum) = self.sums.of(name) else { continue };
            // One that has become less was made anew.
            let before = self.last.get(name).filter(|before| **before <= value);
            *sum = sum.saturating_add(value - before.unwrap_or(&0));
            now.insert(name.to_owned(), value);
        }
        self.last = now;
        self.sums.clone()
    }
}

impl Counters {
    /// The sum that one of Envoy's counters goes into.
    fn of(&mut self, name: &str) -> Option<&mut u64> {
        match name.rsplit('.').next().unwrap_or_default() {
            // Envoy's own interface is no traffic.
            _ if name.starts_with("http.admin.") => None,
            "downstream_rq_completed" => Some(&mut self.requests),
            "downstream_rq_5xx" => Some(&mut self.errors),
            "vm_reload_success" | "vm_reload_failure" => Some(&mut self.vm_failures),
            "watchdog_mega_miss" => Some(&mut self.stalls),
            "update_success" | "config_reload" => Some(&mut self.taken),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
cluster_manager.cds.update_success: 2
http.admin.downstream_rq_5xx: 9
http.ingress.downstream_rq_5xx: 3
http.ingress.downstream_rq_completed: 10
http.egress.downstream_rq_completed: 5
http.egress.rds.rds_egress_http_8080.config_reload: 4
server.state: 1
server.uptime: 77
wasm.envoy.wasm.runtime.v8.plugin.mesh.vm_reload_success: 2
workers.watchdog_mega_miss: 1
";

    #[test]
    fn counters_are_summed_over_listeners_without_envoys_own() {
        let expected = Counters {
            requests: 15,
            errors: 3,
            vm_failures: 2,
            stalls: 1,
            uptime_seconds: 77,
            is_draining: true,
            taken: 6,
        };
        assert_eq!(Totals::default().read(SAID), expected);
        assert_eq!(Totals::default().read("no counters"), Counters::default());
    }

    #[test]
    fn a_listener_that_goes_and_comes_takes_nothing_away() {
        let mut totals = Totals::default();
        let requests = |a: Option<u64>, b: u64, uptime: u64| {
            let a = a.map(|a| format!("http.a.downstream_rq_completed: {a}\n"));
            format!(
                "{}http.b.downstream_rq_completed: {b}\nserver.uptime: {uptime}\n",
                a.unwrap_or_default()
            )
        };
        assert_eq!(totals.read(&requests(Some(100), 1, 1)).requests, 101);
        assert_eq!(totals.read(&requests(None, 3, 1)).requests, 103);
        assert_eq!(
            totals.read(&requests(Some(2), 3, 2)).requests,
            105,
            "it began with nothing"
        );
        assert_eq!(totals.read(&requests(Some(1), 4, 0)).requests, 5, "another Envoy");
    }
}
