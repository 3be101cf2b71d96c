use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Start, Vec<String>> {
    let look_up = |name: &str| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let mut env = Environment::new(&look_up);
    let start = Redirection::read(&mut env);
    env.finish().map(|_| start)
}

fn enabled(pairs: &[(&str, &str)]) -> Redirection {
    match read(pairs) {
        Ok(Start::Enabled(redirection)) => redirection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_is_enough_and_the_rest_is_app_meshs() {
    let redirection = enabled(&[("APPMESH_IGNORE_UID", "1337")]);
    assert_eq!(redirection.ignored_uid, Some(1337));
    assert_eq!(redirection.ignored_gid, None);
    assert_eq!((redirection.ingress_port, redirection.egress_port), (15_000, 15_001));
    assert_eq!(redirection.ignored_ports, [22]);
    let networks: Vec<_> = redirection.ignored_networks.iter().map(Network::to_string).collect();
    assert_eq!(networks, ["169.254.169.254", "169.254.170.2"]);
    assert!(redirection.app_ports.is_empty() && !redirection.ipv6);
}

#[test]
fn lists_are_sorted_and_ssh_is_always_ignored() {
    let redirection = enabled(&[
        ("APPMESH_IGNORE_GID", "0"),
        ("APPMESH_APP_PORTS", "9080, 8080,8080,"),
        ("APPMESH_EGRESS_IGNORED_PORTS", "3306,25"),
        ("APPMESH_EGRESS_IGNORED_IP", "10.0.0.0/8,fd00:ec2::254,10.0.0.0/8"),
        ("APPMESH_ENABLE_IPV6", "1"),
    ]);
    assert_eq!(redirection.app_ports, [8080, 9080]);
    assert_eq!(redirection.ignored_ports, [22, 25, 3306]);
    assert_eq!(redirection.ignored_networks.len(), 2);
    assert!(redirection.ipv6);
}

#[test]
fn every_mistake_is_said_and_names_its_variable() {
    let problems = read(&[
        ("APPMESH_APP_PORTS", "http,15001"),
        ("APPMESH_EGRESS_IGNORED_PORTS", "0"),
        ("APPMESH_EGRESS_IGNORED_IP", "10.0.0.0/33,example.com"),
        ("APPMESH_ENVOY_INGRESS_PORT", "70000"),
    ])
    .unwrap_err();
    for part in [
        "\"http\"",
        "15001, which is a listener",
        "\"0\"",
        "10.0.0.0/33",
        "example.com",
        "\"70000\"",
    ] {
        assert!(
            problems.iter().any(|problem| problem.contains(part)),
            "{part}: {problems:?}"
        );
    }
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("neither APPMESH_IGNORE_UID")),
        "{problems:?}"
    );
    assert_eq!(problems.len(), 7, "{problems:?}");
}

#[test]
fn a_rule_cannot_be_smuggled_in_by_a_variable() {
    for value in ["1337 -j ACCEPT", "1337\n-F", "-1", "root"] {
        assert!(read(&[("APPMESH_IGNORE_UID", value)]).is_err(), "{value:?}");
    }
    let env = [
        ("APPMESH_IGNORE_UID", "1"),
        ("APPMESH_EGRESS_IGNORED_IP", "10.0.0.1\nCOMMIT"),
    ];
    assert!(read(&env).is_err());
}

#[test]
fn start_disabled_does_nothing_and_needs_nothing() {
    assert_eq!(read(&[("APPMESH_START_ENABLED", "0")]), Ok(Start::Disabled));
}
