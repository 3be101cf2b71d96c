//! A list of creations that make a mesh.

use std::collections::BTreeMap;

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Value};

use crate::text::{self, mostly};
use crate::{flaw, gateway, node, policy, route, Draw};

/// What a client asks to create, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Name of the mesh.
    pub name: String,
    /// The creations, in their order; the mesh is the first.
    pub creations: Vec<Creation>,
}

/// One creation.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// Of an App Mesh resource.
    Resource {
        /// Which.
        key: Key,
        /// Its spec.
        spec: Value,
    },
    /// Of one of our own policies.
    Policy {
        /// Its name.
        name: String,
        /// What it applies to.
        target: Value,
        /// What it says.
        spec: Value,
    },
}

/// Whether something in a world is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaws {
    /// Only what chance puts in: a name or a text that should not be there.
    None,
    /// One of its specs breaks one rule, see [`crate::flaws`].
    One,
}

impl World {
    /// The world of a seed.
    pub fn from_seed(seed: u64, flaws: Flaws) -> Self {
        let mut draw = Draw::new(seed);
        let mut world = Self {
            name: format!("m{seed}"),
            creations: Vec::new(),
        };
        let mut shape = Shape::default();
        world.mesh(&mut draw);
        world.name_everything(&mut draw, &mut shape);
        world.nodes(&mut draw, &mut shape);
        world.routers(&mut draw, &mut shape);
        world.services(&mut draw, &mut shape);
        world.gateways(&mut draw, &mut shape);
        for index in 0..draw.between(0, 3) {
            let (target, spec) = policy::policy(&mut draw, &shape);
            let name = format!("p{index}");
            world.creations.push(Creation::Policy { name, target, spec });
        }
        if flaws == Flaws::One {
            flaw::put_in(&mut draw, &mut world);
        }
        world
    }

    fn put(&mut self, key: Key, spec: Value) {
        self.creations.push(Creation::Resource { key, spec });
    }

    fn in_mesh(&self, kind: Kind, name: &str) -> Key {
        Key::in_mesh(self.name.clone(), kind, name)
    }

    fn mesh(&mut self, draw: &mut Draw) {
        let mut spec = json!({});
        if draw.chance(60) {
            spec["egressFilter"] = json!({"type": draw.text(&["ALLOW_ALL", "DROP_ALL"])});
        }
        if draw.chance(30) {
            let preference = draw.text(&["IPv4_PREFERRED", "IPv4_ONLY", "IPv6_PREFERRED", "IPv6_ONLY"]);
            spec["serviceDiscovery"] = json!({ "ipPreference": preference });
        }
        self.put(Key::mesh(self.name.clone()), spec);
    }

    #[allow(clippy::unused_self)] // reads as one of the steps
    fn name_everything(&self, draw: &mut Draw, shape: &mut Shape) {
        let distinct = |draw: &mut Draw, low, high, usual: &[&str], odd: &[&str], percent| {
            let mut names: Vec<String> = draw.several(low, high, |draw| {
                if draw.chance(1) {
                    text::long(draw, "n", 255)
                } else {
                    mostly(draw, usual, odd, percent)
                }
            });
            names.sort();
            names.dedup();
            names
        };
        shape.nodes = distinct(draw, 1, 4, text::NAMES, text::ODD_NAMES, 6);
        shape.routers = distinct(draw, 0, 3, text::NAMES, text::ODD_NAMES, 6);
        shape.services = distinct(draw, 1, 4, text::HOSTS, text::ODD_HOSTS, 12);
        shape.gateways = distinct(draw, 0, 2, text::NAMES, text::ODD_NAMES, 6);
    }

    fn nodes(&mut self, draw: &mut Draw, shape: &mut Shape) {
        for name in shape.nodes.clone() {
            let spec = node::spec(draw, &shape.services);
            let ports = spec["listeners"].as_array().into_iter().flatten();
            let ports = ports.filter_map(|listener| listener["portMapping"]["port"].as_u64());
            shape.ports_of_nodes.insert(name.clone(), ports.collect());
            self.put(self.in_mesh(Kind::VirtualNode, &name), spec);
        }
    }

