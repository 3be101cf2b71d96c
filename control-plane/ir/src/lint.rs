//! Lints: why some of a user's configuration is not live, or not as its author may expect.
//!
//! Each kind has a code, which stays the same when the message's words change: pages explain it and scripts look for it.
//! The codes from FM101 on are found while a proxy's configuration is made.

use std::fmt;

/// One finding.
///
/// A lint never stops a proxy from being configured: one route that cannot be delivered must not hold up the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lint {
    /// Place of the resource in the mesh: `virtualRouter/r/route/t`.
    pub resource: String,
    /// What, lower case without a full stop.
    pub message: String,
    /// Which kind of finding.
    pub code: Code,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.resource, self.message)
    }
}

/// The kinds of findings, with their codes and titles.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $title:literal;)+) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $variant,)+
        }

        impl Code {
            /// Every kind, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code: `FM101`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What it is about, in a few words.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

codes! {
    /// A node or gateway has several listeners with one port; the first one has it.
    PortTwice = "FM101", "one port in several listeners";
    /// A backend's virtual service does not exist, has no provider, or its provider has no listeners.
    BackendUnreachable = "FM102", "backend without a provider";
    /// On one port of a node's egress there are bytes for one backend, or requests for several, not both.
    BackendPortTaken = "FM103", "backend on a port that another backend has";
    /// No route of a TCP backend is for the port on which it is called.
    BackendWithoutRoute = "FM104", "TCP backend without a route";
    /// Nothing can be called by the name of the virtual service.
    BackendNameNotHost = "FM105", "backend whose name cannot be a host";
    /// Names of hosts don't differ by case; the first backend has it.
    BackendNameTaken = "FM106", "backend with a name that another backend has";
    /// A gateway's connection pool limits the calls to each target, not all of them together.
    GatewayPoolPerTarget = "FM107", "connection pool of a gateway limits each target";
    /// The gateway route asks for something that Envoy has no configuration for.
    GatewayRouteLeftOut = "FM108", "gateway route left out";
    /// The virtual service of a gateway route has no provider, or not the port that is meant.
    GatewayRouteWithoutService = "FM109", "gateway route whose virtual service cannot be called";
    /// A service's route cannot be said in terms of the request as it is before the gateway route rewrites it.
    ServiceRouteLeftOut = "FM110", "route left out behind a gateway route";
    /// A gateway route that matches a path rewrites a prefix.
    PrefixRewriteWithoutPrefix = "FM111", "prefix rewrite without a prefix";
    /// The gateway has no listener of the gateway route's protocol and port.
    GatewayRouteWithoutListener = "FM112", "gateway route without a listener";
    /// The route asks for something that Envoy has no configuration for.
    RouteLeftOut = "FM113", "route left out";
    /// A TCP route is on a port of its router where requests arrive.
    RouteNotForHttp = "FM114", "TCP route on a port for requests";
    /// A route is for another protocol than the router's listener.
    RouteProtocol = "FM115", "route and listener of different protocols";
    /// No target of a route has a weight above 0.
    NoWeight = "FM116", "weights with the sum 0";
    /// Attempts overlap after a time that the route does not name.
    HedgingWithoutTime = "FM117", "hedging without a time for one attempt";
    /// Bytes carry nothing to match on: the first route takes every connection.
    RouteNeverTaken = "FM118", "TCP route behind one that takes everything";
    /// A route, a mirror or a guard names a virtual node that does not exist.
    TargetMissing = "FM119", "target that does not exist";
    /// The target has no listeners, not the port that is named, or several of which none is named.
    TargetWithoutListener = "FM120", "target without the listener that is meant";
    /// The target's listener speaks another protocol than the route is for.
    TargetProtocol = "FM121", "target of another protocol";
    /// A listener's health check cannot be carried out.
    HealthCheckLeftOut = "FM122", "health check left out";
    /// Backends of one node reach the same port of a target with different TLS policies.
    TlsPolicies = "FM123", "backends with different TLS policies for one target";
    /// A node's DNS name is none.
    HostName = "FM124", "host name that cannot be looked up";
    /// Nobody can know where the tasks of a node are.
    NoDiscovery = "FM125", "target without service discovery";
    /// The namespace or the service that a node names is not registered.
    NotRegistered = "FM126", "target that is not in the registry";
    /// A listener for bytes tells TLS from plain text by the client's first bytes, for which it must wait.
    ServerSpeaksFirst = "FM127", "PERMISSIVE for bytes";
    /// Nothing was imported for the ARN of a listener's certificate; the built-in CA issues one.
    NotImported = "FM128", "certificate that is not imported";
    /// A client policy enforces TLS towards a listener that does not speak it.
    TlsMissing = "FM129", "TLS towards a listener without";
    /// Callers without a client policy don't know what to trust in a listener's certificate.
    CertificateUnchecked = "FM130", "certificate that nobody checks";
    /// The format of an access log is one that Envoy refuses.
    LogFormat = "FM131", "access log in the default format";
    /// Retries at another target would hide failures from a rollback or a circuit breaker.
    RetriesStay = "FM132", "retries that stay at one target";
    /// Retries at another target try each other target once at most.
    FewerRetries = "FM133", "fewer retries than asked for";
    /// Envoy chooses another target only after a failure.
    OverlapStays = "FM134", "overlapping attempts that stay at one target";
    /// Services share a target; the budget of the first one holds.
    SharedBudget = "FM135", "exact retry budget on a target of several services";
    /// A canary for several routes does not fit one of them, which has other targets.
    NoRamp = "FM136", "canary without its ramp and rollback";
    /// The filter refuses a route's policy, so that its requests are refused too.
    Refused = "FM137", "policy that protects and cannot be carried out";
    /// The filter refuses a route's policy, so that the route has none.
    FilterOff = "FM138", "policy that cannot be carried out";
    /// A policy switches off what a wider one protects requests with.
    ProtectionOff = "FM139", "protection that a narrower policy takes back";
    /// A secret comes from the SDS server beside the proxy, and the proxy was started without one.
    NoSecretServer = "FM140", "secret of an SDS server that the proxy does not have";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own_in_ascending_order() {
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let expected: Vec<String> = (101..).take(codes.len()).map(|number| format!("FM{number}")).collect();
        assert_eq!(codes, expected);
        let titles: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), codes.len());
    }

    #[test]
    fn a_finding_starts_with_its_code() {
        let lint = Lint {
            resource: "virtualNode/a".into(),
            message: "it has no service discovery".into(),
            code: Code::NoDiscovery,
        };
        assert_eq!(lint.to_string(), "FM125 virtualNode/a: it has no service discovery");
    }
}
