//! Every code with its severity, its reason and the mend.

use ferromesh_ir::lint;

use crate::Severity::{self, Error, Note, Warning};

/// What there is to say about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// `FM201`.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Why that is so.
    pub reason: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

impl Explained {
    /// Every code, those of lowering first.
    pub fn all() -> Vec<Self> {
        let lowered = lint::Code::ALL.iter().map(|code| Self::lowered(*code));
        lowered.chain(Code::ALL.iter().map(|code| code.explained())).collect()
    }

    /// A code of lowering.
    pub fn lowered(code: lint::Code) -> Self {
        let (severity, reason, mend) = lowered(code);
        Self {
            code: code.as_str(),
            title: code.title(),
            severity,
            reason,
            mend,
        }
    }
}

/// The kinds of findings over a whole mesh.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $title:literal, $severity:ident, $reason:literal, $mend:literal;)+) => {
        /// A kind of finding over a whole mesh.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $variant,)+
        }

        impl Code {
            /// Every kind, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What there is to say about it.
            pub fn explained(self) -> Explained {
                let (code, title, severity, reason, mend) = match self {
                    $(Self::$variant => ($code, $title, $severity, $reason, $mend),)+
                };
                Explained { code, title, severity, reason, mend }
            }
        }
    };
}

codes! {
    /// A route of a virtual router comes after another that takes every request it would.
    RouteShadowed = "FM201", "route behind one that takes everything", Error,
        "Routes are tried in order: priority, then exact paths, long prefixes, short prefixes, expressions, then more conditions first, then the older route. The first that matches takes the request.",
        "Give the narrower route a lower priority number than the wider one, or leave out both priorities so that the longer path goes first.";
    /// A gateway route comes after another that takes every request it would.
    GatewayRouteShadowed = "FM202", "gateway route behind one that takes everything", Error,
        "Gateway routes of one host are tried in order: priority, then exact paths, long prefixes, short prefixes, expressions, then more conditions first, then the older one. The first whose service has a route for the request takes it.",
        "Give the narrower gateway route a lower priority number, or remove it.";
    /// A gateway route for a host keeps that host's requests from gateway routes without one.
    HostHidesRoutes = "FM203", "host whose requests do not fall through", Warning,
        "A host name that gateway routes name has a virtual host of its own in Envoy, and what its routes do not take is answered with 404; routes without a host are not tried. So it was in App Mesh.",
        "Repeat the gateway route without a host for this host, or take the host out of the match.";
    /// The attempts of the hops of a call path multiply to more than 16.
    RetryAmplification = "FM204", "attempts that multiply along a path", Warning,
        "Each hop that retries sends its requests again for each attempt of the hop before it. Where something fails for long, its callers ask for a multiple of the usual load. By default only the first hop of a call retries (retry.alongPath); a policy of everyHop, or many retries at one hop, come to this.",
        "Retry at one hop only: leave retry.alongPath at firstHop, and lower maxRetries.";
    /// perRetryTimeout is longer than the time for the whole request.
    TryLongerThanRequest = "FM205", "attempt that may take longer than the request", Warning,
        "The time for the request covers all its attempts. If the first may use it up, there is no second one after a timeout; failures that come quickly are still tried again.",
        "Set perRetryTimeout to a part of timeout.perRequest, or raise timeout.perRequest (15 s where it is not set).";
    /// A route allows more time than the listener of its target.
    TargetCutsTimeout = "FM206", "longer timeout that the target cuts", Warning,
        "The target's own proxy gives up after its listener's timeout, 15 s where it has none, and answers 504. App Mesh wanted a long timeout in every place that a request passes, which was its most frequent surprise.",
        "Set timeout.perRequest of the virtual node's listener to at least the route's.";
    /// A listener allows more time than the route that leads to it, which says nothing.
    RouteCutsTimeout = "FM207", "longer timeout that the route cuts", Warning,
        "A route without timeout.perRequest ends its requests after 15 s, App Mesh's default; the route of a virtual service whose provider is a virtual node has no way to say another.",
        "Set timeout.perRequest of the route; where the provider is a virtual node, put a virtual router between.";
    /// A node's call may take longer than the node has for its own answer.
    CallerCutsTimeout = "FM208", "longer timeout than the caller has itself", Note,
        "The caller is itself called through its proxy, whose listener ends the request that the call is made for. The call then goes on for nobody. It is right for work that is done after the answer.",
        "Set timeout.perRequest of the caller's listener to at least that of its calls.";
    /// No route of a virtual router is for one of its listeners.
    ListenerWithoutRoute = "FM209", "listener of a router without a route", Error,
        "Who calls the virtual service on this port finds no route: requests are answered with 404, connections closed.",
        "Add a route whose match.port is this port, or remove the listener.";
    /// A route names a port that is no listener of its virtual router.
    RouteWithoutListener = "FM210", "route for a port that its router has not", Error,
        "A route is live on the router's listener that it names. Routes are checked when they are written; the listener went later.",
        "Add the listener, or correct match.port.";
    /// A listener's health check names a port on which the node does not listen.
    HealthCheckPort = "FM211", "health check on a port that is no listener", Note,
        "Callers check the port directly. Where all of a task's traffic is redirected into its proxy, that port leads nowhere and the task never becomes healthy; where only the listeners' ports are redirected, it reaches the application.",
        "Check the listener's own port, or see to it that the port is not redirected.";
    /// Outlier detection at a node that is found by the DNS name of a load balancer.
    OutlierOfOne = "FM212", "outlier detection over one endpoint", Note,
        "Such a name is one endpoint to Envoy. When it is ejected none is left, and Envoy then sends requests to it nevertheless.",
        "Set responseType ENDPOINTS where the name resolves to the tasks themselves, or find them in the registry.";
    /// A listener asks for a client certificate, and a caller has none to show.
    ClientCertificateMissing = "FM213", "call without the client certificate that is asked for", Error,
        "With tls.validation a listener lets in only clients with a certificate that it trusts; the handshake fails, and calls are answered with 503.",
        "Give the caller a client policy with tls.certificate, in backendDefaults or at the backend.";
    /// One end of a call asks for names that the other end's certificate does not have.
    CertificateNames = "FM214", "certificate for other names than are asked for", Error,
        "A certificate of the built-in CA is for the host names of the nodes that show it, or the gateway's name, and for the SPIFFE identity where one resource shows it. None of them is asked for. Certificates in files, in other SDS servers and imported ones are not looked at.",
        "Ask for one of the names that the certificate has, or leave the list out: then the host name is asked for.";
    /// A node's calls can lead back to it.
    CallCycle = "FM215", "calls that go round", Note,
        "A request that goes round never ends by itself, and retries multiply at each turn. It is harmless where different requests take the two directions.",
        "Remove the backend that closes the circle, if nothing needs it.";
    /// Two virtual nodes find the same tasks by the same port.
    SameTasks = "FM216", "nodes with the same tasks", Warning,
        "What is sent to one reaches the tasks of the other: weights between them decide nothing, and a canary is not one.",
        "Give each node a name of its own, or tell them apart by awsCloudMap attributes.";
    /// serviceDiscovery.dns.hostname is an IP address.
    HostIsAddress = "FM217", "address as host name", Note,
        "It works, and stays the same address: tasks that move or are added are not found, and a certificate would have to be for the address.",
        "Use a DNS name or the registry.";
    /// No virtual node has the virtual service as backend, and no gateway route leads to it.
    ServiceUncalled = "FM218", "virtual service that nobody calls", Note,
        "A node's proxy knows only its backends. An application that calls the name reaches whatever DNS says, past the mesh, or nothing.",
        "Add it to the backends of the nodes that call it, or delete it.";
    /// No virtual service has the virtual router as provider.
    RouterUnused = "FM219", "virtual router that provides nothing", Note,
        "A router's routes are live where a virtual service names it.",
        "Make it the provider of a virtual service, or delete it with its routes.";
    /// Nothing leads to a virtual node, and it has no backends.
    NodeApart = "FM220", "virtual node apart from all others", Note,
        "It is no target, no provider, named by no policy, and calls nothing: its proxy has nothing to do.",
        "Add it to a route's targets, make it a provider, or delete it.";
    /// A virtual gateway has no gateway routes.
    GatewayWithoutRoutes = "FM221", "virtual gateway without gateway routes", Warning,
        "Requests are answered with 404 until there is one.",
        "Add a gateway route.";
    /// A policy's target, or a virtual node that it names, does not exist any more.
    PolicyWithoutTarget = "FM222", "policy for something that is gone", Warning,
        "Resources can be deleted while policies name them. A policy without its target has no effect.",
        "Delete the policy, or create what it names.";
}

