//! Descriptors: each connection takes one, and the usual limit of 1,024 is less than a mesh has proxies.

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

/// What the rest of the program takes: store, log, certificates, clients.
const RESERVE: u64 = 256;

/// Raises this process's limit of descriptors as far as it may, and gives how many of `wanted` connections there is room for.
pub fn for_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of descriptors cannot be raised");
            limit.current
        }
    };
    let room = limit.map_or(wanted, |limit| within(limit, wanted));
    if room < wanted {
        tracing::warn!(
            descriptors = limit,
            connections = room,
            wanted,
            "fewer connections than this server could have, because the system allows few descriptors (ulimit -Hn); further ones wait"
        );
    }
    room
}

fn within(limit: u64, wanted: usize) -> usize {
    // With a tiny limit, half of it: somebody must be served.
    let room = limit.saturating_sub(RESERVE).max(limit / 2);
    usize::try_from(room).unwrap_or(wanted).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(within(1024, 10_000), 768);
        assert_eq!(within(100, 10_000), 50);
        assert_eq!(within(1_048_576, 10_000), 10_000);
    }
}
