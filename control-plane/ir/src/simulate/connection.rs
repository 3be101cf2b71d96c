//! Which filter chain a connection meets: Envoy's order is the port, then the server name, then the transport protocol,
//! and it never goes back to a less specific answer of an earlier step.

use super::passage::Candidate;
use super::reason::Failed;
use crate::listener::{Chain, Listener, Network};
use crate::tls::Accepts;

/// A connection as it arrives at a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The port that it wanted.
    pub port: u16,
    /// The client's TLS; `None` is plain text.
    pub tls: Option<Tls>,
}

/// What a TLS client says first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The server name that it asks for.
    pub server_name: Option<String>,
}

/// What a listener does with a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Connected<'p> {
    /// What is done; or why the connection is closed.
    pub network: Result<&'p Network, String>,
    /// Whether the proxy ends the client's TLS.
    pub decrypts: bool,
    /// The chains, and why those that did not get the connection did not.
    pub candidates: Vec<Candidate>,
}

/// What a listener does with a connection.
pub fn connect<'p>(listener: &'p Listener, connection: &Connection) -> Connected<'p> {
    let chosen = choose(listener, connection);
    let mut candidates: Vec<Candidate> = listener
        .chains
        .iter()
        .enumerate()
        .map(|(index, chain)| Candidate {
            name: name(chain),
            chosen: chosen == Some(index),
            failed: refusals(chain, connection),
        })
        .collect();
    if listener.otherwise.is_some() {
        candidates.push(Candidate {
            name: "every other connection".into(),
            chosen: chosen.is_none(),
            failed: Vec::new(),
        });
    }
    let (network, decrypts) = match chosen.and_then(|index| listener.chains.get(index)) {
        Some(chain) => (inside(chain, connection), ends_tls(chain, connection)),
        None => match &listener.otherwise {
            Some(network) => (speaks(network, connection).map(|()| network), false),
            None => (
                Err(format!(
                    "no filter chain is for port {}{}: the connection is closed",
                    connection.port,
                    match &connection.tls {
                        Some(Tls {
                            server_name: Some(name),
                        }) => format!(" and server name {name}"),
                        _ => String::new(),
                    }
                )),
                false,
            ),
        },
    };
    Connected {
        network,
        decrypts,
        candidates,
    }
}

/// The index of the chain, by port and then by server name.
fn choose(listener: &Listener, connection: &Connection) -> Option<usize> {
    let of_port = || {
        let chains = listener.chains.iter().enumerate();
        chains.filter(|(_, chain)| chain.port == connection.port)
    };
    let by_name = |wanted: &str| {
        of_port()
            .find(|(_, chain)| chain.server_names.iter().any(|name| name.eq_ignore_ascii_case(wanted)))
            .map(|(index, _)| index)
    };
    let server_name = connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    if let Some(name) = server_name {
        let suffixes = name.match_indices('.').skip_while(|(at, _)| *at == 0);
        let wildcards = suffixes
            .filter_map(|(at, _)| name.get(at..))
            .map(|suffix| format!("*{suffix}"));
        if let Some(index) = std::iter::once(name.to_owned())
            .chain(wildcards)
            .find_map(|name| by_name(&name))
        {
            return Some(index);
        }
    }
    let mut for_any = of_port().filter(|(_, chain)| chain.server_names.is_empty());
    for_any.next().map(|(index, _)| index)
}

fn name(chain: &Chain) -> String {
    let tls = match &chain.accepts {
        Accepts::AsItComes => "",
        Accepts::Tls(_) => ", TLS only",
        Accepts::TlsOrPlaintext(_) => ", TLS or plain text",
    };
    if chain.server_names.is_empty() {
        format!("port {}{tls}", chain.port)
    } else {
        format!(
            "port {}, server name {}{tls}",
            chain.port,
            chain.server_names.join(" or ")
        )
    }
}

fn refusals(chain: &Chain, connection: &Connection) -> Vec<Failed> {
    let mut found = Vec::new();
    if chain.port != connection.port {
        found.push(Failed::new(
            format!("port is {}", chain.port),
            Some(&connection.port.to_string()),
        ));
    }
    let asked = connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    let fits = |name: &String| {
        asked.is_some_and(|asked| {
            let asked = asked.to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(suffix) => asked.len() > suffix.len() && asked.ends_with(suffix),
                None => *name == asked,
            }
        })
    };
    if !chain.server_names.is_empty() && !chain.server_names.iter().any(fits) {
        found.push(Failed::new(
            format!("TLS server name is {}", chain.server_names.join(" or ")),
            asked,
        ));
    }
    found
}

fn ends_tls(chain: &Chain, connection: &Connection) -> bool {
    connection.tls.is_some() && chain.accepts != Accepts::AsItComes
}

fn inside<'p>(chain: &'p Chain, connection: &Connection) -> Result<&'p Network, String> {
    match (&chain.accepts, &connection.tls) {
        (Accepts::Tls(_), None) => Err(format!(
            "port {} takes TLS only, and the client speaks plain text: the connection is closed",
            chain.port
        )),
        (Accepts::AsItComes, _) => speaks(&chain.network, connection).map(|()| &chain.network),
        _ => Ok(&chain.network),
    }
}

fn speaks(network: &Network, connection: &Connection) -> Result<(), String> {
    match (network, &connection.tls) {
        (Network::Http(http), Some(_)) => Err(format!(
            "port {} is plain {}, and the client speaks TLS: the connection is closed",
            http.port,
            http.protocol.as_str()
        )),
        _ => Ok(()),
    }
}
