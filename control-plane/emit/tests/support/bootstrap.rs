//! A static configuration of what is otherwise delivered by xDS, with files of ours where a mesh names some.

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use envoy_types::pb::envoy::config::core::v3::address;
use ferromesh_emit::{standalone, Messages};

use super::pki;

/// The bootstrap.
pub fn of(mut messages: Messages) -> Bootstrap {
    messages.secrets.iter_mut().for_each(pki::resolve_files);
    standalone::bootstrap(messages).expect("everything that is named is there")
}

/// Tests are not for the outside.
pub fn on_loopback(messages: &mut Messages) {
    for listener in &mut messages.listeners {
        let address = listener.address.as_mut().and_then(|address| address.address.as_mut());
        if let Some(address::Address::SocketAddress(socket)) = address {
            socket.address = "127.0.0.1".into();
        }
    }
}
