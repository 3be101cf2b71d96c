//! Meshes that users of App Mesh wrote, read from the folder in `FERROMESH_EXAMPLES`: every finding about them is known,
//! and right.

#[path = "../../model/tests/example_files/mod.rs"]
mod example_files;
mod meshes;

use example_files::meshes::{Example, Line, INGRESS_GATEWAY, MATCH_AND_REWRITE, MULTIPLE_LISTENERS};
use ferromesh_analyze::analyze;
use ferromesh_ir::Options;
use meshes::assembled;
use serde_json::json;

/// What is found: codes and resources.
type Found = &'static [(&'static str, &'static str)];

const EXAMPLES: &[(Example, Found)] = &[
    (INGRESS_GATEWAY, &[("FM128", "virtualGateway/colorgateway-vg")]),
    (
        // The node was added here, to see that it is found.
        Example {
            resources: &[INGRESS_GATEWAY.resources[0], UNUSED_NODE, INGRESS_GATEWAY.resources[1]],
            ..INGRESS_GATEWAY
        },
        &[
            ("FM128", "virtualGateway/colorgateway-vg"),
            ("FM220", "virtualNode/white"),
        ],
    ),
    (MATCH_AND_REWRITE, &[]),
    (MULTIPLE_LISTENERS, &[]),
    (
        Example {
            folder: MUTUAL_TLS,
            resources: &[
                &[(
                    "virtualGateway/gate",
                    "updates/gateway-vgw-client-cert.json",
                    &[("COLOR_TELLER_SAN", "color.local")],
                )],
                STRICT_NODE,
            ],
        },
        &[],
    ),
    (
        // The step of the walkthrough after which calls are answered with 503: the gateway shows no certificate yet.
        Example {
            folder: MUTUAL_TLS,
            resources: &[
                &[(
                    "virtualGateway/gate",
                    "updates/gateway-vgw-client-policy.json",
                    &[("COLOR_TELLER_SAN", "color.local")],
                )],
                STRICT_NODE,
            ],
        },
        &[("FM213", "virtualGateway/gate")],
    ),
    (YELB, &[]),
];

const UNUSED_NODE: &[Line] = &[(
    "virtualNode/white",
    "colorteller-white-vn.json",
    &[("DNS_HOSTNAME", "nobody.local")],
)];

const MUTUAL_TLS: &str = "howto-mutual-tls-file-provided/mesh";

/// A node that asks for certificates, behind a gateway.
const STRICT_NODE: &[Line] = &[
    (
        "virtualNode/colorteller-vn",
        "updates/colorteller-vn-strict-validation.json",
        &[("SERVICES_DOMAIN", "local"), ("GATEWAY_SAN", "gate.local")],
    ),
    ("virtualService/one.local", "colorteller-vs.json", &[]),
    (
        "virtualGateway/gate/gatewayRoute/one",
        "colorteller-gwroute.json",
        &[("VIRTUAL_SERVICE", "one.local")],
    ),
];

const YELB: Example = Example {
    folder: "yelb",
    resources: &[&[
        ("virtualNode/yelb-app-server", "yelb-app-vn.json", &[]),
        (
            "virtualNode/yelb-db",
            "yelb-db-vn.json",
            &[("DNS_HOSTNAME", "db.local")],
        ),
        ("virtualNode/yelb-recipe", "yelb-recipe-vn.json", &[]),
        (
            "virtualNode/yelb-redis-server",
            "yelb-redis-vn.json",
            &[("DNS_HOSTNAME", "redis.local")],
        ),
        ("virtualNode/yelb-ui", "yelb-ui-vn.json", &[]),
        ("virtualService/yelb-appserver", "yelb-app-vs.json", &[]),
        ("virtualService/yelb-db", "yelb-db-vs.json", &[]),
        ("virtualService/www.recipepuppy.com", "yelb-recipe-vs.json", &[]),
        ("virtualService/redis-server", "yelb-redis-vs.json", &[]),
        ("virtualService/yelb-ui", "yelb-ui-vs.json", &[]),
        ("virtualGateway/yelb-gateway", "yelb-vg.json", &[]),
        (
            "virtualGateway/yelb-gateway/gatewayRoute/app",
            "yelb-app-gateway-route.json",
            &[],
        ),
        (
            "virtualGateway/yelb-gateway/gatewayRoute/ui",
            "yelb-ui-gateway-route.json",
            &[],
        ),
    ]],
};

#[test]
fn example_meshes_have_the_findings_that_are_right_and_no_others() {
    let Some(folder) = example_files::folder() else {
        return;
    };
    let mut wrong = Vec::new();
    for (example, expected) in EXAMPLES {
        let findings = analyze(&assembled(example.specs(&folder), Vec::new()), &Options::default());
        let found: Vec<(&str, &str)> = findings
            .iter()
            .map(|finding| (finding.code, finding.resource.as_str()))
            .collect();
        if found != *expected {
            wrong.push((example.folder, findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ten_retries_at_one_hop_are_no_finding() {
    let Some(folder) = example_files::folder() else {
        return;
    };
    let node = json!({
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "blue.local", "responseType": "ENDPOINTS"}},
    });
    let route = example_files::read(&folder.join("howto-http-retries/blue-route.json"))["spec"].clone();
    let specs = [
        ("virtualNode/blue-node", node),
        (
            "virtualRouter/color-router",
            json!({"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}),
        ),
        ("virtualRouter/color-router/route/blue", route),
        (
            "virtualService/color.local",
            json!({"provider": {"virtualRouter": {"virtualRouterName": "color-router"}}}),
        ),
        (
            "virtualNode/front",
            json!({"backends": [{"virtualService": {"virtualServiceName": "color.local"}}]}),
        ),
    ];
    assert_eq!(analyze(&assembled(specs, Vec::new()), &Options::default()), []);
}
