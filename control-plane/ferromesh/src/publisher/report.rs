//! What is known of a proxy, for people.

use std::collections::BTreeMap;

use ferromesh_ir::{lint::Code, Lint};
use ferromesh_store::Revision;
use serde::Serialize;

use super::{Problem, Proxy};
use crate::identity::{wire_name, ProxyKey};

/// The publisher's side of a proxy's status.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `mesh/<mesh>/<kind>/<name>`.
    pub id: String,
    /// Name of the mesh.
    pub mesh: String,
    /// `virtualNode` or `virtualGateway`.
    pub kind: &'static str,
    /// Name of the virtual node or gateway.
    pub name: String,
    /// Revision of the store that was last looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Versions of the published snapshot by type URL; `None`: nothing is published yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<BTreeMap<String, String>>,
    /// Why the newest resources are not published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Configuration that has no or another effect than its author may expect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lints: Vec<Finding>,
}

/// One such configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which kind of finding: `FM101`.
    pub code: &'static str,
    /// Place of the resource in the mesh.
    pub resource: String,
    /// What about it.
    pub message: String,
}

pub(super) fn report(key: &ProxyKey, proxy: &Proxy) -> Report {
    let published = proxy.sender.borrow().as_ref().map(|snapshot| {
        let version = |type_url: &std::sync::Arc<str>| {
            let version = snapshot.resources(type_url).version();
            (type_url.to_string(), version.to_string())
        };
        snapshot.type_urls().map(version).collect()
    });
    let made_from = proxy.made_from.iter().filter(|_| proxy.lacks_secret_server);
    let without_server = made_from.flat_map(|from| &from.local_secrets).map(|secret| Lint {
        resource: format!("{}/{}", wire_name(key.kind), key.name),
        message: format!(
            "secret {secret} comes from an SDS server beside the proxy, which has no APPMESH_SDS_SOCKET_PATH"
        ),
        code: Code::NoSecretServer,
    });
    let lints: Vec<Lint> = proxy.lints.iter().cloned().chain(without_server).collect();
    let finding = |lint: &Lint| Finding {
        code: lint.code.as_str(),
        resource: lint.resource.clone(),
        message: lint.message.clone(),
    };
    Report {
        id: key.to_string(),
        mesh: key.mesh.clone(),
        kind: wire_name(key.kind),
        name: key.name.clone(),
        revision: proxy.revision,
        published,
        problem: proxy.problem.clone(),
        lints: lints.iter().map(finding).collect(),
    }
}
