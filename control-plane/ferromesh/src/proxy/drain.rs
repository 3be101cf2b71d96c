//! Taking a proxy out of service: Envoy tells its clients to go, then this waits until they have gone.

use std::time::{Duration, Instant};

use super::admin::Admin;

/// How often the connections are counted.
const POLL: Duration = Duration::from_millis(100);
/// How long nobody may be connected, and nobody new may come, until the proxy counts as left. A load balancer
/// that still believes in the proxy sends something within a second, or has nothing to send.
const QUIET: Duration = Duration::from_secs(1);

/// How long requests that are under way may take after the listeners have closed.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Starts a graceful drain, waits until it has done its work, and closes the listeners.
///
/// The listeners stay open at first: answers carry `connection: close` or GOAWAY, with growing probability over
/// `wait`. That phase takes `wait` at most, less when no downstream connection is left. Then nothing new is accepted,
/// and requests under way get five seconds more.
pub async fn drain(admin: &Admin, wait: Duration) {
    let begun = Instant::now();
    if !post(admin, "/drain_listeners?graceful").await {
        return;
    }
    tracing::info!(wait_seconds = wait.as_secs(), "draining");
    let left = until_left(admin, wait).await;
    // Ending Envoy now would cut requests that have just arrived.
    if post(admin, "/drain_listeners").await {
        let closed = Instant::now();
        while closed.elapsed() < LAST_REQUESTS {
            match downstream(admin).await {
                Some(downstream) if downstream.requests > 0 => tokio::time::sleep(POLL).await,
                _ => break,
            }
        }
    }
    tracing::info!(seconds = begun.elapsed().as_secs_f32(), ?left, "drained");
}

async fn post(admin: &Admin, path: &str) -> bool {
    match admin.post(path).await {
        Ok(answer) if answer.status.is_success() => return true,
        Ok(answer) => {
            tracing::warn!(
                path,
                status = answer.status.as_u16(),
                body = answer.text(),
                "envoy refused to drain"
            );
        }
        Err(error) => tracing::warn!(path, error = %error, "envoy cannot be drained"),
    }
    false
}

/// Whether the clients have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    All,
    /// The time was over first.
    NotAll,
}

async fn until_left(admin: &Admin, wait: Duration) -> Left {
    let begun = Instant::now();
    let mut quiet_since: Option<(Instant, u64)> = None;
    while begun.elapsed() < wait {
        match downstream(admin).await {
            Some(Downstream { active: 0, total, .. }) => match quiet_since {
                Some((since, before)) if before == total => {
                    if since.elapsed() >= QUIET {
                        return Left::All;
                    }
                }
                _ => quiet_since = Some((Instant::now(), total)),
            },
            // Connected, or not known: wait the whole time.
            _ => quiet_since = None,
        }
        tokio::time::sleep(POLL).await;
    }
    Left::NotAll
}

/// What clients are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Downstream {
    /// Connections open now.
    active: u64,
    /// Connections opened ever.
    total: u64,
    /// HTTP requests under way.
    requests: u64,
}

async fn downstream(admin: &Admin) -> Option<Downstream> {
    // ^(listener\..*\.downstream_cx_(active|total)|http\..*\.downstream_rq_active)$
    const FILTER: &str = "/stats?filter=%5E(listener%5C..*%5C.downstream_cx_(active%7Ctotal)%7C\
                          http%5C..*%5C.downstream_rq_active)%24";
    let answer = admin.get(FILTER).await.ok()?;
    answer.status.is_success().then(|| count(&answer.text()))
}

fn count(stats: &str) -> Downstream {
    let mut sum = Downstream::default();
    for line in stats.lines() {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        // Our own look at the statistics is a connection and a request too.
        if name.starts_with("listener.admin.") || name.starts_with("http.admin.") {
            continue;
        }
        let value = value.trim().parse().unwrap_or(0);
        if name.ends_with(".downstream_cx_active") {
            sum.active += value;
        } else if name.ends_with(".downstream_cx_total") {
            sum.total += value;
        } else {
            sum.requests += value;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_listener_but_the_admin_interface() {
        let stats = "listener.0.0.0.0_15000.downstream_cx_active: 2\n\
                     listener.0.0.0.0_15000.downstream_cx_total: 7\n\
                     listener.[__]_15001.downstream_cx_active: 1\n\
                     listener.admin.downstream_cx_active: 1\n\
                     listener.admin.downstream_cx_total: 9\n\
                     http.ingress.http.8080.downstream_rq_active: 4\n\
                     http.admin.downstream_rq_active: 1\n";
        let expected = Downstream {
            active: 3,
            total: 7,
            requests: 4,
        };
        assert_eq!(count(stats), expected);
    }
}
