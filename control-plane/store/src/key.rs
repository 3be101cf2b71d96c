//! Keys of the control plane's values.
//!
//! A key is a path of components. Names come from users and may hold any character, so in a component `/`, `%` and
//! control characters are percent-encoded; that keeps prefixes exact and keys readable. Layout:
//!
//! | key | value |
//! |---|---|
//! | `mesh/M` | record of a mesh |
//! | `resource/M/virtualNode/N` (…`virtualService`, `virtualRouter`, `virtualGateway`) | record |
//! | `resource/M/route/R/T`, `resource/M/gatewayRoute/G/T` | record |
//! | `policy/M/P` | policy |
//! | `rollback/M/P` | what is known of a policy's rollbacks |
//! | `rollout/M` | which configurations of a mesh were rejected, or are on trial; of another account's mesh as `M@A` |
//! | `rollout-accepted/M` | which configuration of each proxy of a mesh was accepted last |
//! | `certificate/ARN` | what was imported for an ARN, its private key sealed |
//! | `access/principal/P` | what a principal may do |
//! | `access/key/ID` | a principal's key, its secret sealed |
//! | `identity/token/ID` | a join token, by its hash |
//! | `identity/revoked/…` | a certificate's serial number, or a proxy, that was revoked |
//! | `audit/change/…`, `audit/refusal/…` | what was done, and what was refused, in the order of time |
//! | `token/…` | client tokens, for idempotent calls |
//! | `registry/namespace/N`, `registry/service/N/S`, `registry/instance/N/S/I` | the registry of tasks |
//! | `registry/id/…` | namespace and service of an id |
//! | `registry/operation/…` | what was done to the registry, in the order of time |
//! | `share/C/O/M` | account O lets account C use its mesh M |
//! | `module/set/V` | the module set V: what its modules are, and who added it |
//! | `module/bytes/H/N` | part N of the module whose SHA-256 is H |
//! | `module-choice/M` | the module set that mesh M has chosen, and those before |
//! | `account/A/…` | meshes, resources, policies, rollbacks and tokens of account A, each under its key of above |
//!
//! The account that a server calls its own has its keys without a prefix, so that a server of one account never sees
//! accounts at all; [`AccountStore`](crate::AccountStore) puts those of the others under theirs.

use ferromesh_model::resource::{Key, Kind};

/// Prefix of all meshes.
pub const MESHES: &str = "mesh/";
/// Prefix of everything that stands in a mesh.
pub const RESOURCES: &str = "resource/";
/// Prefix of all policies.
pub const POLICIES: &str = "policy/";
/// Prefix of what is known of all policies' rollbacks.
pub const ROLLBACKS: &str = "rollback/";
/// Prefix of what is remembered of rollouts.
pub const ROLLOUTS: &str = "rollout/";
/// Prefix of what is remembered of accepted configurations.
pub const ACCEPTED: &str = "rollout-accepted/";
/// Prefix of everything that was imported for ARNs.
pub const CERTIFICATES: &str = "certificate/";
/// Prefix of principals.
pub const PRINCIPALS: &str = "access/principal/";
/// Prefix of the principals' keys.
pub const ACCESS_KEYS: &str = "access/key/";
/// Prefix of both.
pub const ACCESS: &str = "access/";
/// Prefix of join tokens.
pub const JOIN_TOKENS: &str = "identity/token/";
/// Prefix of what was revoked: certificates and proxies.
pub const REVOCATIONS: &str = "identity/revoked/";
/// Prefix of the audit records of changes.
pub const AUDIT_CHANGES: &str = "audit/change/";
/// Prefix of the audit records of what was refused.
pub const AUDIT_REFUSALS: &str = "audit/refusal/";
/// Prefix of client tokens by their name.
pub const TOKENS: &str = "token/by-name/";
/// Prefix of client tokens by the time of their use.
pub const TOKENS_BY_AGE: &str = "token/by-age/";

/// Prefix of the registry's namespaces.
pub const NAMESPACES: &str = "registry/namespace/";
/// Prefix of the registry's services.
pub const SERVICES: &str = "registry/service/";
/// Prefix of the registry's instances.
pub const INSTANCES: &str = "registry/instance/";
/// Prefix of the names that belong to the registry's ids.
pub const REGISTRY_IDS: &str = "registry/id/";
/// Prefix of what was done to the registry.
pub const OPERATIONS: &str = "registry/operation/";

/// Prefix of what other accounts than the server's own have.
pub const ACCOUNTS: &str = "account/";
/// Prefix of the meshes that accounts let others use.
pub const SHARES: &str = "share/";
/// Prefix of module sets.
pub const MODULE_SETS: &str = "module/set/";
/// Prefix of the bytes of modules.
pub const MODULE_BYTES: &str = "module/bytes/";
/// Prefix of the module sets that meshes have chosen.
pub const MODULE_CHOICES: &str = "module-choice/";
/// What every account has a part of its own of; the rest of the store belongs to all.
pub const OF_ACCOUNTS: [&str; 6] = [MESHES, RESOURCES, POLICIES, ROLLBACKS, MODULE_CHOICES, "token/"];

/// A name as a component of a key.
pub fn component(name: &str) -> String {
    let mut component = String::with_capacity(name.len());
    for character in name.chars() {
        if character == '/' || character == '%' || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                component.push_str(&format!("%{byte:02x}"));
            }
        } else {
            component.push(character);
        }
    }
    component
}

/// Key of a resource's record.
pub fn record(key: &Key) -> String {
    match key.kind {
        Kind::Mesh => format!("{MESHES}{}", component(&key.mesh)),
        kind => format!(
            "{}{}",
            collection(kind, &key.mesh, key.parent.as_deref()),
            component(&key.name)
        ),
    }
}

