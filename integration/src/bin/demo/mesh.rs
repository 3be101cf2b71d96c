//! The demo's mesh: control plane, gateway, four colour services, and the resources between them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use ferromesh_integration::{
    rig::{paths, ports, wait_for_status, Proxy, Rig},
    upstream::Upstream,
};
use reqwest::Method;
use serde_json::{json, Value};

/// What the resources are made of, in an order in which each finds what it refers to.
const RESOURCES: &[(&str, &str)] = &[
    ("create-mesh", "mesh"),
    ("create-virtual-node", "virtual-node-blue"),
    ("create-virtual-node", "virtual-node-green"),
    ("create-virtual-node", "virtual-node-yellow"),
    ("create-virtual-node", "virtual-node-red"),
    ("create-virtual-router", "virtual-router-color"),
    ("create-route", "route-color"),
    ("create-virtual-service", "virtual-service-color"),
    ("create-virtual-router", "virtual-router-tint"),
    ("create-route", "route-tint"),
    ("create-virtual-service", "virtual-service-tint"),
    ("create-virtual-gateway", "virtual-gateway"),
    ("create-gateway-route", "gateway-route-color"),
    ("create-gateway-route", "gateway-route-tint"),
];

const COLOURS: [&str; 4] = ["blue", "green", "yellow", "red"];
/// The ports in the files.
const COLOUR_PORTS: [u16; 4] = [9001, 9002, 9003, 9004];
const GATEWAY_PORT: u16 = 8088;

/// Where the parts listen, on 127.0.0.1.
pub struct Ports {
    gateway: u16,
    colours: [u16; 4],
}

impl Ports {
    pub fn free() -> Result<Self> {
        Ok(Self {
            gateway: ports::free()?,
            colours: [ports::free()?, ports::free()?, ports::free()?, ports::free()?],
        })
    }

    /// The ports that stand in the files, each replaced by a free one if somebody has it.
    pub fn of_the_files_or_free() -> Result<Self> {
        let or_free = |port| match ports::is_free(port) {
            true => Ok(port),
            false => ports::free(),
        };
        let [blue, green, yellow, red] = COLOUR_PORTS;
        Ok(Self {
            gateway: or_free(GATEWAY_PORT)?,
            colours: [or_free(blue)?, or_free(green)?, or_free(yellow)?, or_free(red)?],
        })
    }
}

pub struct DemoMesh {
    // Dropped in this order: load ends before what it is sent to, the rig last.
    pub gateway: Proxy,
    pub colours: Vec<Upstream>,
    pub rig: Rig,
    port: u16,
}

impl DemoMesh {
    pub async fn start(ports: Ports) -> Result<Self> {
        let mut colours = Vec::new();
        for (name, port) in COLOURS.iter().zip(ports.colours) {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            colours.push(Upstream::start_at(name, address).await?);
        }
        let rig = Rig::start().await?;
        // The gateway starts while its resources are still being made, as it would on a real machine.
        let gateway = rig.start_proxy("mesh/demo/virtualGateway/gateway")?;
        for (operation, file) in RESOURCES {
            rig.aws(operation, &resource(file, &ports)?).await?;
        }
        // Our own setting beside App Mesh's: a gateway tells nobody what is behind it unless asked to.
        let tell = json!({
            "target": {"virtualGateway": "gateway"},
            "spec": {"observability": {"responseHeaders": true}},
        });
        rig.accepted(Method::PUT, "/v1/policies/demo/response-headers", &tell)
            .await?;
        gateway.wait_until_live().await?;
        let mesh = Self {
            gateway,
            colours,
            rig,
            port: ports.gateway,
        };
        wait_for_status(&mesh.url("/color"), 200).await?;
        wait_for_status(&mesh.url("/tint"), 200).await?;
        Ok(mesh)
    }

    /// A URL at the gateway.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `aws appmesh update-route` with a file; returns the moment of the commit, in seconds since the epoch.
    pub async fn update_route(&self, file: &str) -> Result<f64> {
        let input: Value = read(file)?;
        self.rig.aws("update-route", &input).await?;
        let route = "meshes/demo/virtualRouter/color/routes/color";
        let stored = self.rig.get(route).await?;
        stored["metadata"]["lastUpdatedAt"]
            .as_f64()
            .with_context(|| format!("no lastUpdatedAt in {stored}"))
    }

    /// What to look at and to try by hand.
    pub fn introduce(&self) {
        let api = self.rig.address();
        let aws = paths::aws().unwrap_or_else(|_| "aws".into());
        println!();
        println!("  gateway        {}   (blue and green)", self.url("/color"));
        println!("                 {}    (yellow and red)", self.url("/tint"));
        println!("  control plane  http://{api}/v20190125/meshes/demo/virtualNodes");
        println!("  proxies        http://{api}/v1/proxies");
        println!("  Envoy          http://{}", self.gateway.admin().address());
        println!(
            "  metrics        http://{}/stats/prometheus?filter=ferromesh",
            self.gateway.admin().address()
        );
        println!();
        println!("  try by hand:");
        println!("    export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1");
        println!("    curl -i {}", self.url("/color"));
        println!(
            "    {} --endpoint-url http://{api} appmesh update-route --cli-input-json file://{}",
            aws.display(),
            file("route-color-50-50").display()
        );
        println!(
            "    curl -X PUT -d '{{\"percent\": 10}}' http://{}/_colour   # green fails every tenth request",
            self.colours[1].addr()
        );
        println!();
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("demo/{name}.json"))
}

fn read(name: &str) -> Result<Value> {
    let file = file(name);
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

/// A file of the demo, on the ports of this run.
fn resource(name: &str, ports: &Ports) -> Result<Value> {
    let mut input = read(name)?;
    let port = match name.strip_prefix("virtual-node-") {
        _ if name == "virtual-gateway" => Some(ports.gateway),
        Some(colour) => COLOURS
            .iter()
            .position(|known| *known == colour)
            .map(|index| ports.colours[index]),
        None => None,
    };
    if let Some(port) = port {
        input["spec"]["listeners"][0]["portMapping"]["port"] = json!(port);
    }
    Ok(input)
}
