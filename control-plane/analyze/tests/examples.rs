//! Meshes that users of App Mesh wrote, read from the folder in `FERROMESH_EXAMPLES`: every finding about them is known,
//! and right.

mod meshes;

use std::path::PathBuf;

use ferromesh_analyze::analyze;
use ferromesh_ir::Options;
use meshes::assembled;
use serde_json::{json, Value};

/// Values of variables in a file.
type Variables = &'static [(&'static str, &'static str)];

/// An example: its folder, its resources by their place in the mesh and their file, the values of variables, and what is
/// found.
struct Example {
    folder: &'static str,
    resources: &'static [(&'static str, &'static str, Variables)],
    found: &'static [(&'static str, &'static str)],
}

const ONE: &str = "one.local";
const TWO: &str = "two.local";
const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";

const EXAMPLES: &[Example] = &[
    Example {
        folder: "howto-ingress-gateway/mesh",
        resources: &[
            (
                "virtualNode/white",
                "colorteller-white-vn.json",
                &[("DNS_HOSTNAME", "white.local")],
            ),
            (
                "virtualNode/colorteller-white-vn",
                "colorteller-white-vn.json",
                &[("DNS_HOSTNAME", "w.local")],
            ),
            (
                "virtualNode/colorteller-blue-vn",
                "colorteller-blue-vn.json",
                &[("DNS_HOSTNAME", "b.local")],
            ),
            (
                "virtualNode/colorteller-black-vn",
                "colorteller-black-vn.json",
                &[("DNS_HOSTNAME", "k.local")],
            ),
            (
                "virtualNode/colorteller-red-vn",
                "colorteller-red-vn.json",
                &[("DNS_HOSTNAME", "r.local")],
            ),
            ("virtualRouter/colorteller-vr-1", "colorteller-vr-1.json", &[]),
            ("virtualRouter/colorteller-vr-2", "colorteller-vr-2.json", &[]),
            (
                "virtualRouter/colorteller-vr-1/route/one",
                "colorteller-route-1.json",
                &[],
            ),
            (
                "virtualRouter/colorteller-vr-2/route/two",
                "colorteller-route-2.json",
                &[],
            ),
            ("virtualService/one.local", "colorteller-vs-1.json", &[]),
            ("virtualService/two.local", "colorteller-vs-2.json", &[]),
            (
                "virtualGateway/gate",
                "colorgateway-vg.json",
                &[("CERTIFICATE_ARN", ARN)],
            ),
            (
                "virtualGateway/gate/gatewayRoute/one",
                "colorgateway-route-1.json",
                &[("VIRTUALSERVICE_NAME", ONE)],
            ),
            (
                "virtualGateway/gate/gatewayRoute/two",
                "colorgateway-route-2.json",
                &[("VIRTUALSERVICE_NAME", TWO)],
            ),
        ],
        // The node was added here, to see that it is found.
        found: &[("FM128", "virtualGateway/gate"), ("FM220", "virtualNode/white")],
    },
    Example {
        folder: "howto-match-and-rewrite-at-ingress/mesh",
        resources: &[
            (
                "virtualNode/colorteller-red-vn",
                "colorteller-red-vn.json",
                &[("DNS_HOSTNAME", "r.local")],
            ),
            (
                "virtualNode/colorteller-yellow-vn",
                "colorteller-yellow-vn.json",
                &[("DNS_HOSTNAME", "y.local")],
            ),
            ("virtualRouter/colorteller-vr-1", "colorteller-vr-1.json", &[]),
            ("virtualRouter/colorteller-vr-2", "colorteller-vr-2.json", &[]),
            (
                "virtualRouter/colorteller-vr-1/route/one",
                "colorteller-route-1.json",
                &[],
            ),
            (
                "virtualRouter/colorteller-vr-2/route/two",
                "colorteller-route-2.json",
                &[],
            ),
            ("virtualService/one.local", "colorteller-vs-1.json", &[]),
            ("virtualService/two.local", "colorteller-vs-2.json", &[]),
            ("virtualGateway/gate", "colorgateway-vg.json", &[]),
            (
                "virtualGateway/gate/gatewayRoute/one",
                "colorgateway-route-1.json",
                &[("VIRTUALSERVICE_NAME", ONE)],
            ),
            (
                "virtualGateway/gate/gatewayRoute/two",
                "colorgateway-route-2.json",
                &[("VIRTUALSERVICE_NAME", TWO)],
            ),
        ],
        found: &[],
    },
    Example {
        folder: "howto-multiple-listeners/mesh",
        resources: &[
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
            ("virtualRouter/foodteller-vr/route/fruit", "fruit-route.json", &[]),
            (
                "virtualRouter/foodteller-vr/route/vegetable",
                "vegetable-route.json",
                &[],
            ),
            ("virtualService/one.local", "foodteller-vs.json", &[]),
            ("virtualService/two.local", "colorteller-vs.json", &[]),
            ("virtualGateway/gate", "tellergateway-vg.json", &[]),
            (
                "virtualGateway/gate/gatewayRoute/fruit",
                "fruit-gateway-route.json",
                &[("VIRTUALSERVICE_NAME", ONE)],
            ),
            (
                "virtualGateway/gate/gatewayRoute/vegetable",
                "vegetable-gateway-route.json",
                &[("VIRTUALSERVICE_NAME", ONE)],
            ),
            (
                "virtualGateway/gate/gatewayRoute/color",
                "color-gateway-route.json",
                &[("VIRTUALSERVICE_NAME", TWO)],
            ),
        ],
        found: &[],
    },
    Example {
        folder: "howto-mutual-tls-file-provided/mesh",
        resources: &[
            (
                "virtualNode/colorteller-vn",
                "updates/colorteller-vn-strict-validation.json",
                &[("SERVICES_DOMAIN", "local"), ("GATEWAY_SAN", "gate.local")],
            ),
            ("virtualService/one.local", "colorteller-vs.json", &[]),
            (
                "virtualGateway/gate",
                "updates/gateway-vgw-client-cert.json",
                &[("COLOR_TELLER_SAN", "color.local")],
            ),
            (
                "virtualGateway/gate/gatewayRoute/one",
                "colorteller-gwroute.json",
                &[("VIRTUAL_SERVICE", ONE)],
            ),
        ],
        found: &[],
    },
    Example {
        // The step of the walkthrough after which calls are answered with 503: the gateway shows no certificate yet.
        folder: "howto-mutual-tls-file-provided/mesh",
        resources: &[
            (
                "virtualNode/colorteller-vn",
                "updates/colorteller-vn-strict-validation.json",
                &[("SERVICES_DOMAIN", "local"), ("GATEWAY_SAN", "gate.local")],
            ),
            ("virtualService/one.local", "colorteller-vs.json", &[]),
            (
                "virtualGateway/gate",
                "updates/gateway-vgw-client-policy.json",
                &[("COLOR_TELLER_SAN", "color.local")],
            ),
            (
                "virtualGateway/gate/gatewayRoute/one",
                "colorteller-gwroute.json",
                &[("VIRTUAL_SERVICE", ONE)],
            ),
        ],
        found: &[("FM213", "virtualGateway/gate")],
    },
    Example {
        folder: "yelb",
        resources: &[
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
        ],
        found: &[],
    },
];

