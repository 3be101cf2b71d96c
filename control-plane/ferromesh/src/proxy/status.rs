//! Whether the proxy is healthy: App Mesh's answer to `GET /status`, field by field.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::{
    admin::Admin,
    relay::{Relay, View},
};

/// The body of `GET /status`. All values are strings, as App Mesh's agent wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `HEALTHY` or `UNHEALTHY`.
    pub health_status: &'static str,
    /// Seconds since this process started, as `12s`.
    pub agent_uptime: String,
    /// Envoy's process id, `-1` while there is none.
    pub envoy_pid: String,
    /// Envoy's own word: `LIVE`, `DRAINING`, `PRE_INITIALIZING`, `INITIALIZING`; `UNREACHABLE` if it says nothing.
    pub envoy_state: String,
    /// How often Envoy was started again.
    pub envoy_restart_count: String,
    /// `CONNECTED` or `NOT_CONNECTED`: the agent, through which Envoy's configuration comes; of a bootstrap of the user's,
    /// Envoy.
    pub management_server_connection_status: &'static str,
    /// Which control plane is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_server_address: Option<String>,
    /// Since when it is connected (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_server_connected_timestamp: Option<String>,
    /// Since when the control plane is not connected (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_server_disconnected_timestamp: Option<String>,
    /// When Envoy acknowledged the last of the configuration that the agent keeps (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_configuration_timestamp: Option<String>,
    /// How long ago that was, as `12s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_configuration_age: Option<String>,
    /// Where Envoy's stream is answered from: `CONTROL_PLANE`, `LAST_GOOD`, or `NONE` while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_source: Option<&'static str>,
    /// `INITIALIZED` once Envoy was live, before `NOT_INITIALIZED`.
    pub envoy_readiness_state: &'static str,
    /// `UPDATE_SUCCESSFUL`, or `UPDATE_FAILED` if a listener of the first configuration could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_config_update_status: Option<&'static str>,
}

/// What is remembered between two looks at Envoy.
pub struct Health {
    started: Instant,
    relay: Option<Relay>,
    disconnected_timeout: Duration,
    memory: Mutex<Memory>,
}

#[derive(Clone, Debug)]
struct Memory {
    pid: Option<u32>,
    restarts: u64,
    disconnected_since: Option<(Instant, SystemTime)>,
    first_update: Option<FirstUpdate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstUpdate {
    Succeeded,
    Failed,
}

/// What one look at Envoy shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    state: Option<String>,
    connected: bool,
    listener_failures: u64,
}

impl Health {
    /// A proxy that has not been looked at. It counts as healthy without a control plane for `disconnected_timeout`.
    /// `relay`: what its configuration comes through, if it does.
    pub fn new(disconnected_timeout: Duration, relay: Option<Relay>) -> Self {
        Self {
            started: Instant::now(),
            relay,
            disconnected_timeout,
            memory: Mutex::new(Memory {
                pid: None,
                restarts: 0,
                disconnected_since: Some((Instant::now(), SystemTime::now())),
                first_update: None,
            }),
        }
    }

    /// Envoy has been started, for the `restarts`-th time after the first.
    pub fn envoy_started(&self, pid: Option<u32>, restarts: u64) {
        let mut memory = self.lock();
        memory.pid = pid;
        memory.restarts = restarts;
        memory.first_update = None;
    }

    /// Envoy has ended.
    pub fn envoy_ended(&self) {
        self.lock().pid = None;
    }

    /// Looks at Envoy.
    pub async fn look(&self, admin: &Admin) -> Status {
        let mut seen = look(admin).await;
        let relayed = self.relay.as_ref().map(Relay::view);
        let mut memory = self.lock();
        if let Some(view) = &relayed {
            // Envoy is connected to the agent, whatever the agent is connected to.
            seen.connected = view.address.is_some();
            memory.disconnected_since = view.address.is_none().then_some(view.since);
        }
        let mut status = judge(&mut memory, seen, self.started, self.disconnected_timeout);
        if let Some(view) = relayed {
            status.tell(&view);
        }
        status
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        // The memory is written field by field and is never half right.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    fn tell(&mut self, view: &View) {
        let shown = |time| crate::timestamp::rfc3339(since_epoch(time));
        self.configuration_source = Some(match &view.address {
            Some(_) => "CONTROL_PLANE",
            None if view.is_from_last_good => "LAST_GOOD",
            None => "NONE",
        });
        if let Some(address) = &view.address {
            self.management_server_address = Some(address.to_string());
            self.management_server_connected_timestamp = Some(shown(view.since.1));
        }
        if let Some(good_at) = view.good_at {
            self.last_good_configuration_timestamp = Some(shown(good_at));
            let age = good_at.elapsed().unwrap_or_default();
            self.last_good_configuration_age = Some(format!("{}s", age.as_secs()));
        }
    }
}

