use super::*;
use crate::identity::ProxyKind;

fn read(pairs: &[(&str, &str)], overrides: Overrides) -> Result<(Settings, Vec<String>), Vec<String>> {
    let look_up = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Settings::read(&look_up, overrides)
}

const MINIMUM: [(&str, &str); 2] = [
    ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
    ("APPMESH_XDS_ENDPOINT", "127.0.0.1:8080"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    // Later ones win, so they stand first in the look-up.
    more.iter().chain(MINIMUM.iter()).copied().collect()
}

#[test]
fn two_variables_are_enough() {
    let (settings, warnings) = read(&MINIMUM, Overrides::default()).unwrap();
    assert_eq!(settings.node.id, "mesh/m/virtualNode/n");
    assert_eq!(settings.node.cluster, "mesh/m/virtualNode/n");
    assert_eq!(settings.node.identity.kind, ProxyKind::VirtualNode);
    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:9901");
    assert_eq!(settings.agent.listen.to_string(), "127.0.0.1:9902");
    assert_eq!(settings.agent.drain_wait, Duration::from_secs(20));
    assert_eq!(settings.envoy.log_level, "info");
    assert_eq!(settings.bootstrap.initial_fetch_timeout, Duration::ZERO);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn all_problems_are_said_at_once_and_name_their_variable() {
    let problems = read(
        &[
            ("ENVOY_CONCURRENCY", "many"),
            ("LISTENER_DRAIN_WAIT_TIME_S", "200"),
            ("ENVOY_LOG_LEVEL", "loud"),
            ("ENVOY_ADMIN_ACCESS_PORT", "70000"),
            ("ENVOY_STATS_FLUSH_INTERVAL", "5"),
        ],
        Overrides::default(),
    )
    .unwrap_err();
    for name in [
        "APPMESH_RESOURCE_ARN",
        "APPMESH_XDS_ENDPOINT",
        "ENVOY_CONCURRENCY",
        "LISTENER_DRAIN_WAIT_TIME_S",
        "ENVOY_LOG_LEVEL",
        "ENVOY_ADMIN_ACCESS_PORT",
        "ENVOY_STATS_FLUSH_INTERVAL",
    ] {
        assert!(
            problems.iter().any(|problem| problem.contains(name)),
            "{name} in {problems:?}"
        );
    }
    assert_eq!(problems.len(), 7);
}

#[test]
fn plaintext_to_another_machine_needs_the_loud_flag() {
    let env = with(&[("APPMESH_XDS_ENDPOINT", "mesh.example.com:443")]);
    let problems = read(&env, Overrides::default()).unwrap_err();
    assert!(problems[0].contains("TLS"), "{problems:?}");
    let insecure = Overrides {
        xds_transport: XdsTransport::AnyPlaintext,
        ..Overrides::default()
    };
    let (_, warnings) = read(&env, insecure).unwrap();
    assert!(warnings[0].contains("--insecure-xds"), "{warnings:?}");
}

#[test]
fn reads_every_form_of_an_endpoint() {
    let tcp = |host: &str, port| XdsEndpoint::Tcp {
        host: host.into(),
        port,
    };
    for (text, expected) in [
        ("127.0.0.1:8080", tcp("127.0.0.1", 8080)),
        ("localhost:18000", tcp("localhost", 18000)),
        ("[::1]:8080", tcp("::1", 8080)),
        ("https://127.0.0.1:8443", tcp("127.0.0.1", 8443)),
        ("unix:///run/x.sock", XdsEndpoint::Unix("/run/x.sock".into())),
    ] {
        let endpoint = XdsEndpoint::parse(text).unwrap();
        assert_eq!(endpoint, expected);
        assert!(endpoint.is_local(), "{text}");
    }
    assert!(!XdsEndpoint::parse("10.0.0.1:1").unwrap().is_local());
    for text in [
        "",
        "a",
        "a:",
        ":1",
        "a:0",
        "a:65536",
        "::1:8080",
        "unix://x",
        "a b:1",
        "http://a:1",
        "https://a",
    ] {
        assert!(XdsEndpoint::parse(text).is_err(), "{text:?}");
    }
    assert!(XdsEndpoint::parse(&format!("unix:///{}", "x".repeat(107))).is_err());
}

#[test]
fn several_control_planes_have_commas_in_between() {
    let env = with(&[("APPMESH_XDS_ENDPOINT", "127.0.0.1:1, [::1]:2,unix:///run/x.sock")]);
    let (settings, _) = read(&env, Overrides::default()).unwrap();
    let shown: Vec<_> = settings.xds.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["127.0.0.1:1", "[::1]:2", "unix:///run/x.sock"]);
    for (wrong, why) in [
        ("127.0.0.1:1,", "expected host:port"),
        ("127.0.0.1:1,127.0.0.1:1", "twice"),
        ("127.0.0.1:1,mesh.example.com:1", "without TLS"),
        ("https://127.0.0.1:1", "FERROMESH_CA is not set"),
        (
            "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17",
            "at most 16",
        ),
    ] {
        let env = with(&[("APPMESH_XDS_ENDPOINT", wrong)]);
        let problems = read(&env, Overrides::default()).unwrap_err();
        assert!(problems[0].contains(why), "{problems:?}");
    }
}

#[test]
fn an_authority_to_believe_makes_it_tls_to_anywhere() {
    let env = with(&[
        ("APPMESH_XDS_ENDPOINT", "https://mesh.example.com:443,10.0.0.1:443"),
        ("FERROMESH_CA", "/ca.pem"),
    ]);
    let (settings, warnings) = read(&env, Overrides::default()).unwrap();
    assert!(settings.credential.is_some());
    assert_eq!(settings.xds.len(), 2);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_bootstrap_of_the_users_is_relayed_only_where_the_socket_has_its_own_place() {
    let own = ("ENVOY_CONFIG_FILE", "/envoy.yaml");
    let relayed = |more: &[(&'static str, &'static str)]| {
        let (settings, _) = read(&with(more), Overrides::default()).unwrap();
        settings.is_relayed()
    };
    assert!(relayed(&[]));
    assert!(!relayed(&[own]));
    assert!(relayed(&[
        own,
        ("APPNET_RELAY_LISTENER_UDS_PATH", "/tmp/relay_xds.sock")
    ]));
    let wrong = with(&[("APPNET_RELAY_LISTENER_UDS_PATH", "relay_xds.sock")]);
    let problems = read(&wrong, Overrides::default()).unwrap_err();
    assert!(problems[0].contains("absolute"), "{problems:?}");
}

#[test]
fn flags_go_before_the_environment() {
    let env = with(&[
        ("ENVOY_CONCURRENCY", "4"),
        ("FERROMESH_ADMIN_ADDRESS", "10.0.0.1"),
        ("APPNET_AGENT_HTTP_BIND_ADDRESS", "[::]"),
    ]);
    let overrides = Overrides {
        concurrency: Some(1),
        admin_address: Some("0.0.0.0".parse().unwrap()),
        ..Overrides::default()
    };
    let (settings, _) = read(&env, overrides).unwrap();
    assert_eq!(settings.envoy.concurrency, Some(1));
    assert_eq!(settings.admin.listen.to_string(), "0.0.0.0:9901");
    assert_eq!(settings.agent.listen.to_string(), "[::]:9902");
}

#[test]
fn variables_without_effect_are_said_with_the_reason() {
    let env = with(&[
        ("APPMESH_PREVIEW", "1"),
        ("AWS_REGION", "eu-west-1"),
        ("APPMESH_FIPS_ENDPOINT", "0"),
    ]);
    let (_, warnings) = read(&env, Overrides::default()).unwrap();
    let expected = "APPMESH_PREVIEW is set and has no effect: it chooses among AWS's endpoints; \
                    APPMESH_XDS_ENDPOINT names ours";
    assert_eq!(warnings, [expected]);
    let env = with(&[("APPNET_ENABLE_RELAY_MODE_FOR_XDS", "1")]);
    let problems = read(&env, Overrides::default()).unwrap_err();
    assert!(problems[0].contains("its own Envoy only"), "{problems:?}");
}

#[test]
fn the_deprecated_names_of_the_resource_still_work() {
    let env = [
        ("APPMESH_VIRTUAL_NODE_NAME", "mesh/m/virtualNode/n"),
        ("APPMESH_XDS_ENDPOINT", "127.0.0.1:8080"),
    ];
    let (settings, warnings) = read(&env, Overrides::default()).unwrap();
    assert_eq!(settings.node.id, "mesh/m/virtualNode/n");
    assert!(warnings[0].contains("deprecated"));
}

mod complete;
mod telemetry;
