//! How the agent stands between Envoy and the control plane.

use std::path::PathBuf;

use crate::{
    address::Address,
    proxy::{environment::Environment, relay::Secrets},
};

/// How the agent stands between Envoy and the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayOptions {
    /// The socket that Envoy comes to, if it is not to be in the state folder.
    pub socket: Option<PathBuf>,
    /// Whether certificates and keys are written to the disk too.
    pub secrets: Secrets,
}

impl RelayOptions {
    pub(super) fn read(env: &mut Environment) -> Self {
        const SOCKET: &str = "APPNET_RELAY_LISTENER_UDS_PATH";
        let socket = env.text(SOCKET).map(|text| {
            let path = text.strip_prefix("unix://").unwrap_or(&text).to_owned();
            if let Err(error) = format!("unix://{path}").parse::<Address>() {
                env.problem(format!("{SOCKET} is {text:?}: {}", error.reason));
            }
            PathBuf::from(path)
        });
        let secrets = if env.flag("FERROMESH_KEEP_SECRETS", true) {
            Secrets::Kept
        } else {
            Secrets::LeftOut
        };
        Self { socket, secrets }
    }
}
