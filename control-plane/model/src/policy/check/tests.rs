use serde_json::json;

use super::*;
use crate::policy::Policy;

fn found(policy: Value) -> Vec<String> {
    check(&policy).iter().map(ToString::to_string).collect()
}

/// Mistakes in a spec for a gateway.
fn in_spec(spec: Value) -> Vec<String> {
    found(json!({"target": {"virtualGateway": "g"}, "spec": spec}))
}

#[test]
fn takes_a_policy_with_everything_and_gives_it_back() {
    let policy = json!({
        "name": "p", "mesh": "m",
        "target": {"route": {"router": "r", "name": "t"}},
        "spec": {
            "canary": {
                "onRetry": "sameTarget", "sticky": {"cookie": "sid"}, "override": {"header": "x-canary"},
                "ramp": {"startUnixMillis": 1, "shape": "linear", "steps": [
                    {"afterSeconds": 0, "weights": [100, 0]}, {"afterSeconds": 600, "weights": [0, 100]}
                ]},
                "rollback": {"canary": "green", "baseline": "blue", "errorMarginPerMille": 20, "confidence": "0.99",
                             "windowSeconds": 60, "minRequests": 100}
            },
            "retry": {
                "enabled": true, "nonIdempotent": "retry", "idempotencyKeyHeader": "idempotency-key",
                "budget": {"mode": "filter", "ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10},
                "alongPath": "everyHop", "headers": [{"name": "x-retry", "value": "yes"}],
                "backoff": {"baseMillis": 25, "maxMillis": 250}, "retryAfter": {"maxMillis": 5000},
                "hedging": {"onPerTryTimeout": true}
            },
            "observability": {"enabled": true, "responseHeaders": false, "traceContext": {"accept": ["b3"], "emit": ["w3c"]},
                              "serverTiming": true, "grpc": true, "appMesh": true, "accessLog": true, "attempts": true},
            "rateLimit": {
                "limits": [{"name": "burst", "requests": 10, "windowSeconds": 1, "key": {"header": "x-user"}}],
                "global": {"service": {"address": "limits.local:8081"}, "domain": "shop", "timeoutMillis": 20,
                           "onFailure": "allow", "limits": [{"key": [{"sourceAddress": {}}, {"header": "x-user"},
                           {"route": {}}, {"constant": {"key": "a", "value": "b"}}],
                           "limit": {"name": "per-user", "requests": 100, "windowSeconds": 60, "burst": 200,
                                     "headers": false}}]}
            },
            "fault": {"delay": {"millis": 100, "percent": 10.0}, "when": {"header": "x-test"}},
            "headers": {"request": [{"set": {"name": "x-from", "value": "{request.id}"}}], "response": [{"remove": "server"}]},
            "mirror": {"virtualNode": "shadow", "port": 8080, "percent": 1.5},
            "jwt": {"require": "all", "providers": [{
                "name": "acme", "issuer": "https://acme.example", "audiences": ["shop"],
                "jwks": {"inline": {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}},
                "fromHeaders": [{"name": "x-token", "valuePrefix": "Bearer "}], "fromParams": ["token"], "forward": true,
                "claimToHeaders": [{"claim": "sub", "header": "x-user"}]
            }]},
            "extAuthz": {"http": {"virtualNode": {"name": "authz", "port": 9000}}, "pathPrefix": "/check",
                         "timeoutMillis": 100, "onFailure": "deny", "includeHeaders": ["cookie"],
                         "excludeHeaders": ["x-secret"], "upstreamHeaders": ["x-user"]}
        }
    });
    assert_eq!(found(policy.clone()), Vec::<String>::new());
    let typed: Policy = serde_json::from_value(policy.clone()).expect("what the check takes can be read");
    let mut written = serde_json::to_value(typed).expect("JSON");
    // The filter writes some of its defaults.
    for path in ["/spec/rateLimit", "/spec/canary"] {
        let given = policy.pointer(path).expect("a member").clone();
        let told = written.pointer_mut(path).expect("a member");
        for (member, value) in given.as_object().expect("an object") {
            if !["limits", "ramp", "rollback"].contains(&member.as_str()) {
                assert_eq!(told.get(member), Some(value), "{path}");
            }
        }
        *told = given;
    }
    assert_eq!(written, policy);
}

#[test]
fn reads_every_target_that_the_check_takes() {
    for target in [
        json!({"mesh": {}}),
        json!({"virtualNode": "n"}),
        json!({"virtualService": "s"}),
        json!({"virtualGateway": "g"}),
        json!({"gatewayRoute": {"gateway": "g", "name": "r"}}),
        json!({"virtualNodeIngress": "n"}),
    ] {
        let policy = json!({"name": "p", "mesh": "m", "target": target, "spec": {}});
        assert_eq!(found(policy.clone()), Vec::<String>::new());
        let typed: Policy = serde_json::from_value(policy.clone()).expect("what the check takes can be read");
        assert_eq!(serde_json::to_value(typed).expect("JSON"), policy);
    }
}

#[test]
fn refuses_what_no_policy_has_with_its_path() {
    let policy = json!({
        "target": {"virtualNode": "n", "mesh": {}},
        "spec": {"retry": {"budget": {"ratio": 1.5, "windowSeconds": 0}}, "colour": 1}
    });
    assert_eq!(
        found(policy),
        [
            "spec.colour: is not a member of PolicySpec",
            "spec.retry.budget.ratio: must be at most 1, is 1.5",
            "spec.retry.budget.windowSeconds: must be at least 1, is 0",
            "target: must have exactly one of mesh, virtualNode, virtualService, route, virtualGateway, \
             gatewayRoute, virtualNodeIngress, has mesh and virtualNode",
        ]
    );
}

#[test]
fn tells_what_the_filter_says_to_its_members_with_their_paths() {
    let paths: Vec<String> = check(&json!({"target": {"mesh": {}}, "spec": {
        "canary": {"sticky": {"header": "x user"}, "override": {"header": ""}},
        "observability": {"enabled": false, "appMesh": true},
        "rateLimit": {"limits": [], "global": {"domain": "d", "limits": [], "colour": 1}},
        "fault": {"delay": {"millis": 0, "percent": 101}, "abort": {"status": 99}},
        "headers": {"request": [{"set": {"name": "x-envoy-max-retries", "value": "9"}}, {"remove": "host"}]},
        "retry": {"headers": []}
    }}))
    .into_iter()
    .map(|violation| violation.path)
    .collect();
    assert_eq!(
        paths,
        [
            "spec.retry.headers",
            "spec.canary.sticky.header",
            "spec.canary.override.header",
            "spec.observability.appMesh",
            "spec.rateLimit.limits",
            "spec.fault.delay.millis",
            "spec.fault.delay.percent",
            "spec.fault.abort.status",
            "spec.headers.request[0].set.name",
            "spec.headers.request[1].remove",
            "spec.rateLimit.global.colour",
            "spec.rateLimit.global.limits",
            "spec.rateLimit.global.service",
        ]
    );
}

#[test]
fn names_the_field_of_what_the_filter_cannot_read() {
    let paths = |spec| -> Vec<String> {
        let violations = check(&json!({"target": {"mesh": {}}, "spec": spec}));
        violations.into_iter().map(|violation| violation.path).collect()
    };
    assert_eq!(paths(json!({"canary": {"colour": 1}})), ["spec.canary.colour"]);
    assert_eq!(paths(json!({"canary": 1})), ["spec.canary"]);
    assert_eq!(paths(json!({"canary": {"weights": [1]}})), ["spec.canary.weights"]);
    assert_eq!(
        paths(json!({"fault": {"delay": {"millis": "x"}}})),
        ["spec.fault.delay.millis"]
    );
    assert_eq!(
        paths(json!({"observability": {"enabled": 1}})),
        ["spec.observability.enabled"]
    );
    assert_eq!(paths(json!({"rateLimit": {}})), ["spec.rateLimit"]);
}

#[test]
fn a_ramp_may_have_any_number_of_targets_as_long_as_its_steps_agree() {
    let ramp = |second: Value| {
        let steps = json!([{"afterSeconds": 0, "weights": [1, 0, 0]}, {"afterSeconds": 1, "weights": second}]);
        in_spec(json!({"canary": {"ramp": {"startUnixMillis": 1, "steps": steps}}}))
    };
    assert_eq!(ramp(json!([0, 1, 1])), Vec::<String>::new());
    assert_eq!(
        ramp(json!([0, 1])),
        ["spec.canary.ramp.steps[1].weights: 2 weights for 3 targets; each target needs one"]
    );
}

#[test]
fn a_member_is_refused_where_its_target_has_no_use_for_it() {
    let spec = json!({"jwt": {"require": "off"}, "forwarded": {}, "retry": {}});
    assert_eq!(
        found(json!({"target": {"virtualNode": "n"}, "spec": spec})),
        [
            "spec.jwt: is for the targets mesh, virtualService, route, virtualGateway, gatewayRoute, virtualNodeIngress, \
             not for virtualNode",
            "spec.forwarded: is for the targets mesh, virtualGateway, virtualNodeIngress, not for virtualNode",
        ]
    );
    assert_eq!(
        found(json!({"target": {"virtualNodeIngress": "n"}, "spec": spec})),
        [
            "spec.retry: is for the targets mesh, virtualNode, virtualService, route, virtualGateway, gatewayRoute, \
             not for virtualNodeIngress"
        ]
    );
}

#[test]
fn refuses_tokens_without_public_keys_and_keys_that_are_secret() {
    let jwt = |jwt: Value| in_spec(json!({ "jwt": jwt }));
    let provider = |keys: Value| json!({"providers": [{"name": "a", "jwks": {"inline": keys}}]});
    assert_eq!(jwt(json!({"require": "off"})), Vec::<String>::new());
    assert_eq!(
        jwt(json!({})),
        ["spec.jwt.providers: must have at least 1 element, unless require is off"]
    );
    assert_eq!(
        jwt(provider(json!({"keys": []}))),
        ["spec.jwt.providers[0].jwks.inline: must be an object with at least one element in keys"]
    );
    assert_eq!(
        jwt(provider(
            json!({"keys": [{"kty": "oct", "k": "x"}, {"kty": "EC", "d": "x"}]})
        )),
        [
            "spec.jwt.providers[0].jwks.inline.keys[0].kty: must be one of RSA, EC, OKP, is oct",
            "spec.jwt.providers[0].jwks.inline.keys[1].d: must be left out: it is the private part of the key, and \
             policies can be read",
        ]
    );
    let twice =
        json!({"name": "a", "jwks": {"file": "/keys"}, "claimToHeaders": [{"claim": "x", "header": "X-Envoy-Y"}]});
    assert_eq!(
        jwt(json!({"providers": [{"name": "a", "jwks": {"file": "/keys"}}, twice]})),
        [
            "spec.jwt.providers[1].name: must be unique, \"a\" occurs twice",
            "spec.jwt.providers[1].claimToHeaders[0].header: must not be one that the mesh or Envoy goes by, is \
             \"x-envoy-y\"",
        ]
    );
}

#[test]
fn refuses_services_that_cannot_be_asked() {
    assert_eq!(in_spec(json!({"extAuthz": {"enabled": false}})), Vec::<String>::new());
    assert_eq!(
        in_spec(json!({"extAuthz": {}})),
        ["spec.extAuthz: must have exactly one of grpc, http, has none"]
    );
    assert_eq!(
        in_spec(json!({"extAuthz": {"grpc": {"address": "authz"}, "pathPrefix": "/x"}})),
        [
            "spec.extAuthz.pathPrefix: is for an http service",
            "spec.extAuthz.grpc.address: must be host:port with a port of 1 to 65535, is \"authz\"",
        ]
    );
}

#[test]
fn refuses_retry_settings_that_contradict_each_other() {
    let retry =
        json!({"backoff": {"baseMillis": 100, "maxMillis": 50}, "budget": {"mode": "native", "minPerSecond": 1}});
    assert_eq!(
        in_spec(json!({ "retry": retry })),
        [
            "spec.retry.backoff.maxMillis: must be at least baseMillis, which is 100, is 50",
            "spec.retry.budget.minPerSecond: is for the modes filter and exact: Envoy's own budget has no window",
        ]
    );
    assert_eq!(
        in_spec(json!({"forwarded": {"setCurrentClientCertDetails": ["uri"]}})),
        [
            "spec.forwarded.setCurrentClientCertDetails: needs forwardClientCertDetails to be appendForward or \
          sanitizeSet: otherwise nothing is told"
        ]
    );
}

#[test]
fn a_policy_that_only_switches_off_is_read_and_written_alike() {
    let off = json!(["jwt", "rateLimit", "canary.ramp", "observability"]);
    let policy =
        json!({"name": "p", "mesh": "m", "target": {"route": {"router": "r", "name": "t"}}, "spec": {"off": off}});
    assert_eq!(found(policy.clone()), Vec::<String>::new());
    let typed: Policy = serde_json::from_value(policy.clone()).expect("what the check takes can be read");
    assert_eq!(serde_json::to_value(typed).expect("JSON"), policy);
}

#[test]
fn refuses_to_switch_off_what_is_none_or_what_the_target_cannot_have() {
    assert_eq!(
        found(json!({"target": {"virtualNode": "n"}, "spec": {"off": ["fault", "jwt"]}})),
        ["spec.off[1]: is for the targets mesh, virtualService, route, virtualGateway, gatewayRoute, virtualNodeIngress, not for virtualNode"]
    );
    assert_eq!(
        in_spec(json!({"off": ["fault"], "fault": {"abort": {"status": 500}}})),
        ["spec.off[0]: must not be a member that the same policy says something of, is \"fault\""]
    );
    for off in [json!([]), json!(["colour"]), json!("jwt"), json!(null)] {
        let found = in_spec(json!({"off": off}));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("spec.off"), "{found:?}");
    }
}

