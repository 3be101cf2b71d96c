//! Which example files make up a mesh, and under which names.
//!
//! The files are the inputs of `aws appmesh create-… --cli-input-json`: a spec each, with `$VARIABLE`s for jq. Kinds and
//! names are in the scripts beside them, which are repeated here.

use std::path::Path;

use serde_json::Value;

/// A resource by its place in the mesh, its file, and the values of variables in it.
pub type Line = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// An example: its folder, and its resources in the order of their creation.
#[derive(Clone, Copy)]
pub struct Example {
    pub folder: &'static str,
    /// One list after the other: what examples have in common is written once.
    pub resources: &'static [&'static [Line]],
}

impl Example {
    /// The specs by their place in the mesh.
    pub fn specs<'a>(&'a self, examples: &'a Path) -> impl Iterator<Item = (&'static str, Value)> + 'a {
        let lines = self.resources.iter().copied().flatten();
        lines.map(move |(place, file, variables)| {
            let path = examples.join(self.folder).join(file);
            (*place, super::read_with(&path, variables)["spec"].clone())
        })
    }
}

pub const ONE: &str = "colorteller-1.local";
pub const TWO: &str = "colorteller-2.local";

pub const INGRESS_GATEWAY: Example = Example {
    folder: "howto-ingress-gateway/mesh",
    resources: &[
        &[
            (
                "virtualNode/colorteller-white-vn",
                "colorteller-white-vn.json",
                &[("DNS_HOSTNAME", "white.local")],
            ),
            (
                "virtualNode/colorteller-blue-vn",
                "colorteller-blue-vn.json",
                &[("DNS_HOSTNAME", "blue.local")],
            ),
            (
                "virtualNode/colorteller-black-vn",
                "colorteller-black-vn.json",
                &[("DNS_HOSTNAME", "black.local")],
            ),
            (
                "virtualNode/colorteller-red-vn",
                "colorteller-red-vn.json",
                &[("DNS_HOSTNAME", "red.local")],
            ),
        ],
        COLOR_GATEWAY,
    ],
};

pub const MATCH_AND_REWRITE: Example = Example {
    folder: "howto-match-and-rewrite-at-ingress/mesh",
    resources: &[
        &[
            (
                "virtualNode/colorteller-red-vn",
                "colorteller-red-vn.json",
                &[("DNS_HOSTNAME", "red.local")],
            ),
            (
                "virtualNode/colorteller-yellow-vn",
                "colorteller-yellow-vn.json",
                &[("DNS_HOSTNAME", "yellow.local")],
            ),
        ],
        COLOR_GATEWAY,
    ],
};

/// A gateway in front of two services, each with a router and a route.
const COLOR_GATEWAY: &[Line] = &[
    ("virtualRouter/colorteller-vr-1", "colorteller-vr-1.json", &[]),
    ("virtualRouter/colorteller-vr-2", "colorteller-vr-2.json", &[]),
    (
        "virtualRouter/colorteller-vr-1/route/colorteller-route-1",
        "colorteller-route-1.json",
        &[],
    ),
    (
        "virtualRouter/colorteller-vr-2/route/colorteller-route-2",
        "colorteller-route-2.json",
        &[],
    ),
    ("virtualService/colorteller-1.local", "colorteller-vs-1.json", &[]),
    ("virtualService/colorteller-2.local", "colorteller-vs-2.json", &[]),
    (
        "virtualGateway/colorgateway-vg",
        "colorgateway-vg.json",
        &[("CERTIFICATE_ARN", "arn:aws:acm:us-east-1:123456789012:certificate/c")],
    ),
    (
        "virtualGateway/colorgateway-vg/gatewayRoute/colorgateway-route-1",
        "colorgateway-route-1.json",
        &[("VIRTUALSERVICE_NAME", ONE)],
    ),
    (
        "virtualGateway/colorgateway-vg/gatewayRoute/colorgateway-route-2",
        "colorgateway-route-2.json",
        &[("VIRTUALSERVICE_NAME", TWO)],
    ),
];

pub const MULTIPLE_LISTENERS: Example = Example {
    folder: "howto-multiple-listeners/mesh",
    resources: &[&[
        (
            "virtualNode/foodteller-vn",
            "foodteller-vn.json",
            &[("DNS_HOSTNAME", "food.local")],
        ),
        (
            "virtualNode/colorteller-vn",
            "colorteller-vn.json",
            &[("DNS_HOSTNAME", "color.local")],
        ),
        ("virtualRouter/foodteller-vr", "foodteller-vr.json", &[]),
        ("virtualRouter/foodteller-vr/route/fruit-route", "fruit-route.json", &[]),
        (
            "virtualRouter/foodteller-vr/route/vegetable-route",
            "vegetable-route.json",
            &[],
        ),
        ("virtualService/colorteller-1.local", "foodteller-vs.json", &[]),
        ("virtualService/colorteller-2.local", "colorteller-vs.json", &[]),
        ("virtualGateway/tellergateway-vg", "tellergateway-vg.json", &[]),
        (
            "virtualGateway/tellergateway-vg/gatewayRoute/fruit",
            "fruit-gateway-route.json",
            &[("VIRTUALSERVICE_NAME", ONE)],
        ),
        (
            "virtualGateway/tellergateway-vg/gatewayRoute/vegetable",
            "vegetable-gateway-route.json",
            &[("VIRTUALSERVICE_NAME", ONE)],
        ),
        (
            "virtualGateway/tellergateway-vg/gatewayRoute/color",
            "color-gateway-route.json",
            &[("VIRTUALSERVICE_NAME", TWO)],
        ),
    ]],
};