/// Severity, reason and mend of what is found while a proxy's configuration is made.
fn lowered(code: lint::Code) -> (Severity, &'static str, &'static str) {
    match code {
        lint::Code::PortTwice => (
            Error,
            "Envoy can open a port once; the second listener of the same port would make it refuse them all.",
            "Give each listener a port of its own.",
        ),
        lint::Code::BackendUnreachable => (
            Error,
            "A caller's proxy is configured from the listeners of what provides the service, and there are none. App Mesh did not check backends at all.",
            "Create the virtual service with a provider that has listeners, correct the backend's name, or remove the backend.",
        ),
        lint::Code::BackendPortTaken => (
            Error,
            "Requests name their host, so that several services share a port; bytes name nothing, so that a TCP service needs a port for itself.",
            "Give one of the services another port: its virtual router's listener, or its virtual node's.",
        ),
        lint::Code::BackendWithoutRoute => (
            Error,
            "Connections are sent where the first TCP route for the port says, and no route is for it.",
            "Add a tcpRoute whose match.port is this port, or none.",
        ),
        lint::Code::BackendNameNotHost => (
            Error,
            "A request is told apart by its Host header, and this name cannot stand in one.",
            "Name the virtual service like a host, without blanks and stars.",
        ),
        lint::Code::BackendNameTaken => (
            Error,
            "Host names are the same whatever their case, so that two backends claim the same requests.",
            "Remove one of the backends, or give the services names that differ by more than case.",
        ),
        lint::Code::GatewayPoolPerTarget => (
            Note,
            "App Mesh's gateways were two hops in one Envoy, and the pool was between them. In one hop there is no place that all requests pass: the limit is each target's.",
            "Divide the limit by the number of targets if it must hold for all of them together, or set connection pools at the virtual nodes' listeners.",
        ),
        lint::Code::GatewayRouteLeftOut => (
            Error,
            "Envoy refuses a whole route table for one expression, header or path that it does not take; so what it would refuse is left out.",
            "Correct what the message names.",
        ),
        lint::Code::GatewayRouteWithoutService => (
            Error,
            "A gateway route leads to the routes of what provides its virtual service, on one of its ports; here nothing can be meant.",
            "Give the virtual service a provider with listeners, and name the port in action.target.port where there are several. Gateways carry no TCP.",
        ),
        lint::Code::ServiceRouteLeftOut => (
            Error,
            "Gateway route and service route are one route in Envoy. What the service's route matches on has to be said of the path before it is rewritten, and for this pair it cannot be.",
            "Match a prefix or an exact path in the service's route, or do without the rewrite.",
        ),
        lint::Code::PrefixRewriteWithoutPrefix => (
            Warning,
            "A match on a whole path has no prefix that could be replaced.",
            "Use rewrite.path.exact, or match a prefix.",
        ),
        lint::Code::GatewayRouteWithoutListener => (
            Error,
            "A gateway route is live on listeners of its own protocol, and of its port if it names one.",
            "Add the listener, or make the gateway route one for the listener's protocol (httpRoute, http2Route, grpcRoute).",
        ),
        lint::Code::RouteLeftOut => (
            Error,
            "Envoy refuses a whole route table for one expression, header or path that it does not take; so what it would refuse is left out.",
            "Correct what the message names.",
        ),
        lint::Code::RouteNotForHttp => (
            Error,
            "On this port of the router requests arrive, and a TCP route cannot tell them apart.",
            "Name the TCP listener's port in the route's match.port, or make it a route of the listener's protocol.",
        ),
        lint::Code::RouteProtocol => (
            Warning,
            "App Mesh let such a pair pass and its behaviour was not to be foretold. Here the route is live with what both have in common.",
            "Make the route one of the listener's protocol, or change the listener.",
        ),
        lint::Code::NoWeight => (
            Error,
            "Weights are shares of their sum, and there is no share of nothing.",
            "Give at least one target a weight above 0.",
        ),
        lint::Code::HedgingWithoutTime => (
            Warning,
            "The next attempt starts when one has taken its time, and no attempt has one.",
            "Set retryPolicy.perRetryTimeout at the route.",
        ),
        lint::Code::RouteNeverTaken => (
            Error,
            "Bytes carry nothing to match on, so that the first route of the port takes every connection.",
            "Leave one TCP route for each port, and divide connections by its weights.",
        ),
        lint::Code::TargetMissing => (
            Error,
            "The name leads nowhere. The target's share of the requests is answered with 503; the other shares stay what they are.",
            "Create the virtual node, or remove the target.",
        ),
        lint::Code::TargetWithoutListener => (
            Error,
            "Which listener of the node is meant cannot be known. Such routes were black holes in App Mesh, without a word.",
            "Name one of the node's listener ports in the target's port, or add the listener.",
        ),
        lint::Code::TargetProtocol => (
            Warning,
            "What the node's listener speaks is what is sent to it: a request of another protocol is translated where Envoy can, and fails where it cannot.",
            "Make the router's listener, the route and the node's listener one protocol.",
        ),
        lint::Code::HealthCheckLeftOut => (
            Warning,
            "Envoy refuses every cluster of the proxy for one health check that it cannot carry out; so it is left out, and every task counts as healthy.",
            "Correct the check's protocol or path.",
        ),
        lint::Code::TlsPolicies => (
            Error,
            "One connection pool cannot do both, and which of the two policies is meant nobody can know.",
            "Give the backends that lead to this node the same client policy, or set it in backendDefaults.",
        ),
        lint::Code::HostName => (
            Error,
            "Nothing can be looked up by this name.",
            "Correct serviceDiscovery.dns.hostname: letters, digits, dots and hyphens.",
        ),
        lint::Code::NoDiscovery => (
            Error,
            "Who calls the node must find its tasks, and nothing says where they are.",
            "Set serviceDiscovery.dns or serviceDiscovery.awsCloudMap.",
        ),
        lint::Code::NotRegistered => (
            Error,
            "The node's tasks are looked up in the registry, and there is no such namespace or service.",
            "Create the namespace and the service in the registry, or correct the names.",
        ),
        lint::Code::ServerSpeaksFirst => (
            Note,
            "To tell TLS from plain text the proxy waits for the client's first bytes. If the client waits for the server's, both wait for ever.",
            "Use STRICT or DISABLED for protocols such as MySQL and SMTP.",
        ),
        lint::Code::NotImported => (
            Note,
            "App Mesh took the certificate from ACM. Until it is imported, a certificate of the built-in CA stands in, which only the mesh trusts.",
            "Import it: ferromesh certificate import.",
        ),
        lint::Code::TlsMissing => (
            Error,
            "The caller insists on TLS, and the listener does not speak it: no handshake ends well. App Mesh's answer was 503 without a reason.",
            "Give the listener tls with mode STRICT or PERMISSIVE, or set enforce to false, or take the port out of the policy.",
        ),
        lint::Code::CertificateUnchecked => (
            Note,
            "App Mesh encrypted such calls without asking who answers, and so it is here: what to trust is known to nobody but the author of a client policy.",
            "Give the callers a client policy with validation.trust.",
        ),
        lint::Code::LogFormat => (
            Warning,
            "Envoy refuses a listener for one command in its access log that it does not know; so the default format is used.",
            "Correct the command that the message names.",
        ),
        lint::Code::RetriesStay => (
            Warning,
            "Whether a canary or a breaker sees a failure depends on which target it is counted for. A retry at another target would hide it.",
            "Do without onRetry: otherTarget, or without the rollback or breaker.",
        ),
        lint::Code::FewerRetries => (
            Note,
            "With each target tried once there are no more attempts than targets.",
            "Lower maxRetries, or let retries stay at one target.",
        ),
        lint::Code::OverlapStays => (
            Note,
            "Envoy chooses the next target when an attempt has failed; an attempt that overlaps another has not failed yet.",
            "Do without hedging where retries go to another target.",
        ),
        lint::Code::SharedBudget => (
            Warning,
            "A budget is kept at the target, and there is one for each target.",
            "Give the services that share the target the same budget.",
        ),
        lint::Code::NoRamp => (
            Warning,
            "A ramp moves weights between two targets that it names, and this route has others.",
            "Give the route a policy of its own, or the same targets as the others.",
        ),
        lint::Code::Refused => (
            Error,
            "What protects must not be silently absent: requests are refused until the policy can be carried out.",
            "Correct what the message names in the policy.",
        ),
        lint::Code::FilterOff => (
            Warning,
            "The filter does not take the policy for this route; its requests pass without it.",
            "Correct what the message names in the policy.",
        ),
        lint::Code::ProtectionOff => (
            Warning,
            "The narrower policy's off says so. It may be what its author wants; it is said here because the wider policy protects requests.",
            "Remove the member from off if that is not meant.",
        ),
        lint::Code::NoSecretServer => (
            Error,
            "Envoy refuses each listener and cluster that takes a secret from a server of which its bootstrap has no cluster, and keeps what it had.",
            "Start the proxy with APPMESH_SDS_SOCKET_PATH, or take the certificate from files or an ARN.",
        ),
        // Codes that the lowering gets before they are explained here; a test holds that there is none.
        _ => (Warning, "", ""),
    }
}
