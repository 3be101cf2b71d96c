//! Variables of App Mesh's agent that do nothing here, each with its reason: none is ignored without a word.

use crate::proxy::environment::Environment;

/// What happens when a variable is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The start is refused: whoever sets it wants another program than this one.
    Refused,
    /// It is said once in the log.
    Warned,
    /// Nothing is said: what it is for cannot go wrong here, and platforms set it for everybody.
    Needless,
}

/// The variables, what happens, and why.
pub const VARIABLES: &[(&str, Answer, &str)] = &[
    (
        "APPNET_ENABLE_RELAY_MODE_FOR_XDS",
        Answer::Refused,
        "an agent relays the configuration of its own Envoy only, and always: one for several proxies would have to speak \
         for all of them, and the control plane gives each certificate one proxy's configuration",
    ),
    (
        "APPNET_MANAGEMENT_DOMAIN_NAME",
        Answer::Warned,
        "APPMESH_XDS_ENDPOINT names the control planes",
    ),
    (
        "APPNET_MANAGEMENT_PORT",
        Answer::Warned,
        "APPMESH_XDS_ENDPOINT names the control planes",
    ),
    (
        "RELAY_STREAM_IDLE_TIMEOUT",
        Answer::Warned,
        "pings find dead connections; a stream on which nothing changes is a good one",
    ),
    (
        "RELAY_BUFFER_LIMIT_BYTES",
        Answer::Warned,
        "nothing is buffered: who reads slowly holds up who sends",
    ),
    (
        "APPMESH_PREVIEW",
        Answer::Warned,
        "it chooses among AWS's endpoints; APPMESH_XDS_ENDPOINT names ours",
    ),
    (
        "APPMESH_DUALSTACK_ENDPOINT",
        Answer::Warned,
        "it chooses among AWS's endpoints; APPMESH_XDS_ENDPOINT names ours",
    ),
    (
        "APPMESH_FIPS_ENDPOINT",
        Answer::Warned,
        "it chooses among AWS's endpoints; APPMESH_XDS_ENDPOINT names ours",
    ),
    (
        "AWS_REGION",
        Answer::Needless,
        "nothing is asked of AWS, nothing is signed",
    ),
    (
        "APPMESH_SIGNING_NAME",
        Answer::Needless,
        "nothing is asked of AWS, nothing is signed",
    ),
    (
        "PID_POLL_INTERVAL_MS",
        Answer::Needless,
        "the end of Envoy is waited for, not polled",
    ),
    (
        "APPMESH_SET_TRACING_DECISION",
        Answer::Warned,
        "Envoy 1.40 always does this; the runtime guard is gone",
    ),
    (
        "ENVOY_NO_EXTENSION_LOOKUP_BY_NAME",
        Answer::Warned,
        "Envoy 1.40 always does this; the runtime guard is gone",
    ),
    (
        "ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT",
        Answer::Warned,
        "Envoy 1.40 always does this; the runtime guard is gone",
    ),
    (
        "ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS",
        Answer::Warned,
        "Envoy 1.40 always does this; the runtime guard is gone",
    ),
    (
        "ENABLE_STATS_SNAPSHOT",
        Answer::Warned,
        "no snapshots are kept: counters are totals, and who collects them takes the difference",
    ),
];

/// Says what is set in vain.
pub(super) fn read(env: &mut Environment) {
    for (name, answer, why) in VARIABLES {
        let is_set = env
            .text(name)
            .is_some_and(|value| !matches!(value.as_str(), "0" | "false"));
        match answer {
            Answer::Refused if is_set => env.problem(format!("{name} is set: {why}")),
            Answer::Warned if is_set => env.warn(format!("{name} is set and has no effect: {why}")),
            Answer::Refused | Answer::Warned | Answer::Needless => {}
        }
    }
}
