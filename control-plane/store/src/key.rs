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
//! | `token/…` | client tokens, for idempotent calls |

use ferromesh_model::resource::{Key, Kind};

/// Prefix of all meshes.
pub const MESHES: &str = "mesh/";
/// Prefix of everything that stands in a mesh.
pub const RESOURCES: &str = "resource/";
/// Prefix of all policies.
pub const POLICIES: &str = "policy/";
/// Prefix of client tokens by their name.
pub const TOKENS: &str = "token/by-name/";
/// Prefix of client tokens by the time of their use.
pub const TOKENS_BY_AGE: &str = "token/by-age/";

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
