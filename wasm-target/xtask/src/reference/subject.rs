//! What no type says about a filter: what it does, where it is attached, what it costs, how it fails.

/// One filter's page.
pub struct Subject {
    /// The page's, the module's and the samples' name.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The member of a route's policy, and of a policy's `spec` in the control plane.
    pub member: &'static str,
    /// Its type in the schema.
    pub definition: &'static str,
    /// What it does.
    pub does: &'static str,
    /// How the member of `/v1/policies` differs from the table.
    pub in_policies: &'static str,
    /// The member in the smallest policy that is of use, as JSON.
    pub example: &'static str,
    /// What the example does.
    pub shows: &'static str,
    /// The same in the control plane, where it is written differently.
    pub in_policy: Option<&'static str>,
    /// What it asks of the host for each request.
    pub cost: &'static str,
    /// What happens when it cannot decide.
    pub failure: &'static str,
}

const SAME: &str = "The member is the same there.";

/// All filters, in the order in which the fused module decides.
pub const SUBJECTS: [Subject; 7] = [
    Subject {
        name: "rate-limit",
        title: "Rate limit",
        member: "rateLimit",
        definition: "RateLimitConfig",
        does: "Admits a number of requests in each window, by route, header, peer address or certificate, with token \
               buckets or sliding windows. A request must be admitted by every limit of its route; what is over a limit is \
               answered with `status` and `retry-after`. Counts are in the memory that all workers of one Envoy share, so \
               a limit holds for the process and outlives a reload of the module; each Envoy counts for itself.",
        in_policies: "The members of the table stand beside `global`, which names a rate limit service \
                      (`envoy.service.ratelimit.v3`) that counts over all proxies: `ferromesh rate-limit-service`, which is \
                      told each limit by the policy, or one of your own. Either may be given alone.",
        example: r#"{"limits": [
  {"name": "per-user", "requests": 100, "windowSeconds": 60, "key": {"header": "x-user"}}
]}"#,
        shows: "A user makes 100 requests at once and after that 100 in each minute. Requests without `x-user` share one such \
                limit.",
        in_policy: None,
        cost: "A read for each kind of key other than `route`. A read and a write of shared data for each limit, but under \
               load a worker takes at once what about 10 ms admit (never more than a hundredth of the limit), and most \
               requests cost neither. With `headers`, two writes to the response.",
        failure: "Fails closed. When shared data cannot be read or written, requests are denied with 503, unless `onError` is \
                  `allow`. A key that finds no room among `keys` shares one count with some others.",
    },
    Subject {
        name: "fault",
        title: "Fault injection",
        member: "fault",
        definition: "FaultConfig",
        does: "Delays a share of the requests, answers a share with an error, or both, so that what depends on them can be \
               tried. The two shares are drawn apart; a request that is drawn for both waits first. With `when` only \
               requests that carry a mark are concerned, and nobody else's fail.",
        in_policies: SAME,
        example: r#"{
  "when": {"header": "x-fault", "value": "on"},
  "delay": {"millis": 200},
  "abort": {"status": 503, "percent": 50}
}"#,
        shows: "Requests with `x-fault: on` wait 200 ms, and half of them are then answered with 503.",
        in_policy: None,
        cost: "One read of a header with `when`, none without. While requests wait, the module is woken every few milliseconds.",
        failure: "Fails open: it protects nothing, so requests may pass without it.",
    },
    Subject {
        name: "canary",
        title: "Canary",
        member: "canary",
        definition: "CanaryConfig",
        does: "Chooses which of a route's weighted targets gets a request: a tester's own choice first, then the sticky \
               choice, then a draw by weight. A change of weights moves only as many sticky users as it must. Weights may \
               follow a ramp without any push, and a target that is worse than its baseline beyond doubt loses its \
               requests. The choice is a number in the request header `x-ferromesh-pick`, which Envoy's \
               `weighted_clusters.header_name` reads, so the router never leaves the route's own targets.",
        in_policies: "`weights` is left out there: weights are those of the route. A ramp is also started, paused and resumed by \
                      the API.",
        example: r#"{
  "weights": [90, 10],
  "sticky": {"header": "x-user"},
  "override": {"header": "x-canary"}
}"#,
        shows: "90 of 100 users meet the first target, 10 the second, and each stays there. Testers name a target in \
                `x-canary`.",
        in_policy: Some(
            r#"{
  "sticky": {"header": "x-user"},
  "override": {"header": "x-canary"}
}"#,
        ),
        cost: "One write (the number). A read for each source of `sticky` that is looked at and for `override`; `anyOf` stops \
               at the first source that the request has. A cookie that is set costs a write to the response. `rollback` \
               reads the status at the end.",
        failure: "Fails open: without the filter Envoy draws by the same native weights, so the split holds, but users move and \
                  ramps and rollbacks are not in effect.",
    },
    Subject {
        name: "circuit-breaker",
        title: "Circuit breaker",
        member: "circuitBreaker",
        definition: "CircuitBreakerConfig",
        does: "Keeps requests away from an upstream that fails or is slow. Admitting: outcomes are counted over a window, and \
               enough errors (5xx, or a gRPC status that means one where `observability.grpc` is on) or slow responses eject. \
               Ejecting: requests go to the route's other targets, if the route has a `canary`, or are answered at once with \
               `status` and `retry-after`. Probing: one request at a time goes on; `probes` successes in a row admit again, \
               one failure ejects for twice as long.",
        in_policies: SAME,
        example: r#"{"errorRatio": 0.5, "minRequests": 20, "windowSeconds": 10, "ejectSeconds": 30}"#,
        shows: "These are the defaults: half of at least 20 requests within 10 seconds ejects for 30 seconds.",
        in_policy: None,
        cost: "One read of the status for each response; no shared data. Each worker decides from what it saw itself.",
        failure: "Fails closed: it protects an upstream, so requests do not pass while the module cannot run. A reloaded module \
                  begins without history and admits.",
    },
    Subject {
        name: "retry",
        title: "Retry",
        member: "retry",
        definition: "RetryConfig",
        does: "Bounds how many attempts requests may cost. Envoy's router makes the retries; the filter lowers their number \
               (`x-envoy-max-retries`) when the budget of the virtual service has fewer left, so that hops that fail do not \
               multiply attempts. With `native: false` the filter also states the whole policy in request headers, for \
               routes that have none. The budget belongs to the virtual service in each worker; `upstream` in the [plugin \
               configuration](plugin.md) is exact over all workers and sees every attempt.",
        in_policies: "The member has a form of its own there, because conditions and numbers are those of App Mesh's retry \
                      policy: `enabled`, `nonIdempotent` (`neverProcessed` or `retry`), `idempotencyKeyHeader`, `budget` \
                      (with a `mode`: `native`, `filter` or `exact`), `alongPath`, `headers`, `backoff`, `retryAfter` and \
                      `hedging`.",
        example: r#"{
  "native": false,
  "maxRetries": 2,
  "retryOn": ["gateway-error", "connect-failure", "refused-stream"],
  "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}
}"#,
        shows: "Two retries of a request, and of all requests at most one for every five, and three each second besides. A \
                `POST` is repeated only if no upstream can have processed it.",
        in_policy: Some(
            r#"{"budget": {"mode": "filter", "ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}}"#,
        ),
        cost: "One read for each response (the attempts). A write when the number is lowered. With `native: false`, a read of \
               the method unless `nonIdempotent` is `retry`, and a write for each header of the policy.",
        failure: "Fails open: without the filter the native retry policy of the route holds, without a budget. With `native: \
                  false` nothing is retried then.",
    },
    Subject {
        name: "observability",
        title: "Observability",
        member: "observability",
        definition: "ObservabilityConfig",
        does: "Counts requests, durations and retries by mesh, reporter, node, service, route, target and class of status; keeps \
               or makes trace context (W3C, B3, AWS X-Ray) and request ids; tells in response headers, `server-timing` and \
               access logs which route and target answered. Metrics are counted in the module and written to the host every \
               `flushMillis` of the [plugin configuration](plugin.md); the number of series is bounded, and what is beyond \
               the bound is counted as `other`.",
        in_policies: "`metrics` is called `enabled` there, and each setting is decided by itself: the narrowest policy that has it \
                      wins. Where `responseHeaders` is absent, it is on at virtual nodes and off at gateways.",
        example: r#"{
  "metrics": true,
  "traceContext": {"accept": ["w3c", "b3"], "emit": ["w3c"]},
  "requestId": true
}"#,
        shows: "Requests are counted; a trace in the form of W3C or B3 is kept and passed on as W3C; a request without \
                `x-request-id` gets one.",
        in_policy: Some(
            r#"{
  "enabled": true,
  "traceContext": {"accept": ["w3c", "b3"], "emit": ["w3c"]},
  "requestId": true
}"#,
        ),
        cost: "`metrics`: one read of the status, and no call for a metric on the path of a request. `traceContext`: one read \
               for each form that is looked for, and the writes of those that are emitted. `requestId`: one read. `attempts`: \
               one read. `grpc`: one read at the end. `appMesh`: two reads at the end. `accessLog`: one write at the end. \
               `responseHeaders` and `serverTiming`: their writes to the response.",
        failure: "Fails open: requests pass without being counted. A trace that is not valid is replaced, never passed on.",
    },
    Subject {
        name: "headers",
        title: "Headers",
        member: "headers",
        definition: "HeadersConfig",
        does: "Sets, adds and removes headers of requests and responses. Values may hold variables: VARIABLES. A variable without \
               a value is empty, and a value that comes out empty is not written. What is longer than 4096 bytes once rendered \
               is cut.",
        in_policies: SAME,
        example: r#"{
  "request": [
    {"set": {"name": "x-route", "value": "{virtualService}/{route}"}},
    {"remove": "x-debug"}
  ],
  "response": [{"remove": "server"}]
}"#,
        shows: "The target gets `x-route: color.local/r1` and never `x-debug`; the client does not get `server`.",
        in_policy: None,
        cost: "A write for each operation; a read for each variable that is not of the mesh (`request.*`, `source.*`, \
               `response.*`), once for each value that holds it.",
        failure: "Fails closed: headers that keep something away must not be left out, so requests do not pass while the module \
                  cannot run.",
    },
];
