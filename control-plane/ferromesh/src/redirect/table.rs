//! The table `nat` as it is, and what `iptables-restore --noflush` must be told to change it.
//!
//! Pure text in, text out. Only our two chains and the rules that lead to them are ever named, so that nobody else's
//! rules can change.

use std::collections::BTreeSet;

/// Where what is sent passes through.
pub const EGRESS: &str = "APPMESH_EGRESS";
/// Where what arrives passes through.
pub const INGRESS: &str = "APPMESH_INGRESS";
const OURS: [&str; 2] = [EGRESS, INGRESS];

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// `iptables` or `ip6tables`.
    pub fn program(self) -> &'static str {
        match self {
            Self::V4 => "iptables",
            Self::V6 => "ip6tables",
        }
    }
}

/// A chain as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// The chain of the kernel that leads to it.
    pub from: &'static str,
    /// Which packets are led to it.
    pub condition: &'static str,
    /// Its rules, without `-A` and the name.
    pub rules: Vec<String>,
}

impl Chain {
    fn jump(&self) -> Jump {
        Jump {
            from: self.from.to_owned(),
            rule: format!("{} -j {}", self.condition, self.name),
            to: self.name,
        }
    }
}

/// A rule of another chain that leads to one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Jump {
    from: String,
    rule: String,
    to: &'static str,
}

/// What the table has of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    chains: BTreeSet<&'static str>,
    jumps: Vec<Jump>,
    rules: Vec<String>,
}

impl Table {
    /// Reads what `iptables-save -t nat` prints.
    pub fn parse(saved: &str) -> Self {
        let mut table = Self::default();
        for line in saved.lines() {
            if let Some(declared) = line.strip_prefix(':') {
                let name = declared.split(' ').next().unwrap_or_default();
                table.chains.extend(OURS.iter().filter(|ours| **ours == name));
            }
            let Some((chain, rule)) = line.strip_prefix("-A ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            if OURS.contains(&chain) {
                table.rules.push(line.to_owned());
            } else if let Some(to) = target(rule) {
                table.jumps.push(Jump {
                    from: chain.to_owned(),
                    rule: rule.to_owned(),
                    to,
                });
            }
        }
        table
    }

    /// Every rule of ours that is there, in `iptables`' words.
    pub fn ours(&self) -> Vec<String> {
        let chains = self.chains.iter().map(|chain| format!("-N {chain}"));
        let jumps = self.jumps.iter().map(|jump| format!("-A {} {}", jump.from, jump.rule));
        chains.chain(self.rules.iter().cloned()).chain(jumps).collect()
    }

    /// What leads to these chains, from whatever is there.
    pub fn with(&self, wanted: &[Chain]) -> String {
        let mut lines = Vec::new();
        for chain in wanted {
            // Makes the chain, or empties it.
            lines.push(format!(":{} - [0:0]", chain.name));
        }
        for chain in wanted {
            lines.extend(chain.rules.iter().map(|rule| format!("-A {} {rule}", chain.name)));
        }
        for chain in wanted {
            let jump = chain.jump();
            let there: Vec<_> = self.jumps.iter().filter(|there| there.to == chain.name).collect();
            // One that is right stays where it is among the rules of others.
            if there == [&jump] {
                continue;
            }
            lines.extend(there.into_iter().map(delete));
            lines.push(format!("-A {} {}", jump.from, jump.rule));
        }
        let unwanted = |name: &&str| wanted.iter().all(|chain| chain.name != *name);
        let unwanted: Vec<_> = self.chains.iter().copied().filter(unwanted).collect();
        lines.extend(self.remove(&unwanted));
        payload(&lines)
    }

    /// What removes all that is ours; `None` if there is nothing.
    pub fn without(&self) -> Option<String> {
        let chains: Vec<_> = self.chains.iter().copied().collect();
        let lines = self.remove(&chains);
        (!lines.is_empty()).then(|| payload(&lines))
    }

