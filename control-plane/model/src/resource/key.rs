//! Kinds of resources, and the names that tell one resource from another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The seven kinds of App Mesh resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A mesh.
    Mesh,
    /// A virtual node.
    VirtualNode,
    /// A virtual service.
    VirtualService,
    /// A virtual router.
    VirtualRouter,
    /// A route of a virtual router.
    Route,
    /// A virtual gateway.
    VirtualGateway,
    /// A route of a virtual gateway.
    GatewayRoute,
}

impl Kind {
    /// All kinds, in the order in which a mesh is created.
    pub const ALL: [Self; 7] = [
        Self::Mesh,
        Self::VirtualNode,
        Self::VirtualRouter,
        Self::Route,
        Self::VirtualService,
        Self::VirtualGateway,
        Self::GatewayRoute,
    ];

    /// Name in camel case, as ARNs have it: `virtualNode`.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::VirtualNode => "virtualNode",
            Self::VirtualService => "virtualService",
            Self::VirtualRouter => "virtualRouter",
            Self::Route => "route",
            Self::VirtualGateway => "virtualGateway",
            Self::GatewayRoute => "gatewayRoute",
        }
    }

    /// Name with a capital, as shapes and messages have it: `VirtualNode`.
    pub fn shape_name(self) -> &'static str {
        match self {
            Self::Mesh => "Mesh",
            Self::VirtualNode => "VirtualNode",
            Self::VirtualService => "VirtualService",
            Self::VirtualRouter => "VirtualRouter",
            Self::Route => "Route",
            Self::VirtualGateway => "VirtualGateway",
            Self::GatewayRoute => "GatewayRoute",
        }
    }

    /// Name as dependency messages have it: `VIRTUAL_NODE`.
    pub fn constant_name(self) -> &'static str {
        match self {
            Self::Mesh => "MESH",
            Self::VirtualNode => "VIRTUAL_NODE",
            Self::VirtualService => "VIRTUAL_SERVICE",
            Self::VirtualRouter => "VIRTUAL_ROUTER",
            Self::Route => "ROUTE",
            Self::VirtualGateway => "VIRTUAL_GATEWAY",
            Self::GatewayRoute => "GATEWAY_ROUTE",
        }
    }

    /// Member of requests and answers that holds the name of a resource: `virtualNodeName`.
    pub fn name_member(self) -> &'static str {
        match self {
            Self::Mesh => "meshName",
            Self::VirtualNode => "virtualNodeName",
            Self::VirtualService => "virtualServiceName",
            Self::VirtualRouter => "virtualRouterName",
            Self::Route => "routeName",
            Self::VirtualGateway => "virtualGatewayName",
            Self::GatewayRoute => "gatewayRouteName",
        }
    }

    /// Member of a list's answer that holds the list: `virtualNodes`.
    pub fn list_member(self) -> &'static str {
        match self {
            Self::Mesh => "meshes",
            Self::VirtualNode => "virtualNodes",
            Self::VirtualService => "virtualServices",
            Self::VirtualRouter => "virtualRouters",
            Self::Route => "routes",
            Self::VirtualGateway => "virtualGateways",
            Self::GatewayRoute => "gatewayRoutes",
        }
    }

    /// Kind between the mesh and this kind: routers hold routes, gateways hold gateway routes.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Route => Some(Self::VirtualRouter),
            Self::GatewayRoute => Some(Self::VirtualGateway),
            _ => None,
        }
    }

    /// The kind with this wire name.
    pub fn from_wire_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.wire_name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape_name())
    }
}

/// What tells one resource of an account from every other. Names are kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// Name of the mesh; of the mesh itself its own name.
    pub mesh: String,
    /// Kind of the resource.
    pub kind: Kind,
    /// Name of the virtual router of a route or of the virtual gateway of a gateway route; `None` for other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Name of the resource.
    pub name: String,
}

