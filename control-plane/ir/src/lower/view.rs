//! The mesh as a lowering sees it: everything is found by name, and what was looked at is noted.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ferromesh_model::mesh::{Mesh, VirtualGateway, VirtualRouter};
use ferromesh_model::policy::{Policy, PolicyTarget};
use ferromesh_model::resource::{
    ListenerTls, ListenerTlsCertificate, ListenerTlsMode, MeshSpec, VirtualNodeSpec, VirtualServiceSpec,
};
use ferromesh_model::rollback::Rollbacks;
use ferromesh_model::Violation;

use super::inputs::{Input, Inputs};
use super::{Lowering, Memo};
use crate::{Options, Proxy, ProxyKind};

/// A mesh made ready for the lowering of many of its proxies: what would be searched for again for each route is put where
/// it is found by name.
pub struct Prepared<'m> {
    mesh: &'m Mesh,
    policies: Policies<'m>,
    showing: HashMap<&'m str, Showing<'m>>,
    memo: Option<&'m Memo>,
}

/// Policies by target, those of one target in the order of their names.
#[derive(Default)]
struct Policies<'m> {
    mesh: Vec<&'m Policy>,
    nodes: ByName<'m>,
    ingress: ByName<'m>,
    gateways: ByName<'m>,
    /// By gateway, then by gateway route.
    gateway_routes: HashMap<&'m str, ByName<'m>>,
    services: ByName<'m>,
    /// By router, then by route.
    routes: HashMap<&'m str, ByName<'m>>,
}

type ByName<'m> = HashMap<&'m str, Vec<&'m Policy>>;

/// Who shows a certificate, in the order of their names.
#[derive(Default)]
pub(super) struct Showing<'m> {
    pub nodes: BTreeMap<&'m str, &'m VirtualNodeSpec>,
    pub gateways: Vec<&'m str>,
}

/// A lowered proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// What it must do.
    pub proxy: Proxy,
    /// What that was made from.
    pub inputs: Inputs,
}

impl<'m> Prepared<'m> {
    /// Costs what a look at each node, gateway and policy costs.
    pub fn new(mesh: &'m Mesh) -> Self {
        let mut policies = Policies::default();
        for policy in &mesh.policies {
            policies.add(policy);
        }
        let mut showing: HashMap<&str, Showing<'_>> = HashMap::new();
        for (name, node) in &mesh.virtual_nodes {
            for arn in shown(node.listeners.iter().map(|listener| listener.tls.as_ref())) {
                showing.entry(arn).or_default().nodes.insert(name, node);
            }
        }
        for (name, gateway) in &mesh.virtual_gateways {
            for arn in shown(gateway.spec.listeners.iter().map(|listener| listener.tls.as_ref())) {
                let gateways = &mut showing.entry(arn).or_default().gateways;
                if gateways.last() != Some(&name.as_str()) {
                    gateways.push(name);
                }
            }
        }
        Self {
            mesh,
            policies,
            showing,
            memo: None,
        }
    }

    /// As [`Prepared::new`], for many proxies: what these have in common is lowered once, and taken from `memo` if it is
    /// there. It must be this mesh's.
    pub fn with_memo(mesh: &'m Mesh, memo: &'m Memo) -> Self {
        Self {
            memo: Some(memo),
            ..Self::new(mesh)
        }
    }

    /// As [`super::proxy`], with what was looked at.
    ///
    /// # Errors
    /// The mesh has no such virtual node or virtual gateway.
    pub fn proxy(&self, kind: ProxyKind, name: &str, options: &Options) -> Result<Lowered, Vec<Violation>> {
        if let Some(memo) = self.memo {
            memo.prepare(options);
        }
        let mut lowering = Lowering::new(View::new(self), kind, name, options);
        let proxy = match kind {
            ProxyKind::VirtualGateway => match lowering.mesh.virtual_gateway(name) {
                Some(gateway) => lowering.gateway(gateway),
                None => return Err(vec![missing(self.mesh, "virtualGateway", name)]),
            },
            ProxyKind::VirtualNode => match lowering.mesh.virtual_node(name) {
                Some(node) => lowering.node(node),
                None => return Err(vec![missing(self.mesh, "virtualNode", name)]),
            },
        };
        Ok(Lowered {
            proxy,
            inputs: lowering.mesh.into_inputs(),
        })
    }
}

fn missing(mesh: &Mesh, kind: &str, name: &str) -> Violation {
    Violation::new("", format!("mesh {} has no {kind} named {name}", mesh.name))
}

impl<'m> Policies<'m> {
    fn add(&mut self, policy: &'m Policy) {
        let of_target = match &policy.target {
            PolicyTarget::Mesh {} => &mut self.mesh,
            PolicyTarget::VirtualNode(node) => self.nodes.entry(node).or_default(),
            PolicyTarget::VirtualNodeIngress(node) => self.ingress.entry(node).or_default(),
            PolicyTarget::VirtualGateway(gateway) => self.gateways.entry(gateway).or_default(),
            PolicyTarget::GatewayRoute { gateway, name } => {
                let routes = self.gateway_routes.entry(gateway).or_default();
                routes.entry(name).or_default()
            }
            PolicyTarget::VirtualService(service) => self.services.entry(service).or_default(),
            PolicyTarget::Route { router, name } => self.routes.entry(router).or_default().entry(name).or_default(),
        };
        let place = of_target.partition_point(|known| known.name <= policy.name);
        of_target.insert(place, policy);
    }
}