async fn look(admin: &Admin) -> Seen {
    // `/ready` says the state in one word, with 200 only when it is LIVE.
    let state = admin.get("/ready").await.ok();
    // ^(control_plane\.connected_state|listener_manager\.listener_create_failure)$
    const STATS: &str = "/stats?filter=%5E(control_plane%5C.connected_state%7C\
                         listener_manager%5C.listener_create_failure)%24";
    let stats = match &state {
        Some(_) => admin.get(STATS).await.ok().map(|answer| answer.text()),
        None => None,
    };
    let stat = |name: &str| {
        let line = stats.as_deref()?.lines().find(|l| l.starts_with(name))?;
        line.rsplit(": ").next()?.trim().parse::<u64>().ok()
    };
    Seen {
        state: state.map(|answer| answer.text().trim().to_owned()),
        connected: stat("control_plane.connected_state") == Some(1),
        listener_failures: stat("listener_manager.listener_create_failure").unwrap_or(0),
    }
}

fn judge(memory: &mut Memory, seen: Seen, started: Instant, disconnected_timeout: Duration) -> Status {
    let is_live = seen.state.as_deref() == Some("LIVE");
    memory.disconnected_since = match (seen.connected, memory.disconnected_since) {
        (true, _) => None,
        (false, None) => Some((Instant::now(), SystemTime::now())),
        (false, since) => since,
    };
    if is_live && memory.first_update.is_none() {
        memory.first_update = Some(if seen.listener_failures > 0 {
            FirstUpdate::Failed
        } else {
            FirstUpdate::Succeeded
        });
    }
    // Static stability: a proxy without its control plane goes on serving, and says so for a week.
    let connected_enough = memory
        .disconnected_since
        .is_none_or(|(since, _)| since.elapsed() < disconnected_timeout);
    let healthy = is_live && connected_enough && memory.first_update != Some(FirstUpdate::Failed);
    Status {
        health_status: if healthy { "HEALTHY" } else { "UNHEALTHY" },
        agent_uptime: format!("{}s", started.elapsed().as_secs()),
        envoy_pid: memory.pid.map_or("-1".to_owned(), |pid| pid.to_string()),
        envoy_state: seen.state.unwrap_or_else(|| "UNREACHABLE".to_owned()),
        envoy_restart_count: memory.restarts.to_string(),
        management_server_connection_status: if seen.connected { "CONNECTED" } else { "NOT_CONNECTED" },
        management_server_address: None,
        management_server_connected_timestamp: None,
        last_good_configuration_timestamp: None,
        last_good_configuration_age: None,
        configuration_source: None,
        management_server_disconnected_timestamp: memory
            .disconnected_since
            .map(|(_, time)| crate::timestamp::rfc3339(since_epoch(time))),
        envoy_readiness_state: match memory.first_update {
            Some(_) => "INITIALIZED",
            None => "NOT_INITIALIZED",
        },
        initial_config_update_status: memory.first_update.map(|update| match update {
            FirstUpdate::Succeeded => "UPDATE_SUCCESSFUL",
            FirstUpdate::Failed => "UPDATE_FAILED",
        }),
    }
}

pub(super) fn since_epoch(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Duration = Duration::from_secs(604_800);

    fn memory() -> Memory {
        Memory {
            pid: Some(7),
            restarts: 0,
            disconnected_since: Some((Instant::now(), SystemTime::now())),
            first_update: None,
        }
    }

    fn live(connected: bool, listener_failures: u64) -> Seen {
        Seen {
            state: Some("LIVE".into()),
            connected,
            listener_failures,
        }
    }

    #[test]
    fn a_live_proxy_is_healthy_without_its_control_plane_until_the_timeout() {
        let mut memory = memory();
        let status = judge(&mut memory, live(false, 0), Instant::now(), WEEK);
        assert_eq!(status.health_status, "HEALTHY");
        assert_eq!(status.management_server_connection_status, "NOT_CONNECTED");
        assert!(status.management_server_disconnected_timestamp.is_some());
        let status = judge(&mut memory, live(false, 0), Instant::now(), Duration::ZERO);
        assert_eq!(status.health_status, "UNHEALTHY");
        let status = judge(&mut memory, live(true, 0), Instant::now(), Duration::ZERO);
        assert_eq!(status.health_status, "HEALTHY");
        assert!(status.management_server_disconnected_timestamp.is_none());
    }

    #[test]
    fn a_listener_that_failed_in_the_first_configuration_is_unhealthy_for_good() {
        let mut memory = memory();
        judge(&mut memory, live(true, 1), Instant::now(), WEEK);
        let status = judge(&mut memory, live(true, 0), Instant::now(), WEEK);
        assert_eq!(status.health_status, "UNHEALTHY");
        assert_eq!(status.initial_config_update_status, Some("UPDATE_FAILED"));
    }

    #[test]
    fn a_proxy_that_says_nothing_is_unhealthy() {
        let status = judge(&mut memory(), Seen::default(), Instant::now(), WEEK);
        assert_eq!(status.health_status, "UNHEALTHY");
        assert_eq!(status.envoy_state, "UNREACHABLE");
        assert_eq!(status.envoy_readiness_state, "NOT_INITIALIZED");
        let json = serde_json::to_value(status).unwrap();
        assert_eq!(json["envoyPid"], "7");
        assert!(json.get("initialConfigUpdateStatus").is_none());
    }
}