impl Key {
    /// Key of a mesh.
    pub fn mesh(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            mesh: name.clone(),
            kind: Kind::Mesh,
            parent: None,
            name,
        }
    }

    /// Key of a resource that stands directly in a mesh.
    pub fn in_mesh(mesh: impl Into<String>, kind: Kind, name: impl Into<String>) -> Self {
        Self {
            mesh: mesh.into(),
            kind,
            parent: None,
            name: name.into(),
        }
    }

    /// Key of a route (`parent` is its virtual router) or a gateway route (`parent` is its virtual gateway).
    pub fn in_parent(mesh: impl Into<String>, kind: Kind, parent: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            mesh: mesh.into(),
            kind,
            parent: Some(parent.into()),
            name: name.into(),
        }
    }

    /// Key of the virtual router or gateway that holds this resource.
    pub fn parent_key(&self) -> Option<Self> {
        let kind = self.kind.parent()?;
        Some(Self::in_mesh(self.mesh.clone(), kind, self.parent.clone()?))
    }

    /// Resource part of the ARN: `mesh/M/virtualRouter/R/route/T`.
    pub fn resource_part(&self) -> String {
        let mut part = format!("mesh/{}", self.mesh);
        if let (Some(kind), Some(parent)) = (self.kind.parent(), &self.parent) {
            part.push_str(&format!("/{}/{parent}", kind.wire_name()));
        }
        if self.kind != Kind::Mesh {
            part.push_str(&format!("/{}/{}", self.kind.wire_name(), self.name));
        }
        part
    }

    /// The resource's ARN in a region and account.
    pub fn arn(&self, region: &str, account: &str) -> String {
        format!("arn:aws:appmesh:{region}:{account}:{}", self.resource_part())
    }

    /// The key that an ARN's resource part (`mesh/M/virtualNode/N`) or a full App Mesh ARN names; `None` when it names
    /// none. Whose account or region a full ARN has is not looked at. Virtual service names may hold slashes.
    pub fn parse(arn: &str) -> Option<Self> {
        let part = if arn.starts_with("arn:") {
            arn.splitn(6, ':').nth(5)?
        } else {
            arn
        };
        let (mesh, rest) = match part.strip_prefix("mesh/")?.split_once('/') {
            None => (part.strip_prefix("mesh/")?, None),
            Some((mesh, rest)) => (mesh, Some(rest)),
        };
        let Some(rest) = rest else {
            return (!mesh.is_empty()).then(|| Self::mesh(mesh));
        };
        let (kind, name) = rest.split_once('/')?;
        let kind = Kind::from_wire_name(kind)?;
        if mesh.is_empty() || name.is_empty() {
            return None;
        }
        match kind {
            Kind::Mesh | Kind::Route | Kind::GatewayRoute => None,
            Kind::VirtualService => Some(Self::in_mesh(mesh, kind, name)),
            Kind::VirtualNode | Kind::VirtualRouter | Kind::VirtualGateway => {
                let mut labels = name.split('/');
                let first = labels.next()?;
                match (labels.next(), labels.next(), labels.next()) {
                    (None, _, _) => Some(Self::in_mesh(mesh, kind, first)),
                    (Some(child), Some(child_name), None) if !child_name.is_empty() => {
                        let child = Kind::from_wire_name(child)?;
                        (child.parent() == Some(kind)).then(|| Self::in_parent(mesh, child, first, child_name))
                    }
                    _ => None,
                }
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource_part())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_kind_by_its_arn() {
        let arn = |key: Key| key.arn("us-east-1", "123456789012");
        assert_eq!(arn(Key::mesh("m")), "arn:aws:appmesh:us-east-1:123456789012:mesh/m");
        assert_eq!(
            arn(Key::in_mesh("m", Kind::VirtualService, "color.local")),
            "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualService/color.local"
        );
        assert_eq!(
            arn(Key::in_parent("m", Kind::Route, "r", "t")),
            "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualRouter/r/route/t"
        );
        assert_eq!(
            arn(Key::in_parent("m", Kind::GatewayRoute, "g", "t")),
            "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualGateway/g/gatewayRoute/t"
        );
    }

    #[test]
    fn reads_back_the_arns_it_writes() {
        let keys = [
            Key::mesh("m"),
            Key::in_mesh("m", Kind::VirtualNode, "n"),
            Key::in_mesh("m", Kind::VirtualService, "a/b.local:80"),
            Key::in_mesh("m", Kind::VirtualRouter, "r"),
            Key::in_parent("m", Kind::Route, "r", "t"),
            Key::in_mesh("m", Kind::VirtualGateway, "g"),
            Key::in_parent("m", Kind::GatewayRoute, "g", "t"),
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.arn("eu-west-1", "000000000001")).as_ref(), Some(&key));
            assert_eq!(Key::parse(&key.resource_part()).as_ref(), Some(&key));
        }
    }

    #[test]
    fn reads_no_key_from_anything_else() {
        for text in [
            "",
            "mesh/",
            "mesh/m/",
            "mesh/m/virtualNode",
            "mesh/m/virtualNode/",
            "mesh/m/route/t",
            "mesh/m/virtualNode/n/route/t",
            "mesh/m/virtualRouter/r/route",
            "mesh/m/virtualRouter/r/route/t/x",
            "arn:aws:appmesh:us-east-1:123456789012",
            "arn:aws:s3:::bucket",
        ] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }
}
