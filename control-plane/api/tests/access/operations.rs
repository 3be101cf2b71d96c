//! Every operation of the three APIs, with the least role that it takes.

use ferromesh_api::Role;
use ferromesh_model::shapes;

use crate::server::ACCOUNT;

/// A request of everything that there is: method, path, target of Cloud Map, the least role that it takes. The mesh is `m`.
pub fn everything() -> Vec<(String, String, String, Role)> {
    let mut all = Vec::new();
    for operation in shapes::operations() {
        let is_read = ["List", "Describe"].iter().any(|verb| operation.name.starts_with(verb));
        let role = if is_read { Role::Reader } else { Role::Operator };
        let mut path = operation.uri.replace("{meshName}", "m").replace(['{', '}'], "");
        if path.starts_with("/v20190125/tag") || path.starts_with("/v20190125/untag") {
            path.push_str(&format!(
                "?resourceArn=arn:aws:appmesh:us-east-1:{ACCOUNT}:mesh/m/virtualNode/n"
            ));
        }
        all.push((operation.method.to_owned(), path, String::new(), role));
    }
    for (name, role) in [
        ("CreateHttpNamespace", Role::Operator),
        ("CreatePrivateDnsNamespace", Role::Operator),
        ("CreatePublicDnsNamespace", Role::Operator),
        ("CreateService", Role::Operator),
        ("DeleteNamespace", Role::Operator),
        ("DeleteService", Role::Operator),
        ("DeleteServiceAttributes", Role::Operator),
        ("DeregisterInstance", Role::Operator),
        ("DiscoverInstances", Role::Reader),
        ("DiscoverInstancesRevision", Role::Reader),
        ("GetInstance", Role::Reader),
        ("GetInstancesHealthStatus", Role::Reader),
        ("GetNamespace", Role::Reader),
        ("GetOperation", Role::Reader),
        ("GetService", Role::Reader),
        ("GetServiceAttributes", Role::Reader),
        ("ListInstances", Role::Reader),
        ("ListNamespaces", Role::Reader),
        ("ListOperations", Role::Reader),
        ("ListServices", Role::Reader),
        ("ListTagsForResource", Role::Reader),
        ("RegisterInstance", Role::Operator),
        ("TagResource", Role::Operator),
        ("UntagResource", Role::Operator),
        ("UpdateHttpNamespace", Role::Operator),
        ("UpdateInstanceCustomHealthStatus", Role::Operator),
        ("UpdatePrivateDnsNamespace", Role::Operator),
        ("UpdatePublicDnsNamespace", Role::Operator),
        ("UpdateService", Role::Operator),
        ("UpdateServiceAttributes", Role::Operator),
    ] {
        all.push(("POST".to_owned(), "/".to_owned(), name.to_owned(), role));
    }
    let namespace = "/v1/registry/namespaces/n";
    for (method, path, role) in [
        ("GET", "/v1/policies", Role::Reader),
        ("GET", "/v1/policies?mesh=m", Role::Reader),
        ("GET", "/v1/policies/m/p", Role::Reader),
        ("PUT", "/v1/policies/m/p", Role::Operator),
        ("DELETE", "/v1/policies/m/p", Role::Operator),
        ("POST", "/v1/policies/m/p/ramp/start", Role::Operator),
        ("POST", "/v1/policies/m/p/ramp/pause", Role::Operator),
        ("POST", "/v1/policies/m/p/ramp/resume", Role::Operator),
        ("GET", "/v1/policies/m/p/rollback", Role::Reader),
        ("POST", "/v1/policies/m/p/rollback/clear", Role::Operator),
        ("GET", "/v1/rollouts", Role::Reader),
        ("GET", "/v1/rollouts/m", Role::Reader),
        ("POST", "/v1/rollouts/m/pause", Role::Operator),
        ("POST", "/v1/rollouts/m/resume", Role::Operator),
        ("POST", "/v1/rollouts/m/c/retry", Role::Operator),
        ("POST", "/v1/rollouts/m/c/skip", Role::Operator),
        ("POST", "/v1/rollouts/m/c/approve", Role::Operator),
        ("GET", "/v1/events", Role::Reader),
        ("POST", "/v1/explain", Role::Reader),
        ("POST", "/v1/changes", Role::Operator),
        ("GET", "/v1/analyze?mesh=m", Role::Reader),
        ("GET", "/v1/proxies", Role::Reader),
        ("GET", "/v1/proxies/mesh/m/virtualNode/n", Role::Reader),
        ("GET", "/v1/modules", Role::Reader),
        ("POST", "/v1/modules", Role::Admin),
        ("GET", "/v1/modules/1.0", Role::Reader),
        ("DELETE", "/v1/modules/1.0", Role::Admin),
        ("GET", "/v1/meshes/m/module", Role::Reader),
        ("PUT", "/v1/meshes/m/module", Role::Operator),
        ("POST", "/v1/meshes/m/module/rollback", Role::Operator),
        ("GET", "/metrics", Role::Reader),
        ("GET", "/v1/shares", Role::Reader),
        ("PUT", "/v1/shares/m/210987654321", Role::Admin),
        ("DELETE", "/v1/shares/m/210987654321", Role::Admin),
        ("GET", "/v1/join-tokens", Role::Reader),
        ("POST", "/v1/join-tokens", Role::Admin),
        ("GET", "/v1/identity/revocations", Role::Reader),
        ("POST", "/v1/identity/revocations", Role::Operator),
        ("DELETE", "/v1/identity/revocations/0a", Role::Operator),
        (
            "DELETE",
            "/v1/identity/revocations/mesh/m/virtualNode/n",
            Role::Operator,
        ),
        ("GET", "/v1/certificates", Role::Reader),
        ("GET", "/v1/certificates/a", Role::Reader),
        ("PUT", "/v1/certificates/a", Role::Admin),
        ("DELETE", "/v1/certificates/a", Role::Admin),
        ("POST", "/v1/certificates/a/renew", Role::Admin),
        ("GET", "/v1/keys", Role::Admin),
        ("POST", "/v1/keys", Role::Admin),
        ("GET", "/v1/keys/a", Role::Admin),
        ("DELETE", "/v1/keys/a", Role::Admin),
        ("POST", "/v1/keys/a/enable", Role::Admin),
        ("POST", "/v1/keys/a/disable", Role::Admin),
        ("GET", "/v1/principals", Role::Admin),
        ("GET", "/v1/principals/a", Role::Admin),
        ("PUT", "/v1/principals/a", Role::Admin),
        ("DELETE", "/v1/principals/a", Role::Admin),
        ("GET", "/v1/backup", Role::Admin),
        ("GET", "/v1/audit", Role::Admin),
        ("GET", "/v1/audit?mesh=m", Role::Admin),
        ("GET", "/v1/registry/namespaces", Role::Reader),
        ("GET", namespace, Role::Reader),
        ("PUT", namespace, Role::Operator),
        ("DELETE", namespace, Role::Operator),
        ("GET", "/v1/registry/namespaces/n/services", Role::Reader),
        ("GET", "/v1/registry/namespaces/n/services/s", Role::Reader),
        ("PUT", "/v1/registry/namespaces/n/services/s", Role::Operator),
        ("DELETE", "/v1/registry/namespaces/n/services/s", Role::Operator),
        ("GET", "/v1/registry/namespaces/n/services/s/instances", Role::Reader),
        ("GET", "/v1/registry/namespaces/n/services/s/instances/i", Role::Reader),
        (
            "PUT",
            "/v1/registry/namespaces/n/services/s/instances/i",
            Role::Operator,
        ),
        (
            "DELETE",
            "/v1/registry/namespaces/n/services/s/instances/i",
            Role::Operator,
        ),
        (
            "PUT",
            "/v1/registry/namespaces/n/services/s/instances/i/health",
            Role::Operator,
        ),
    ] {
        all.push((method.to_owned(), path.to_owned(), String::new(), role));
    }
    all
}