fn folder() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("FERROMESH_EXAMPLES").filter(|folder| !folder.is_empty()) else {
        // The only input that a test may go without: the meshes are other people's.
        println!("skipped: FERROMESH_EXAMPLES names no folder of example meshes");
        return None;
    };
    Some(folder.into())
}

fn spec(path: &PathBuf, variables: &[(&str, &str)]) -> Value {
    let mut text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (variable, value) in variables {
        text = text.replace(&format!("${variable}"), &format!("{value:?}"));
    }
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    json["spec"].clone()
}

#[test]
fn example_meshes_have_the_findings_that_are_right_and_no_others() {
    let Some(folder) = folder() else { return };
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let resources = example.resources.iter();
        let specs = resources
            .map(|(place, file, variables)| (*place, spec(&folder.join(example.folder).join(file), variables)));
        let findings = analyze(&assembled(specs, Vec::new()), &Options::default());
        let found: Vec<(&str, &str)> = findings
            .iter()
            .map(|finding| (finding.code, finding.resource.as_str()))
            .collect();
        if found != example.found {
            wrong.push((example.folder, findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ten_retries_at_one_hop_are_no_finding() {
    let Some(folder) = folder() else { return };
    let node = json!({
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "blue.local", "responseType": "ENDPOINTS"}},
    });
    let route = spec(&folder.join("howto-http-retries/blue-route.json"), &[]);
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
