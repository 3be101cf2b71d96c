//! One mesh as it is in the store, kept from one reading to the next so that a change costs what it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ferromesh_ir::lower::inputs::{Changes, Input};
use ferromesh_model::{
    mesh::Mesh,
    policy::Policy,
    record::Record,
    registry::{Directory, Instance, Service},
    resource::{Key, ServiceDiscovery},
    rollback::Rollbacks,
    Violation,
};
use ferromesh_store::{catalog, key, Revision, Store, StoreError, Stored};

use super::{
    build::{guarded, Settings},
    common::Common,
    followed::{Difference, Followed},
    patch,
};
use crate::{
    authority::Authority,
    certificates::Imports,
    modules::{Choice, Loaded, Unusable, BUILT_IN},
};

/// Namespace and service.
pub(super) type ServiceName = (String, String);

/// A mesh at one revision.
pub(super) struct State {
    pub revision: Revision,
    /// The mesh, or what is wrong with it.
    pub mesh: Result<Mesh, String>,
    pub directory: Directory,
    pub imports: Imports,
    /// What its proxies have in common.
    pub common: Common,
    /// The mesh's name.
    pub name: String,
    resources: Followed<Key>,
    policies: Followed<String>,
    rollbacks: Followed<String>,
    imported: Followed<String>,
    /// The module set that the mesh has chosen.
    choice: Choice,
    modules: Result<Arc<Loaded>, String>,
    services: Followed<ServiceName>,
    instances: Followed<ServiceName>,
    /// Generation of the certificates that the authority issues.
    generation: u64,
    /// The chains of those that it has issued, by ARN.
    issued: BTreeMap<String, String>,
}

/// What differs between two readings of a mesh.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub mesh: Changes,
    /// Services of the registry that have other tasks.
    pub services: BTreeSet<ServiceName>,
    /// Issued certificates must be asked for again.
    pub renewal: bool,
}

/// The values of a mesh, read at one revision.
struct Lists {
    revision: Revision,
    mesh: Option<Stored>,
    children: Vec<Stored>,
    policies: Vec<Stored>,
    rollbacks: Vec<Stored>,
    choice: Option<Stored>,
    certificates: Vec<Stored>,
    services: Vec<Stored>,
    instances: Vec<Stored>,
}

/// Whether the registry is read too: most meshes mean nothing in it, and it holds the tasks of all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registry {
    Read,
    Left,
}

impl State {
    /// Reads a mesh for the first time.
    pub fn read(store: &dyn Store, authority: &Authority, name: &str) -> Result<Self, StoreError> {
        Self::anew(store, authority, name, lists(store, name, Registry::Left)?)
    }

    /// Goes on to what is in the store now.
    ///
    /// # Errors
    /// The store cannot be read, or a value in it.
    pub fn renewed(mut self, store: &dyn Store, authority: &Authority) -> Result<(Self, Delta), StoreError> {
        let registry = match meant(&self.mesh).is_empty() {
            true => Registry::Left,
            false => Registry::Read,
        };
        let lists = lists(store, &self.name, registry)?;
        let own = self.resources.renew(
            lists.mesh.iter().chain(&lists.children),
            catalog::read::<Record>,
            |record| record.key.clone(),
        )?;
        let policies = self
            .policies
            .renew(&lists.policies, catalog::read::<Policy>, |policy| policy.name.clone())?;
        let rollbacks = self
            .rollbacks
            .renew(&lists.rollbacks, catalog::read::<Rollbacks>, |known| {
                known.policy.clone()
            })?;
        let mut delta = Delta::default();
        if !(own.is_none() && policies.is_none() && rollbacks.is_none()) {
            let fits = match &mut self.mesh {
                Ok(mesh) => {
                    patch::policies(mesh, policies, &mut delta.mesh);
                    patch::rollbacks(mesh, rollbacks, &mut delta.mesh);
                    patch::resources(mesh, own, &mut delta.mesh)
                }
                Err(_) => Err(patch::Misfit),
            };
            if fits.is_err() {
                let name = self.name.clone();
                let anew = Self::anew(store, authority, &name, lists)?;
                delta.mesh.note_everything();
                return Ok((anew, delta));
            }
        }
        self.choice = choice(&self.name, &lists)?;
        self.follow_certificates(&lists, authority, &mut delta)?;
        if registry == Registry::Left && !meant(&self.mesh).is_empty() {
            // A node means tasks of the registry, which was not read.
            self.follow_registry(&self::lists(store, &self.name, Registry::Read)?, &mut delta)?;
        } else {
            self.follow_registry(&lists, &mut delta)?;
        }
        self.revision = lists.revision;
        Ok((self, delta))
    }

