//! `ferromesh redirect` in network namespaces with the system's own tools: what it redirects, what it lets through, and
//! that it leaves nothing behind.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Output},
    time::Duration,
};

use ferromesh_integration::rig::{paths, Namespace};
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_gid, set_thread_uid},
};

const PEER: &str = "10.79.1.2";
const PEER_V6: &str = "fd00:79::2";
const TASK: &str = "10.79.1.1";
const TASK_V6: &str = "fd00:79::1";
const USER: u32 = 1337;
const GROUP: u32 = 1338;

/// A task and a peer on one cable. Behind every port that matters is somebody who says who they are.
struct Wired {
    task: Namespace,
    peer: Namespace,
}

impl Wired {
    fn new(purpose: &str) -> Self {
        let task = Namespace::create(&format!("{purpose}-task")).expect("a namespace");
        let peer = Namespace::create(&format!("{purpose}-peer")).expect("a namespace");
        task.connect(TASK.parse().unwrap(), &peer, PEER.parse().unwrap())
            .expect("a cable");
        for (namespace, device, address) in [(&task, "fm-1-1", TASK_V6), (&peer, "fm-1-2", PEER_V6)] {
            // Without the second in which it looks whether somebody has the address.
            let address = format!("{address}/64");
            let added = inside(
                namespace,
                &["ip", "-6", "address", "add", &address, "dev", device, "nodad"],
            );
            assert!(added.status.success(), "{added:?}");
        }
        for (port, name) in [
            (15_000, "ingress"),
            (15_001, "egress"),
            (9080, "application"),
            (9081, "other"),
        ] {
            answer(&task, port, name);
        }
        for port in [22, 80, 3306] {
            answer(&peer, port, "peer");
        }
        Self { task, peer }
    }

    /// `ferromesh redirect` in the task, with nothing but these variables.
    fn redirect(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let output = Command::new("ip")
            .args(["netns", "exec", self.task.name()])
            .arg(paths::ferromesh().expect("the program"))
            .arg("redirect")
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().copied())
            .output();
        output.expect("the program runs")
    }

    fn up(&self, more: &[(&str, &str)]) {
        let variables = [&variables(), more].concat();
        let output = self.redirect(&["up"], &variables);
        assert!(output.status.success(), "{output:?}");
    }

    /// Both tables `nat`, without counters and comments.
    fn rules(&self) -> String {
        let saved = ["iptables-save", "ip6tables-save"].map(|program| {
            let output = inside(&self.task, &[program, "-t", "nat"]);
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).expect("text");
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines
                .map(|line| line.split(" [").next().unwrap_or_default().to_owned() + "\n")
                .collect::<String>()
        });
        saved.concat()
    }
}

fn variables() -> Vec<(&'static str, &'static str)> {
    vec![
        ("APPMESH_IGNORE_UID", "1337"),
        ("APPMESH_IGNORE_GID", "1338"),
        ("APPMESH_APP_PORTS", "9080"),
        ("APPMESH_EGRESS_IGNORED_PORTS", "3306"),
        ("APPMESH_ENABLE_IPV6", "1"),
    ]
}

fn inside(namespace: &Namespace, command: &[&str]) -> Output {
    let output = Command::new("ip")
        .args(["netns", "exec", namespace.name()])
        .args(command)
        .output();
    output.expect("ip runs")
}

/// Says its name to everybody who connects, over both IP versions.
fn answer(namespace: &Namespace, port: u16, name: &'static str) {
    let listener = namespace
        .inside(|| TcpListener::bind(("::", port)))
        .expect("inside")
        .expect("a port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            use std::io::Write;
            let mut stream = stream;
            let _ = stream.write_all(name.as_bytes());
        }
    });
}

/// Who answers somebody of a namespace, as a user and group.
fn ask(from: &Namespace, host: &str, port: u16, user: u32, group: u32) -> String {
    let address = SocketAddr::new(host.parse::<IpAddr>().unwrap(), port);
    let asked = from.inside(|| -> std::io::Result<String> {
        // Of this thread alone, which ends here.
        set_thread_gid(Gid::from_raw(group))?;
        set_thread_uid(Uid::from_raw(user))?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    });
    asked
        .expect("inside")
        .unwrap_or_else(|error| panic!("{host}:{port} as {user}: {error}"))
}

