//! Where listeners bind: the one thing in a resource that the order of a push depends on.
//!
//! A listener that is gone stays until its successor is there, but an Envoy refuses a listener on an address that
//! another one has. So of two that cannot stand beside each other the old one goes in the response in which the new
//! one comes; Envoy removes first and adds then.
//!
//! Whoever is in doubt is taken to collide: the price is what the protocol does anyway, a moment without the listener.

use std::net::IpAddr;

use bytes::Bytes;
use prost::Message;

use crate::resource::Resource;

/// The tail of an encoded resource: an `Any` in field 2, whose value is field 2.
#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(message, optional, tag = "2")]
    any: Option<Packed>,
}

#[derive(Clone, PartialEq, Message)]
struct Packed {
    #[prost(message, optional, tag = "2")]
    listener: Option<Listener>,
}

/// `envoy.config.listener.v3.Listener`, reduced to its addresses.
#[derive(Clone, PartialEq, Message)]
struct Listener {
    #[prost(message, optional, tag = "2")]
    address: Option<Address>,
    #[prost(message, repeated, tag = "33")]
    additional_addresses: Vec<AdditionalAddress>,
}

#[derive(Clone, PartialEq, Message)]
struct AdditionalAddress {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

/// `envoy.config.core.v3.Address`. Internal listeners have none.
#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<Socket>,
    #[prost(message, optional, tag = "2")]
    pipe: Option<Pipe>,
}

#[derive(Clone, PartialEq, Message)]
struct Socket {
    /// 0: TCP, 1: UDP.
    #[prost(int32, tag = "1")]
    protocol: i32,
    #[prost(string, tag = "2")]
    host: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Pipe {
    #[prost(string, tag = "1")]
    path: String,
}

/// Whether a proxy could not have both listeners at a time. What cannot be read binds nothing: a proxy refuses it.
pub(super) fn collide(a: &Resource, b: &Resource) -> bool {
    let (a, b) = (addresses(a), addresses(b));
    a.iter().any(|a| b.iter().any(|b| a.is_taken_by(b)))
}

fn addresses(listener: &Resource) -> Vec<Address> {
    let field: Vec<Bytes> = listener.as_state_of_the_world_field().collect();
    let listener = Field::decode(&*field.concat()).ok();
    let Some(listener) = listener.and_then(|field| field.any?.listener) else {
        return Vec::new();
    };
    let additional = listener.additional_addresses.into_iter().filter_map(|a| a.address);
    listener.address.into_iter().chain(additional).collect()
}

impl Address {
    fn is_taken_by(&self, other: &Self) -> bool {
        let sockets = self.socket.as_ref().zip(other.socket.as_ref());
        let pipes = self.pipe.as_ref().zip(other.pipe.as_ref());
        sockets.is_some_and(|(a, b)| a.is_taken_by(b)) || pipes.is_some_and(|(a, b)| a == b)
    }
}

impl Socket {
    fn is_taken_by(&self, other: &Self) -> bool {
        // The operating system finds a port of its own for each that asks for port 0.
        let same_port = (self.protocol, self.port) == (other.protocol, other.port) && self.port != 0;
        same_port && (self.host == other.host || self.is_everywhere() || other.is_everywhere())
    }

    /// Bound at every address of the host, or by a name that only the proxy can resolve.
    fn is_everywhere(&self) -> bool {
        self.host.parse().map_or(true, |ip: IpAddr| ip.is_unspecified())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Piece};
    use crate::type_url;
    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::config::listener::v3 as listener;

    fn socket(protocol: i32, host: &str, port: u32) -> core::Address {
        let socket = core::SocketAddress {
            protocol,
            address: host.into(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
            ..Default::default()
        };
        core::Address {
            address: Some(core::address::Address::SocketAddress(socket)),
        }
    }

    fn pipe(path: &str) -> core::Address {
        let pipe = core::Pipe {
            path: path.into(),
            ..Default::default()
        };
        core::Address {
            address: Some(core::address::Address::Pipe(pipe)),
        }
    }

    fn at(addresses: &[core::Address]) -> Vec<u8> {
        let additional = addresses.iter().skip(1).cloned();
        let listener = listener::Listener {
            name: "a listener".into(),
            address: addresses.first().cloned(),
            stat_prefix: "x".repeat(100),
            additional_addresses: additional
                .map(|address| listener::AdditionalAddress {
                    address: Some(address),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        listener.encode_to_vec()
    }

    fn resource(value: &[u8]) -> Resource {
        Resource::encode(type_url::LISTENER, "l".into(), value)
    }

    #[track_caller]
    fn check(a: &[core::Address], b: &[core::Address], expected: bool) {
        let (a, b) = (resource(&at(a)), resource(&at(b)));
        assert_eq!(collide(&a, &b), expected);
        assert_eq!(collide(&b, &a), expected);
    }

    #[test]
    fn listeners_collide_at_the_same_port_of_the_same_or_of_every_address() {
        let here = socket(0, "127.0.0.1", 80);
        check(std::slice::from_ref(&here), std::slice::from_ref(&here), true);
        for (other, expected) in [
            (socket(0, "127.0.0.1", 81), false),
            (socket(1, "127.0.0.1", 80), false),
            (socket(0, "127.0.0.2", 80), false),
            (socket(0, "0.0.0.0", 80), true),
            (socket(0, "::", 80), true),
            (socket(0, "a.name", 80), true),
            (pipe("127.0.0.1:80"), false),
        ] {
            check(std::slice::from_ref(&here), &[other], expected);
        }
        check(&[socket(0, "0.0.0.0", 0)], &[socket(0, "0.0.0.0", 0)], false);
        check(&[pipe("/a")], &[pipe("/a")], true);
        check(&[pipe("/a")], &[pipe("/b")], false);
    }

    #[test]
    fn every_address_of_a_listener_counts() {
        let [a, b, c] = [80, 81, 82].map(|port| socket(0, "0.0.0.0", port));
        check(&[a.clone(), b.clone()], &[c.clone(), b.clone()], true);
        check(&[a, b], std::slice::from_ref(&c), false);
        check(&[], &[c], false);
    }

    #[test]
    fn a_listener_in_pieces_is_read_as_a_whole() {
        let value = at(&[socket(0, "0.0.0.0", 80)]);
        for cut in [1, value.len() / 2] {
            let pieces = [&value[..cut], &value[cut..]].map(|piece| Piece::new(Bytes::copy_from_slice(piece)));
            let cut = Resource::new(type_url::LISTENER, "l".into(), &Content::of(pieces.into()));
            assert!(collide(&cut, &resource(&value)));
        }
    }

    #[test]
    fn what_is_no_listener_collides_with_nothing() {
        let good = resource(&at(&[socket(0, "0.0.0.0", 80)]));
        for value in [b"".as_slice(), b"1", &[0xff; 40]] {
            assert!(!collide(&resource(value), &good) && !collide(&resource(value), &resource(value)));
        }
    }
}