    fn anew(store: &dyn Store, authority: &Authority, name: &str, mut lists: Lists) -> Result<Self, StoreError> {
        let mut state = Self {
            revision: lists.revision,
            mesh: Err(format!("mesh {name} does not exist")),
            directory: Directory::default(),
            imports: Imports::read(&[])?,
            common: Common::default(),
            name: name.to_owned(),
            resources: Followed::default(),
            policies: Followed::default(),
            rollbacks: Followed::default(),
            imported: Followed::default(),
            choice: choice(name, &lists)?,
            modules: Err("no module set was looked for yet".to_owned()),
            services: Followed::default(),
            instances: Followed::default(),
            generation: authority.generation(),
            issued: issued(authority),
        };
        let mesh: Option<Record> = lists.mesh.as_ref().map(catalog::read).transpose()?;
        let own = state.resources.renew(
            lists.mesh.iter().chain(&lists.children),
            catalog::read::<Record>,
            |record| record.key.clone(),
        )?;
        let policies = state
            .policies
            .renew(&lists.policies, catalog::read::<Policy>, |policy| policy.name.clone())?;
        let rollbacks = state
            .rollbacks
            .renew(&lists.rollbacks, catalog::read::<Rollbacks>, |known| {
                known.policy.clone()
            })?;
        if let Some(mesh) = mesh {
            state.mesh = guarded(|| assemble(&mesh, own, policies, rollbacks));
        }
        if !meant(&state.mesh).is_empty() && lists.services.is_empty() && lists.instances.is_empty() {
            let with_registry = self::lists(store, name, Registry::Read)?;
            (lists.services, lists.instances) = (with_registry.services, with_registry.instances);
        }
        let mut delta = Delta::default();
        state.follow_certificates(&lists, authority, &mut delta)?;
        state.follow_registry(&lists, &mut delta)?;
        Ok(state)
    }

    /// Goes on to the modules that the mesh has chosen.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn follow_modules(&mut self, settings: &Settings, changes: &mut Changes) -> Result<(), StoreError> {
        let chosen = match &settings.catalogue {
            Some(catalogue) => catalogue.of_choice(&self.choice),
            None if self.modules.is_ok() => return Ok(()),
            None => Ok(Arc::new(Loaded::new(BUILT_IN, settings.modules.clone()))),
        };
        let chosen = match chosen {
            Ok(chosen) => Ok(chosen),
            Err(Unusable::Refused(reason)) => Err(reason),
            Err(Unusable::Store(error)) => return Err(error),
        };
        let is_same = match (&self.modules, &chosen) {
            (Ok(before), Ok(now)) => before.is_same(now),
            (Err(before), Err(now)) => before == now,
            _ => false,
        };
        if !is_same {
            changes.note_everything();
        }
        self.modules = chosen;
        Ok(())
    }

    /// The modules that proxies get.
    ///
    /// # Errors
    /// Why the set that the mesh has chosen cannot be used.
    pub fn modules(&self) -> Result<&Arc<Loaded>, String> {
        self.modules.as_ref().map_err(String::clone)
    }

    fn follow_certificates(
        &mut self,
        lists: &Lists,
        authority: &Authority,
        delta: &mut Delta,
    ) -> Result<(), StoreError> {
        let arn = |stored: &Stored| Imports::arn(stored);
        let imported = self.imported.renew(&lists.certificates, arn, String::clone)?;
        if !imported.is_none() {
            self.imports = Imports::read(&lists.certificates)?;
        }
        for arn in imported.written.iter().chain(&imported.gone) {
            delta.mesh.note(Input::Certificate, arn);
        }
        let generation = authority.generation();
        delta.renewal = std::mem::replace(&mut self.generation, generation) != generation;
        self.follow_issued(authority, &mut delta.mesh);
        Ok(())
    }

    /// Notes the certificates that were issued anew since the last look, as when one proxy asks for one that expires and
    /// another proxy shows it too.
    pub fn follow_issued(&mut self, authority: &Authority, changes: &mut Changes) {
        let issued = issued(authority);
        for (arn, before) in &self.issued {
            if issued.get(arn) != Some(before) {
                changes.note(Input::Certificate, arn);
            }
        }
        self.issued = issued;
    }

    fn follow_registry(&mut self, lists: &Lists, delta: &mut Delta) -> Result<(), StoreError> {
        let meant = meant(&self.mesh);
        let keys: BTreeSet<String> = meant.iter().map(|(within, name)| key::service(within, name)).collect();
        let folders: BTreeSet<String> = meant
            .iter()
            .map(|(within, name)| key::instances(within, name))
            .collect();
        let services: Vec<&Stored> = lists
            .services
            .iter()
            .filter(|stored| keys.contains(&stored.key))
            .collect();
        let instances: Vec<&Stored> = lists
            .instances
            .iter()
            .filter(|stored| folder(&stored.key).is_some_and(|folder| folders.contains(folder)))
            .collect();
        let of_services = self
            .services
            .renew(services.iter().copied(), catalog::read::<Service>, |service| {
                (service.namespace.clone(), service.name.clone())
            })?;
        let of_instances = self
            .instances
            .renew(instances.iter().copied(), catalog::read::<Instance>, |instance| {
                (instance.namespace.clone(), instance.service.clone())
            })?;
        if of_services.is_none() && of_instances.is_none() {
            return Ok(());
        }
        let written = of_services
            .written
            .iter()
            .map(|service| (&service.namespace, &service.name));
        let tasks = of_instances.written.iter();
        let written = written.chain(tasks.map(|instance| (&instance.namespace, &instance.service)));
        delta
            .services
            .extend(written.map(|(within, name)| (within.clone(), name.clone())));
        delta.services.extend(of_services.gone);
        delta.services.extend(of_instances.gone);
        self.directory = Directory::new(
            services.into_iter().map(catalog::read).collect::<Result<Vec<_>, _>>()?,
            instances
                .into_iter()
                .map(catalog::read)
                .collect::<Result<Vec<_>, _>>()?,
        );
        Ok(())
    }
}