    fn remove(&self, chains: &[&'static str]) -> Vec<String> {
        let leads = |jump: &&Jump| chains.contains(&jump.to);
        let jumps = self.jumps.iter().filter(leads).map(delete);
        let flush = chains.iter().map(|chain| format!("-F {chain}"));
        let delete = chains.iter().map(|chain| format!("-X {chain}"));
        jumps.chain(flush).chain(delete).collect()
    }
}

fn delete(jump: &Jump) -> String {
    format!("-D {} {}", jump.from, jump.rule)
}

/// Which of our chains a rule leads to.
fn target(rule: &str) -> Option<&'static str> {
    let mut words = rule.split(' ').rev();
    // A jump has no options of its own: the target is the last word.
    let last = words.next()?;
    let leads = matches!(words.next(), Some("-j" | "-g"));
    OURS.into_iter().find(|ours| leads && *ours == last)
}

fn payload(lines: &[String]) -> String {
    format!("*nat\n{}\nCOMMIT\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Vec<Chain> {
        vec![Chain {
            name: EGRESS,
            from: "OUTPUT",
            condition: "-p tcp -m addrtype ! --dst-type LOCAL",
            rules: vec!["-p tcp -j REDIRECT --to-ports 15001".into()],
        }]
    }

    const THERE: &str =
        "*nat\n:OUTPUT ACCEPT [3:180]\n:APPMESH_EGRESS - [0:0]\n:APPMESH_INGRESS - [0:0]\n:DOCKER - [0:0]\n\
                         -A PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS\n\
                         -A OUTPUT ! -d 127.0.0.0/8 -j DOCKER\n\
                         -A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS\n\
                         -A APPMESH_EGRESS -m owner --uid-owner 1 -j RETURN\n\
                         -A DOCKER -i docker0 -j RETURN\nCOMMIT\n";

    #[test]
    fn an_empty_table_gets_chain_rules_and_jump() {
        let expected = "*nat\n:APPMESH_EGRESS - [0:0]\n-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001\n\
                        -A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS\nCOMMIT\n";
        assert_eq!(Table::parse("").with(&wanted()), expected);
    }

    #[test]
    fn a_jump_that_is_right_stays_and_a_chain_that_is_not_wanted_goes() {
        let expected = "*nat\n:APPMESH_EGRESS - [0:0]\n-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001\n\
                        -D PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS\n\
                        -F APPMESH_INGRESS\n-X APPMESH_INGRESS\nCOMMIT\n";
        assert_eq!(Table::parse(THERE).with(&wanted()), expected);
    }

    #[test]
    fn a_jump_that_is_wrong_or_there_twice_is_replaced() {
        let twice = "-A OUTPUT -j APPMESH_EGRESS\n-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS\n";
        let payload = Table::parse(twice).with(&wanted());
        assert_eq!(payload.matches("-D OUTPUT").count(), 2, "{payload}");
        assert_eq!(payload.matches("-A OUTPUT").count(), 1, "{payload}");
    }

    #[test]
    fn down_names_nothing_that_is_not_ours() {
        let payload = Table::parse(THERE).without().unwrap();
        assert_eq!(
            payload,
            "*nat\n-D PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS\n\
             -D OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS\n\
             -F APPMESH_EGRESS\n-F APPMESH_INGRESS\n-X APPMESH_EGRESS\n-X APPMESH_INGRESS\nCOMMIT\n"
        );
        assert_eq!(Table::parse("*nat\n:DOCKER - [0:0]\nCOMMIT\n").without(), None);
    }

    #[test]
    fn a_comment_that_names_our_chain_is_no_jump() {
        let other =
            "-A OUTPUT -m comment --comment \"x -j APPMESH_EGRESS\" -j ACCEPT\n-A OUTPUT -j MY_APPMESH_EGRESS\n";
        assert_eq!(Table::parse(other), Table::default());
    }
}