    fn routers(&mut self, draw: &mut Draw, shape: &mut Shape) {
        for name in shape.routers.clone() {
            let listeners: Vec<(u16, String)> = node::ports(draw, 1, 3)
                .into_iter()
                .map(|port| (port, node::protocol(draw)))
                .collect();
            let mappings: Vec<Value> = listeners
                .iter()
                .map(|(port, protocol)| json!({"portMapping": {"port": port, "protocol": protocol}}))
                .collect();
            let ports = listeners.iter().map(|(port, _)| u64::from(*port)).collect();
            shape.ports_of_routers.insert(name.clone(), ports);
            self.put(
                self.in_mesh(Kind::VirtualRouter, &name),
                json!({ "listeners": mappings }),
            );
            for index in 0..draw.between(0, 6) {
                let spec = route::spec(draw, shape, &listeners);
                let route = route_name(draw, index);
                shape.routes.push((name.clone(), route.clone()));
                self.put(
                    Key::in_parent(self.name.clone(), Kind::Route, name.clone(), route),
                    spec,
                );
            }
        }
    }

    fn services(&mut self, draw: &mut Draw, shape: &mut Shape) {
        for name in shape.services.clone() {
            let router = shape.routers.get(draw.between(0, 3)).cloned();
            let (spec, ports) = match router {
                Some(router) if draw.chance(90) => (
                    json!({"provider": {"virtualRouter": {"virtualRouterName": router}}}),
                    shape.ports_of_routers.get(&router).cloned(),
                ),
                _ if draw.chance(90) => {
                    let node = shape.a_node(draw);
                    let ports = shape.ports_of_nodes.get(&node).cloned();
                    (json!({"provider": {"virtualNode": {"virtualNodeName": node}}}), ports)
                }
                _ => (json!({}), None),
            };
            shape.ports_of_services.insert(name.clone(), ports.unwrap_or_default());
            self.put(self.in_mesh(Kind::VirtualService, &name), spec);
        }
    }

    fn gateways(&mut self, draw: &mut Draw, shape: &mut Shape) {
        for name in shape.gateways.clone() {
            let (spec, listeners) = gateway::spec(draw);
            self.put(self.in_mesh(Kind::VirtualGateway, &name), spec);
            for index in 0..draw.between(0, 6) {
                let spec = gateway::route(draw, shape, &listeners);
                let route = route_name(draw, index);
                self.put(
                    Key::in_parent(self.name.clone(), Kind::GatewayRoute, name.clone(), route),
                    spec,
                );
            }
        }
    }
}

fn route_name(draw: &mut Draw, index: usize) -> String {
    if draw.chance(4) {
        format!("{}{index}", draw.text(text::ODD_NAMES))
    } else {
        format!("r{index}")
    }
}

/// Which names a world has, so that resources can name one another.
#[derive(Debug, Default)]
pub struct Shape {
    nodes: Vec<String>,
    routers: Vec<String>,
    services: Vec<String>,
    gateways: Vec<String>,
    routes: Vec<(String, String)>,
    ports_of_nodes: BTreeMap<String, Vec<u64>>,
    ports_of_routers: BTreeMap<String, Vec<u64>>,
    ports_of_services: BTreeMap<String, Vec<u64>>,
}

impl Shape {
    /// A virtual node.
    pub fn a_node(&self, draw: &mut Draw) -> String {
        draw.of(&self.nodes).clone()
    }

    /// A virtual service.
    pub fn a_service(&self, draw: &mut Draw) -> String {
        draw.of(&self.services).clone()
    }

    /// The ports of a node's listeners.
    pub fn node_ports(&self, name: &str) -> Vec<u64> {
        self.ports_of_nodes.get(name).cloned().unwrap_or_default()
    }

    /// The ports on which a service is called.
    pub fn service_ports(&self, name: &str) -> Vec<u64> {
        self.ports_of_services.get(name).cloned().unwrap_or_default()
    }

    /// What a policy can apply to.
    pub fn a_target(&self, draw: &mut Draw) -> Value {
        match draw.between(0, 5) {
            0 => json!({"mesh": {}}),
            1 => json!({"virtualNode": self.a_node(draw)}),
            2 => json!({"virtualService": self.a_service(draw)}),
            3 => json!({"virtualNodeIngress": self.a_node(draw)}),
            4 if !self.gateways.is_empty() => json!({"virtualGateway": draw.of(&self.gateways)}),
            _ => match self.routes.get(draw.between(0, 5)) {
                Some((router, name)) => json!({"route": {"router": router, "name": name}}),
                None => json!({"mesh": {}}),
            },
        }
    }
}
