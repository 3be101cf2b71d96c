//! The rules themselves: two chains of the table `nat`, as App Mesh's route manager made them.

use super::{
    settings::Redirection,
    table::{Chain, Family, EGRESS, INGRESS},
};

/// Ports that one multiport match takes.
const PORTS_A_RULE: usize = 15;

/// The chains for one IP version, with their rules in order.
pub fn chains(redirection: &Redirection, family: Family) -> Vec<Chain> {
    let mut chains = vec![Chain {
        name: EGRESS,
        from: "OUTPUT",
        // What a host sends to itself never meets the proxy.
        condition: "-p tcp -m addrtype ! --dst-type LOCAL",
        rules: egress(redirection, family),
    }];
    if !redirection.app_ports.is_empty() {
        chains.push(Chain {
            name: INGRESS,
            from: "PREROUTING",
            condition: "-p tcp -m addrtype ! --src-type LOCAL",
            rules: ingress(redirection),
        });
    }
    chains
}

fn egress(redirection: &Redirection, family: Family) -> Vec<String> {
    let mut rules = Vec::new();
    let owners = [("uid", redirection.ignored_uid), ("gid", redirection.ignored_gid)];
    for (kind, id) in owners {
        rules.extend(id.map(|id| format!("-m owner --{kind}-owner {id} -j RETURN")));
    }
    for ports in lists(&redirection.ignored_ports) {
        rules.push(format!("-p tcp -m multiport --dports {ports} -j RETURN"));
    }
    for network in &redirection.ignored_networks {
        if network.address.is_ipv4() == (family == Family::V4) {
            rules.push(format!("-d {network} -p tcp -j RETURN"));
        }
    }
    rules.push(format!("-p tcp -j REDIRECT --to-ports {}", redirection.egress_port));
    rules
}

fn ingress(redirection: &Redirection) -> Vec<String> {
    lists(&redirection.app_ports)
        .map(|ports| {
            format!(
                "-p tcp -m multiport --dports {ports} -j REDIRECT --to-ports {}",
                redirection.ingress_port
            )
        })
        .collect()
}

fn lists(ports: &[u16]) -> impl Iterator<Item = String> + '_ {
    ports.chunks(PORTS_A_RULE).map(|ports| {
        let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
        ports.join(",")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirection() -> Redirection {
        Redirection {
            ignored_uid: Some(1337),
            ignored_gid: Some(1338),
            app_ports: vec![9080],
            ingress_port: 15_000,
            egress_port: 15_001,
            ignored_networks: vec!["169.254.169.254".parse().unwrap(), "fd00:ec2::254".parse().unwrap()],
            ignored_ports: vec![22],
            ipv6: true,
        }
    }

    #[test]
    fn the_order_is_owners_ports_addresses_and_then_the_proxy() {
        let chains = chains(&redirection(), Family::V4);
        assert_eq!(
            chains[0].rules,
            [
                "-m owner --uid-owner 1337 -j RETURN",
                "-m owner --gid-owner 1338 -j RETURN",
                "-p tcp -m multiport --dports 22 -j RETURN",
                "-d 169.254.169.254 -p tcp -j RETURN",
                "-p tcp -j REDIRECT --to-ports 15001",
            ]
        );
        assert_eq!(
            chains[1].rules,
            ["-p tcp -m multiport --dports 9080 -j REDIRECT --to-ports 15000"]
        );
    }

    #[test]
    fn each_ip_version_has_its_own_addresses() {
        let chains = chains(&redirection(), Family::V6);
        let addresses: Vec<_> = chains[0].rules.iter().filter(|rule| rule.starts_with("-d ")).collect();
        assert_eq!(addresses, ["-d fd00:ec2::254 -p tcp -j RETURN"]);
    }

    #[test]
    fn more_ports_than_one_match_takes_are_several_rules() {
        let redirection = Redirection {
            app_ports: (8000..8031).collect(),
            ..redirection()
        };
        let chains = chains(&redirection, Family::V4);
        let ports = |rule: &String| rule.matches(',').count() + 1;
        assert_eq!(chains[1].rules.iter().map(ports).collect::<Vec<_>>(), [15, 15, 1]);
    }

    #[test]
    fn without_ports_of_the_application_nothing_arrives_redirected() {
        let redirection = Redirection {
            app_ports: Vec::new(),
            ..redirection()
        };
        assert_eq!(chains(&redirection, Family::V4).len(), 1);
    }
}