#[test]
fn traffic_goes_to_the_proxy_but_for_its_own_and_what_is_ignored() {
    let wired = Wired::new("traffic");
    for host in [PEER, PEER_V6] {
        assert_eq!(ask(&wired.task, host, 80, 0, 0), "peer", "before");
    }
    wired.up(&[]);
    for (peer, task) in [(PEER, TASK), (PEER_V6, TASK_V6)] {
        assert_eq!(ask(&wired.task, peer, 80, 0, 0), "egress");
        assert_eq!(ask(&wired.task, peer, 80, 1000, 1000), "egress");
        assert_eq!(ask(&wired.task, peer, 80, USER, 1000), "peer", "the proxy's user");
        assert_eq!(ask(&wired.task, peer, 80, 1000, GROUP), "peer", "the proxy's group");
        assert_eq!(ask(&wired.task, peer, 3306, 0, 0), "peer", "an ignored port");
        assert_eq!(ask(&wired.task, peer, 22, 0, 0), "peer", "ssh");
        assert_eq!(ask(&wired.task, task, 9080, 0, 0), "application", "to itself");
        assert_eq!(ask(&wired.peer, task, 9080, 0, 0), "ingress");
        assert_eq!(
            ask(&wired.peer, task, 9081, 0, 0),
            "other",
            "no port of the application"
        );
    }
    wired.up(&[("APPMESH_EGRESS_IGNORED_IP", "10.79.1.0/24,fd00:79::2")]);
    for peer in [PEER, PEER_V6] {
        assert_eq!(ask(&wired.task, peer, 80, 0, 0), "peer", "an ignored address");
    }
    let down = wired.redirect(&["down"], &[]);
    assert!(down.status.success(), "{down:?}");
    for (peer, task) in [(PEER, TASK), (PEER_V6, TASK_V6)] {
        assert_eq!(ask(&wired.task, peer, 80, 0, 0), "peer", "after");
        assert_eq!(ask(&wired.peer, task, 9080, 0, 0), "application", "after");
    }
}

#[test]
fn without_ipv6_only_ipv4_is_redirected() {
    let wired = Wired::new("four");
    wired.up(&[]);
    // What an earlier environment asked for goes.
    wired.up(&[("APPMESH_ENABLE_IPV6", "0")]);
    assert_eq!(ask(&wired.task, PEER, 80, 0, 0), "egress");
    assert_eq!(ask(&wired.task, PEER_V6, 80, 0, 0), "peer");
}

#[test]
fn up_twice_is_up_once_and_down_leaves_the_rules_of_others_as_they_were() {
    let wired = Wired::new("rules");
    for program in ["iptables", "ip6tables"] {
        for rule in [
            &["-N", "OTHERS"][..],
            &["-A", "OTHERS", "-p", "tcp", "--dport", "1", "-j", "RETURN"],
            &["-A", "OUTPUT", "-p", "tcp", "-j", "OTHERS"],
            &["-A", "PREROUTING", "-p", "udp", "-j", "ACCEPT"],
        ] {
            let made = inside(&wired.task, &[&[program, "-t", "nat"], rule].concat());
            assert!(made.status.success(), "{made:?}");
        }
    }
    let before = wired.rules();
    let dry = wired.redirect(&["up", "--dry-run"], &variables());
    assert!(dry.status.success(), "{dry:?}");
    assert_eq!(wired.rules(), before, "a dry run changed something");

    wired.up(&[]);
    let once = wired.rules();
    assert_ne!(once, before);
    // What the dry run printed is what came: each of its rules is there.
    let printed = String::from_utf8(dry.stdout).expect("text");
    let rules: Vec<_> = printed.lines().filter(|line| line.starts_with("-A ")).collect();
    assert_eq!(rules.len(), 16, "{printed}");
    // Another rule behind ours, which must stay behind it.
    let made = inside(
        &wired.task,
        &["iptables", "-t", "nat", "-A", "OUTPUT", "-p", "udp", "-j", "ACCEPT"],
    );
    assert!(made.status.success(), "{made:?}");
    let with_another = wired.rules();
    wired.up(&[]);
    assert_eq!(wired.rules(), with_another, "a second time changed something");
    let made = inside(
        &wired.task,
        &["iptables", "-t", "nat", "-D", "OUTPUT", "-p", "udp", "-j", "ACCEPT"],
    );
    assert!(made.status.success(), "{made:?}");
    assert_eq!(wired.rules(), once);

    let shown = wired.redirect(&["show"], &[]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    // Two chains, their rules, two jumps; in both IP versions.
    assert_eq!(shown.lines().count(), 2 * 2 + rules.len(), "{shown}");
    for _ in 0..2 {
        let down = wired.redirect(&["down"], &[]);
        assert!(down.status.success(), "{down:?}");
        assert_eq!(wired.rules(), before);
    }
    assert!(wired.redirect(&["show"], &[]).stdout.is_empty());
}

#[test]
fn a_refused_rule_changes_nothing() {
    let wired = Wired::new("refused");
    wired.up(&[]);
    let before = wired.rules();
    for wrong in [
        ("APPMESH_APP_PORTS", "http"),
        ("APPMESH_EGRESS_IGNORED_IP", "example.com"),
        ("APPMESH_IGNORE_UID", "envoy"),
    ] {
        let refused = wired.redirect(&["up"], &[&variables()[..], &[wrong]].concat());
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(wrong.0) && said.contains(wrong.1), "{said}");
    }
    let disabled = wired.redirect(&["up"], &[("APPMESH_START_ENABLED", "0")]);
    assert!(disabled.status.success(), "{disabled:?}");
    assert_eq!(wired.rules(), before);
}