#[test]
fn a_retry_at_another_target_does_not_go_with_a_rollback() {
    assert_eq!(
        in_spec(json!({"canary": {"onRetry": "anotherTarget"}})),
        [] as [&str; 0]
    );
    assert_eq!(
        in_spec(json!({"canary": {"onRetry": "elsewhere"}})),
        ["spec.canary.onRetry: must be sameTarget or anotherTarget"]
    );
    let rollback = json!({"canary": "green", "baseline": "blue", "errorMarginPerMille": 20, "confidence": "0.99",
        "windowSeconds": 60, "minRequests": 100});
    assert_eq!(
        in_spec(json!({"canary": {"onRetry": "anotherTarget", "rollback": rollback}})),
        ["spec.canary.onRetry: must not be anotherTarget beside a rollback: the other target's answers would hide the canary's failures"]
    );
}

#[test]
fn key_sets_can_be_fetched() {
    let jwt = |remote: Value| json!({"jwt": {"providers": [{"name": "a", "jwks": {"remote": remote}}]}});
    let remote =
        json!({"uri": "https://acme.example/keys", "cacheSeconds": 60, "timeoutMillis": 500, "caFile": "/ca.pem"});
    assert_eq!(in_spec(jwt(remote)), [] as [&str; 0]);
    assert_eq!(
        in_spec(jwt(json!({"uri": "acme.example/keys", "cacheSeconds": 0}))),
        ["spec.jwt.providers[0].jwks.remote.cacheSeconds: must be at least 1, is 0"]
    );
    assert_eq!(
        in_spec(jwt(json!({"uri": "acme.example/keys"}))),
        ["spec.jwt.providers[0].jwks.remote.uri: must be https://host[:port]/path or http://host[:port]/path, is \"acme.example/keys\""]
    );
}