/// Prefix of the records of one kind: of meshes all, of routes and gateway routes those of one parent or, with no parent
/// given, of the whole mesh.
pub fn collection(kind: Kind, mesh: &str, parent: Option<&str>) -> String {
    match (kind, parent) {
        (Kind::Mesh, _) => MESHES.to_owned(),
        (kind, Some(parent)) => format!("{}{}/{}/", in_mesh(mesh), kind.wire_name(), component(parent)),
        (kind, None) => format!("{}{}/", in_mesh(mesh), kind.wire_name()),
    }
}

/// Prefix of everything that stands in a mesh.
pub fn in_mesh(mesh: &str) -> String {
    format!("{RESOURCES}{}/", component(mesh))
}

/// Key of a policy.
pub fn policy(mesh: &str, name: &str) -> String {
    format!("{}{}", policies(mesh), component(name))
}

/// Prefix of a mesh's policies.
pub fn policies(mesh: &str) -> String {
    format!("{POLICIES}{}/", component(mesh))
}

/// Key of what is known of a policy's rollbacks.
pub fn rollback(mesh: &str, policy: &str) -> String {
    format!("{}{}", rollbacks(mesh), component(policy))
}

/// Prefix of what is known of the rollbacks of a mesh's policies.
pub fn rollbacks(mesh: &str) -> String {
    format!("{ROLLBACKS}{}/", component(mesh))
}

/// Key of what is remembered of a mesh's rollouts.
pub fn rollout(mesh: &str) -> String {
    format!("{ROLLOUTS}{}", component(mesh))
}

/// Key of what is remembered of the configurations that a mesh's proxies have accepted.
pub fn accepted(mesh: &str) -> String {
    format!("{ACCEPTED}{}", component(mesh))
}

/// Key of what was imported for an ARN.
pub fn certificate(arn: &str) -> String {
    format!("{CERTIFICATES}{}", component(arn))
}

/// Key of a principal.
pub fn principal(name: &str) -> String {
    format!("{PRINCIPALS}{}", component(name))
}

/// Key of a principal's key.
pub fn access_key(id: &str) -> String {
    format!("{ACCESS_KEYS}{}", component(id))
}

/// Key of a join token.
pub fn join_token(id: &str) -> String {
    format!("{JOIN_TOKENS}{}", component(id))
}

/// Key of a revocation, by serial number or proxy.
pub fn revocation(id: &str) -> String {
    format!("{REVOCATIONS}{}", component(id))
}

/// Key of a namespace of the registry.
pub fn namespace(name: &str) -> String {
    format!("{NAMESPACES}{}", component(name))
}

/// Prefix of a namespace's services.
pub fn services(namespace: &str) -> String {
    format!("{SERVICES}{}/", component(namespace))
}

/// Key of a service of the registry.
pub fn service(namespace: &str, name: &str) -> String {
    format!("{}{}", services(namespace), component(name))
}

/// Prefix of a service's instances.
pub fn instances(namespace: &str, service: &str) -> String {
    format!("{INSTANCES}{}/{}/", component(namespace), component(service))
}

/// Key of an instance of the registry.
pub fn instance(namespace: &str, service: &str, id: &str) -> String {
    format!("{}{}", instances(namespace, service), component(id))
}

/// Key of the names that belong to an id of the registry.
pub fn registry_id(id: &str) -> String {
    format!("{REGISTRY_IDS}{}", component(id))
}

/// Key of an operation of the registry.
pub fn operation(id: &str) -> String {
    format!("{OPERATIONS}{}", component(id))
}

/// Prefix of what an account other than the server's own has.
pub fn account(account: &str) -> String {
    format!("{ACCOUNTS}{}/", component(account))
}

/// Prefix of the meshes that others let an account use.
pub fn shares_with(consumer: &str) -> String {
    format!("{SHARES}{}/", component(consumer))
}

/// Key of a mesh that its owner lets another account use.
pub fn share(consumer: &str, owner: &str, mesh: &str) -> String {
    format!("{}{}/{}", shares_with(consumer), component(owner), component(mesh))
}

/// Key of a module set.
pub fn module_set(version: &str) -> String {
    format!("{MODULE_SETS}{}", component(version))
}

/// Prefix of the parts of a module's bytes.
pub fn module_bytes(sha256: &str) -> String {
    format!("{MODULE_BYTES}{}/", component(sha256))
}

/// Key of a part of a module's bytes; the parts are in the order of their keys.
pub fn module_part(sha256: &str, part: usize) -> String {
    format!("{}{part:04}", module_bytes(sha256))
}

/// Key of the module set that a mesh has chosen.
pub fn module_choice(mesh: &str) -> String {
    format!("{MODULE_CHOICES}{}", component(mesh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_names_with_slashes_apart_from_paths() {
        let odd = Key::in_mesh("m/a", Kind::VirtualService, "b/c%\n.local");
        assert_eq!(record(&odd), "resource/m%2fa/virtualService/b%2fc%25%0a.local");
        assert_eq!(
            record(&Key::in_parent("m", Kind::Route, "r", "t")),
            "resource/m/route/r/t"
        );
        assert_eq!(record(&Key::mesh("m")), "mesh/m");
    }

    #[test]
    fn gives_every_collection_a_prefix_of_its_own() {
        assert_eq!(collection(Kind::Route, "m", Some("r")), "resource/m/route/r/");
        assert_eq!(collection(Kind::Route, "m", None), "resource/m/route/");
        assert_eq!(collection(Kind::Mesh, "m", None), "mesh/");
        assert!(!record(&Key::in_mesh("mm", Kind::VirtualNode, "n")).starts_with(&in_mesh("m")));
    }
}