/// The ARNs of the certificates that listeners show.
pub fn shown<'t>(listeners: impl Iterator<Item = Option<&'t ListenerTls>>) -> impl Iterator<Item = &'t str> {
    listeners.filter_map(|tls| match &switched_on(tls)?.certificate {
        ListenerTlsCertificate::Acm(acm) => Some(acm.certificate_arn.as_str()),
        ListenerTlsCertificate::File(_) | ListenerTlsCertificate::Sds(_) => None,
    })
}

/// TLS settings, unless the mode switches them off.
pub(super) fn switched_on(tls: Option<&ListenerTls>) -> Option<&ListenerTls> {
    tls.filter(|tls| tls.mode != ListenerTlsMode::Disabled)
}

/// The only way from a lowering to the mesh, so that nothing is read that is not noted.
pub(super) struct View<'a> {
    prepared: &'a Prepared<'a>,
    read: RefCell<Inputs>,
}

impl<'a> View<'a> {
    fn new(prepared: &'a Prepared<'a>) -> Self {
        Self {
            prepared,
            read: RefCell::default(),
        }
    }

    /// The same mesh, of which nothing was looked at.
    pub fn afresh(&self) -> Self {
        Self::new(self.prepared)
    }

    /// Where parts are kept that many proxies have in common; `None`: nowhere.
    pub fn memo(&self) -> Option<&'a Memo> {
        self.prepared.memo
    }

    /// Notes what was looked at for a part.
    pub fn include(&self, part: &Arc<Inputs>) {
        self.read.borrow_mut().include(part);
    }

    /// What was looked at.
    pub fn into_inputs(self) -> Inputs {
        self.read.into_inner()
    }

    fn note(&self, input: Input, name: &str) {
        self.read.borrow_mut().note(input, name);
    }

    /// Notes that it was asked what was imported for an ARN.
    pub fn note_certificate(&self, arn: &str) {
        self.note(Input::Certificate, arn);
    }

    /// Name of the mesh, which never changes.
    pub fn name(&self) -> &'a str {
        &self.prepared.mesh.name
    }

    /// Its spec, an input of every lowering.
    pub fn spec(&self) -> &'a MeshSpec {
        &self.prepared.mesh.spec
    }

    pub fn virtual_node(&self, name: &str) -> Option<&'a VirtualNodeSpec> {
        self.note(Input::VirtualNode, name);
        self.prepared.mesh.virtual_nodes.get(name)
    }

    pub fn virtual_service(&self, name: &str) -> Option<&'a VirtualServiceSpec> {
        self.note(Input::VirtualService, name);
        self.prepared.mesh.virtual_services.get(name)
    }

    /// A router with its routes.
    pub fn virtual_router(&self, name: &str) -> Option<&'a VirtualRouter> {
        self.note(Input::VirtualRouter, name);
        self.prepared.mesh.virtual_routers.get(name)
    }

    /// A gateway with its routes.
    pub fn virtual_gateway(&self, name: &str) -> Option<&'a VirtualGateway> {
        self.note(Input::VirtualGateway, name);
        self.prepared.mesh.virtual_gateways.get(name)
    }

    pub fn rollbacks(&self, policy: &str) -> Option<&'a Rollbacks> {
        self.note(Input::Rollbacks, policy);
        self.prepared.mesh.rollbacks.get(policy)
    }

    /// Who shows the certificate of an ARN.
    pub fn showing(&self, arn: &str) -> Option<&'a Showing<'a>> {
        self.note(Input::Showing, arn);
        self.prepared.showing.get(arn)
    }

    /// Policies for everything in the mesh, inputs of every lowering.
    pub fn mesh_policies(&self) -> &'a [&'a Policy] {
        &self.prepared.policies.mesh
    }

    /// Policies for what a proxy sends.
    pub fn policies_of(&self, kind: ProxyKind, name: &str) -> &'a [&'a Policy] {
        let policies = &self.prepared.policies;
        match kind {
            ProxyKind::VirtualNode => {
                self.note(Input::PoliciesOfNode, name);
                found(&policies.nodes, name)
            }
            ProxyKind::VirtualGateway => {
                self.note(Input::PoliciesOfGateway, name);
                found(&policies.gateways, name)
            }
        }
    }

    /// Policies for what arrives at a virtual node.
    pub fn policies_of_ingress(&self, node: &str) -> &'a [&'a Policy] {
        self.note(Input::PoliciesOfNode, node);
        found(&self.prepared.policies.ingress, node)
    }

    pub fn policies_of_gateway_route(&self, gateway: &str, name: &str) -> &'a [&'a Policy] {
        self.note(Input::PoliciesOfGateway, gateway);
        let policies = self.prepared.policies.gateway_routes.get(gateway);
        policies.map_or(&[], |policies| found(policies, name))
    }

    pub fn policies_of_service(&self, service: &str) -> &'a [&'a Policy] {
        self.note(Input::VirtualService, service);
        found(&self.prepared.policies.services, service)
    }

    pub fn policies_of_route(&self, router: &str, name: &str) -> &'a [&'a Policy] {
        self.note(Input::VirtualRouter, router);
        let policies = self.prepared.policies.routes.get(router);
        policies.map_or(&[], |policies| found(policies, name))
    }
}

fn found<'a>(policies: &'a ByName<'a>, target: &str) -> &'a [&'a Policy] {
    policies.get(target).map_or(&[], Vec::as_slice)
}
