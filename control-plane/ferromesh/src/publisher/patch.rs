//! A typed mesh brought up to date by what was written and what is gone, and what of the lowering that touches.
//!
//! What does not fit (a spec of another shape, a route without its parent) is left to [`Mesh::assemble`], which says what is
//! wrong with the whole.

use ferromesh_ir::lower::{
    inputs::{Changes, Input},
    shown,
};
use ferromesh_model::{
    mesh::{GatewayRoute, Mesh, Route, VirtualGateway, VirtualRouter},
    policy::Policy,
    record::Record,
    resource::{Key, Kind, VirtualGatewaySpec, VirtualNodeSpec},
    rollback::Rollbacks,
};
use serde::de::DeserializeOwned;

use super::followed::Difference;

/// The mesh cannot be brought up to date; it is half done and good for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit;

/// Brings resources up to date.
pub(super) fn resources(
    mesh: &mut Mesh,
    difference: Difference<Record, Key>,
    changes: &mut Changes,
) -> Result<(), Misfit> {
    let is_held = |kind: Kind| matches!(kind, Kind::Route | Kind::GatewayRoute);
    // Children go before their parents, and come after them.
    let (held, others): (Vec<Key>, Vec<Key>) = difference.gone.into_iter().partition(|key| is_held(key.kind));
    for key in held.iter().chain(&others) {
        remove(mesh, key, changes)?;
    }
    let (held, others): (Vec<Record>, Vec<Record>) = difference
        .written
        .into_iter()
        .partition(|record| is_held(record.key.kind));
    for record in others.iter().chain(&held) {
        put(mesh, record, changes)?;
    }
    Ok(())
}

/// Brings policies up to date.
pub(super) fn policies(mesh: &mut Mesh, difference: Difference<Policy, String>, changes: &mut Changes) {
    for name in difference.gone {
        if let Ok(place) = place(&mesh.policies, &name, |policy| &policy.name) {
            changes.note_policy(&mesh.policies.remove(place).target);
        }
    }
    for policy in difference.written {
        changes.note_policy(&policy.target);
        match place(&mesh.policies, &policy.name, |policy| &policy.name) {
            Ok(place) => {
                let before = std::mem::replace(&mut mesh.policies[place], policy);
                changes.note_policy(&before.target);
            }
            Err(place) => mesh.policies.insert(place, policy),
        }
    }
}

/// Brings what is known of rollbacks up to date.
pub(super) fn rollbacks(mesh: &mut Mesh, difference: Difference<Rollbacks, String>, changes: &mut Changes) {
    for policy in difference.gone {
        changes.note(Input::Rollbacks, &policy);
        mesh.rollbacks.remove(&policy);
    }
    for known in difference.written {
        changes.note(Input::Rollbacks, &known.policy);
        mesh.rollbacks.insert(known.policy.clone(), known);
    }
}

fn remove(mesh: &mut Mesh, key: &Key, changes: &mut Changes) -> Result<(), Misfit> {
    let name = key.name.as_str();
    match key.kind {
        Kind::Mesh => return Err(Misfit),
        Kind::VirtualNode => {
            changes.note(Input::VirtualNode, name);
            note_shown_by_node(mesh.virtual_nodes.remove(name).as_ref(), changes);
        }
        Kind::VirtualService => {
            changes.note(Input::VirtualService, name);
            mesh.virtual_services.remove(name);
        }
        Kind::VirtualRouter => {
            changes.note(Input::VirtualRouter, name);
            let router = mesh.virtual_routers.remove(name);
            if router.is_some_and(|router| !router.routes.is_empty()) {
                return Err(Misfit);
            }
        }
        Kind::VirtualGateway => {
            changes.note(Input::VirtualGateway, name);
            let gateway = mesh.virtual_gateways.remove(name);
            note_shown_by_gateway(gateway.as_ref().map(|gateway| &gateway.spec), changes);
            if gateway.is_some_and(|gateway| !gateway.routes.is_empty()) {
                return Err(Misfit);
            }
        }
        Kind::Route => {
            let router = key.parent.as_deref().unwrap_or_default();
            changes.note(Input::VirtualRouter, router);
            let router = mesh.virtual_routers.get_mut(router).ok_or(Misfit)?;
            router.routes.retain(|route| route.name != name);
        }
        Kind::GatewayRoute => {
            let gateway = key.parent.as_deref().unwrap_or_default();
            changes.note(Input::VirtualGateway, gateway);
            let gateway = mesh.virtual_gateways.get_mut(gateway).ok_or(Misfit)?;
            gateway.routes.retain(|route| route.name != name);
        }
    }
    Ok(())
}