/// What a mesh has chosen.
fn choice(mesh: &str, lists: &Lists) -> Result<Choice, StoreError> {
    let chosen = lists.choice.as_ref().map(catalog::read).transpose()?;
    Ok(chosen.unwrap_or_else(|| Choice::none(mesh)))
}

fn issued(authority: &Authority) -> BTreeMap<String, String> {
    let issued = authority.issued().into_iter();
    issued.map(|issued| (issued.arn, issued.chain)).collect()
}

/// The part of an instance's key before its id.
fn folder(key: &str) -> Option<&str> {
    key.rfind('/').map(|slash| &key[..=slash])
}

/// Namespaces and services in which the tasks of virtual nodes are registered.
fn meant(mesh: &Result<Mesh, String>) -> BTreeSet<(&str, &str)> {
    let nodes = mesh.iter().flat_map(|mesh| mesh.virtual_nodes.values());
    let meant = nodes.filter_map(|node| match &node.service_discovery {
        Some(ServiceDiscovery::AwsCloudMap(map)) => Some((map.namespace_name.as_str(), map.service_name.as_str())),
        Some(ServiceDiscovery::Dns(_)) | None => None,
    });
    meant.collect()
}

fn lists(store: &dyn Store, name: &str, registry: Registry) -> Result<Lists, StoreError> {
    let own = key::record(&Key::mesh(name));
    let (children, policies, rollbacks) = (key::in_mesh(name), key::policies(name), key::rollbacks(name));
    let choice = key::module_choice(name);
    let mut prefixes = vec![
        own.as_str(),
        &children,
        &policies,
        &rollbacks,
        &choice,
        key::CERTIFICATES,
    ];
    if registry == Registry::Read {
        prefixes.extend([key::SERVICES, key::INSTANCES]);
    }
    let (revision, lists) = store.snapshot(&prefixes)?;
    let mut lists = lists.into_iter();
    let mut next = || lists.next().unwrap_or_default();
    Ok(Lists {
        revision,
        // The prefix of `mesh/a` also finds `mesh/ab`.
        mesh: next().into_iter().find(|stored| stored.key == own),
        children: next(),
        policies: next(),
        rollbacks: next(),
        choice: next().into_iter().find(|stored| stored.key == choice),
        certificates: next(),
        services: next(),
        instances: next(),
    })
}

fn assemble(
    mesh: &Record,
    own: Difference<Record, Key>,
    policies: Difference<Policy, String>,
    rollbacks: Difference<Rollbacks, String>,
) -> Result<Mesh, String> {
    let assembled = Mesh::assemble(mesh, &own.written, policies.written)
        .map_err(|violations| format!("mesh {} cannot be assembled: {}", mesh.key.mesh, joined(&violations)))?;
    let known = rollbacks.written.into_iter();
    Ok(Mesh {
        rollbacks: known.map(|known| (known.policy.clone(), known)).collect(),
        ..assembled
    })
}

pub(super) fn joined(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
    texts.join("; ")
}