fn put(mesh: &mut Mesh, record: &Record, changes: &mut Changes) -> Result<(), Misfit> {
    let name = record.key.name.clone();
    let parent = record.key.parent.as_deref().unwrap_or_default();
    let created_at = record.metadata.created_at;
    match record.key.kind {
        Kind::Mesh => {
            changes.note_everything();
            mesh.spec = spec(record)?;
            mesh.owner.clone_from(&record.metadata.mesh_owner);
        }
        Kind::VirtualNode => {
            changes.note(Input::VirtualNode, &name);
            let spec: VirtualNodeSpec = spec(record)?;
            note_shown_by_node(Some(&spec), changes);
            let before = mesh.virtual_nodes.insert(name, spec);
            note_shown_by_node(before.as_ref(), changes);
        }
        Kind::VirtualService => {
            changes.note(Input::VirtualService, &name);
            mesh.virtual_services.insert(name, spec(record)?);
        }
        Kind::VirtualRouter => {
            changes.note(Input::VirtualRouter, &name);
            let spec = spec(record)?;
            let before = mesh.virtual_routers.remove(&name);
            let routes = before.map(|router| router.routes).unwrap_or_default();
            mesh.virtual_routers.insert(name, VirtualRouter { spec, routes });
        }
        Kind::VirtualGateway => {
            changes.note(Input::VirtualGateway, &name);
            let spec = spec(record)?;
            note_shown_by_gateway(Some(&spec), changes);
            let before = mesh.virtual_gateways.remove(&name);
            note_shown_by_gateway(before.as_ref().map(|gateway| &gateway.spec), changes);
            let routes = before.map(|gateway| gateway.routes).unwrap_or_default();
            mesh.virtual_gateways.insert(name, VirtualGateway { spec, routes });
        }
        Kind::Route => {
            changes.note(Input::VirtualRouter, parent);
            let spec = spec(record)?;
            let routes = &mut mesh.virtual_routers.get_mut(parent).ok_or(Misfit)?.routes;
            let route = Route { name, spec, created_at };
            match place(routes, &route.name, |route| &route.name) {
                Ok(place) => routes[place] = route,
                Err(place) => routes.insert(place, route),
            }
        }
        Kind::GatewayRoute => {
            changes.note(Input::VirtualGateway, parent);
            let spec = spec(record)?;
            let routes = &mut mesh.virtual_gateways.get_mut(parent).ok_or(Misfit)?.routes;
            let route = GatewayRoute { name, spec, created_at };
            match place(routes, &route.name, |route| &route.name) {
                Ok(place) => routes[place] = route,
                Err(place) => routes.insert(place, route),
            }
        }
    }
    Ok(())
}

fn spec<T: DeserializeOwned>(record: &Record) -> Result<T, Misfit> {
    T::deserialize(&record.spec).map_err(|_| Misfit)
}

/// Where a name is in a list that is ordered by names, or belongs.
fn place<T>(list: &[T], name: &str, name_of: impl Fn(&T) -> &String) -> Result<usize, usize> {
    list.binary_search_by(|known| name_of(known).as_str().cmp(name))
}

fn note_shown_by_node(spec: Option<&VirtualNodeSpec>, changes: &mut Changes) {
    let listeners = spec.iter().flat_map(|spec| &spec.listeners);
    for arn in shown(listeners.map(|listener| listener.tls.as_ref())) {
        changes.note(Input::Showing, arn);
    }
}

fn note_shown_by_gateway(spec: Option<&VirtualGatewaySpec>, changes: &mut Changes) {
    let listeners = spec.iter().flat_map(|spec| &spec.listeners);
    for arn in shown(listeners.map(|listener| listener.tls.as_ref())) {
        changes.note(Input::Showing, arn);
    }
}
