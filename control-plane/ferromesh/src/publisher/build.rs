//! Making snapshots: assemble → lower → emit → seal. Reads the store, writes nothing.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::SystemTime};

use bytes::Bytes;
use ferromesh_emit::Secrets;
use ferromesh_ir::{cluster::Discovery, lower, rollback::Comparison, Lint, Proxy};
use ferromesh_model::{
    mesh::Mesh,
    policy::Policy,
    record::Record,
    registry::Directory,
    resource::{Key, Kind},
    rollback::Rollbacks,
    Violation,
};
use ferromesh_store::{catalog, key, Revision, Store, StoreError, Stored};
use ferromesh_xds::{Reference, Snapshot};

use crate::{
    authority::Authority,
    certificates::{keyring::Keyring, Imports},
    identity::{wire_name, ProxyKey},
};

/// What every snapshot is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Account that owns the meshes; proxies that name another are refused.
    pub account: String,
    /// Behaviour that the resources don't name.
    pub lowering: ferromesh_ir::Options,
    /// The filter modules.
    pub modules: ferromesh_emit::Modules,
    /// How the filter runs.
    pub emission: ferromesh_emit::Options,
    /// Issues the certificates that resources name by ARN.
    pub authority: Arc<Authority>,
    /// Opens the keys of certificates that were imported.
    pub keyring: Arc<Keyring>,
}

/// The state of a mesh in the store: its newest write and the number of its entries. A put raises the first, a
/// deletion lowers the second, and no order of them gives an earlier pair again. The same of what the mesh means in the
/// registry, and of what was imported for ARNs, and the generation of issued certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    own: State,
    registry: State,
    imports: State,
    certificates: u64,
}

impl Fingerprint {
    /// Whether the two differ in the registry at most.
    fn has_same_mesh(&self, other: &Self) -> bool {
        (self.own, self.imports, self.certificates) == (other.own, other.imports, other.certificates)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    newest: Revision,
    entries: usize,
}

impl State {
    fn of<'a>(values: impl Iterator<Item = &'a Stored> + Clone) -> Self {
        Self {
            newest: values.clone().map(|stored| stored.modified).max().unwrap_or(0),
            entries: values.count(),
        }
    }
}

/// One mesh as it was read, at one revision.
pub(super) struct Read {
    pub revision: Revision,
    pub fingerprint: Fingerprint,
    name: String,
    mesh: Option<Record>,
    children: Vec<Record>,
    policies: Vec<Policy>,
    rollbacks: Vec<Rollbacks>,
    directory: Directory,
    imports: Imports,
}

/// One proxy to make a snapshot for.
#[derive(Clone)]
pub struct Build {
    /// Which.
    pub key: ProxyKey,
    /// Of the mesh that the present snapshot was made from.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The present snapshot.
    pub(super) previous: Option<Arc<Snapshot>>,
    /// What of the proxy looks in the registry, if the present snapshot is of the mesh of the fingerprint.
    pub(super) registered: Option<Arc<Proxy>>,
}

/// A new snapshot.
pub(super) struct Made {
    pub snapshot: Arc<Snapshot>,
    pub lints: Vec<Lint>,
    /// What of the proxy looks in the registry.
    pub registered: Option<Arc<Proxy>>,
    /// Comparisons of canaries that the proxy takes part in; `None`: those that it took part in before.
    pub comparisons: Option<Vec<Comparison>>,
}

/// A new snapshot, or why there is none.
pub(super) type Outcome = Result<Made, String>;

/// Reads a mesh.
pub(super) fn read(store: &dyn Store, authority: &Authority, name: &str) -> Result<Read, StoreError> {
    let certificates = authority.generation();
    let own = key::record(&Key::mesh(name));
    let prefixes = [
        own.as_str(),
        &key::in_mesh(name),
        &key::policies(name),
        &key::rollbacks(name),
        key::SERVICES,
        key::INSTANCES,
        key::CERTIFICATES,
    ];
    let (revision, lists) = store.snapshot(&prefixes)?;
    let [meshes, children, policies, rollbacks, mut services, mut instances, imports] = <[_; 7]>::try_from(lists)
        .map_err(|_| StoreError::Engine("a snapshot of seven prefixes has another number of lists".into()))?;
    // The prefix of `mesh/a` also finds `mesh/ab`.
    let mesh = meshes.into_iter().find(|stored| stored.key == own);
    let own = State::of(mesh.iter().chain(&children).chain(&policies).chain(&rollbacks));
    let children = children.iter().map(catalog::read).collect::<Result<Vec<Record>, _>>()?;
    let meant: BTreeSet<(&str, &str)> = children.iter().filter_map(meant_in_registry).collect();
    let keys: BTreeSet<String> = meant.iter().map(|(within, name)| key::service(within, name)).collect();
    services.retain(|stored| keys.contains(&stored.key));
    let folders: Vec<String> = meant
        .iter()
        .map(|(within, name)| key::instances(within, name))
        .collect();
    instances.retain(|stored| folders.iter().any(|folder| stored.key.starts_with(folder)));
    let fingerprint = Fingerprint {
        own,
        registry: State::of(services.iter().chain(&instances)),
        imports: State::of(imports.iter()),
        certificates,
    };
    Ok(Read {
        revision,
        fingerprint,
        name: name.to_owned(),
        mesh: mesh.as_ref().map(catalog::read).transpose()?,
        policies: policies.iter().map(catalog::read).collect::<Result<_, _>>()?,
        rollbacks: rollbacks.iter().map(catalog::read).collect::<Result<_, _>>()?,
        directory: Directory::new(
            services.iter().map(catalog::read).collect::<Result<Vec<_>, _>>()?,
            instances.iter().map(catalog::read).collect::<Result<Vec<_>, _>>()?,
        ),
        imports: Imports::read(&imports)?,
        children,
    })
}

/// Namespace and service in which a virtual node's tasks are registered.
fn meant_in_registry(record: &Record) -> Option<(&str, &str)> {
    let map = record.spec.get("serviceDiscovery")?.get("awsCloudMap")?;
    let name = |member| map.get(member)?.as_str();
    (record.key.kind == Kind::VirtualNode).then_some((name("namespaceName")?, name("serviceName")?))
}

/// Makes the snapshots of a mesh's proxies.
pub(super) fn all(settings: &Settings, read: &Read, builds: Vec<Build>) -> Vec<(ProxyKey, Outcome)> {
    let (of_registry, others): (Vec<_>, Vec<_>) = builds.into_iter().partition(|build| {
        let before = build.fingerprint.as_ref();
        before.is_some_and(|before| before.has_same_mesh(&read.fingerprint))
    });
    let mut outcomes = Vec::with_capacity(of_registry.len() + others.len());
    let mut rest = others;
    for build in of_registry {
        match guarded(|| only_endpoints(&read.directory, &build)) {
            Ok(Some(made)) => outcomes.push((build.key, Ok(made))),
            // The whole says what is wrong.
            Ok(None) | Err(_) => rest.push(build),
        }
    }
    if rest.is_empty() {
        return outcomes;
    }
    let mesh = assemble(read);
    let lowering = ferromesh_ir::Options {
        imported: read.imports.arns(),
        ..settings.lowering.clone()
    };
    outcomes.extend(rest.into_iter().map(|build| {
        let made = match &mesh {
            Ok(mesh) => guarded(|| one(settings, &lowering, mesh, read, &build)),
            Err(reason) => Err(reason.clone()),
        };
        (build.key, made)
    }));
    outcomes
}

fn assemble(read: &Read) -> Result<Mesh, String> {
    let Some(record) = &read.mesh else {
        return Err(format!("mesh {} does not exist", read.name));
    };
    guarded(|| {
        let mesh = Mesh::assemble(record, &read.children, read.policies.iter().cloned())
            .map_err(|violations| format!("mesh {} cannot be assembled: {}", read.name, joined(&violations)))?;
        let known = read.rollbacks.iter().cloned();
        Ok(Mesh {
            rollbacks: known.map(|known| (known.policy.clone(), known)).collect(),
            ..mesh
        })
    })
}

/// The present snapshot with the endpoints of now, where nothing but the registry has changed.
fn only_endpoints(directory: &Directory, build: &Build) -> Result<Option<Made>, String> {
    let (Some(previous), Some(registered)) = (&build.previous, &build.registered) else {
        return Ok(None);
    };
    let tasks = registered.tasks(directory);
    let endpoints = ferromesh_emit::endpoints(registered, &tasks).into_iter();
    let endpoints = endpoints.map(|resource| (resource.name, resource.value));
    let snapshot = previous
        .replacing(ferromesh_emit::ENDPOINT, endpoints)
        .map_err(|error| format!("not sealed: {error}"))?;
    Ok(Some(Made {
        snapshot: Arc::new(snapshot),
        lints: registered.lints.iter().cloned().chain(tasks.lints).collect(),
        registered: Some(Arc::clone(registered)),
        comparisons: None,
    }))
}

/// What of a proxy looks in the registry, to be looked up again.
fn registered(proxy: Proxy) -> Option<Arc<Proxy>> {
    proxy.looks_in_registry().then(|| {
        let clusters = proxy.clusters.into_iter();
        let clusters = clusters.filter(|cluster| matches!(cluster.discovery, Discovery::Registry(_)));
        Arc::new(Proxy {
            listeners: Vec::new(),
            route_tables: Vec::new(),
            plugins: Vec::new(),
            clusters: clusters.collect(),
            ..proxy
        })
    })
}

/// What the control plane serves to a proxy: what was imported, and else what its authority issues.
fn secrets(settings: &Settings, imports: &Imports, proxy: &Proxy) -> Result<Secrets, String> {
    let mut wanted = proxy.issued_certificates();
    wanted.retain(|arn, _| !imports.has_certificate(arn));
    let issued = settings.authority.secrets(&wanted, SystemTime::now());
    let mut secrets = issued.map_err(|error| error.to_string())?;
    for arn in proxy.issued_certificates().into_keys() {
        let imported = imports.certificate(arn, &settings.keyring);
        let imported = imported.map_err(|error| format!("the key of certificate {arn} cannot be read: {error}"))?;
        if let Some(certificate) = imported {
            secrets.certificates.insert(arn.to_owned(), certificate);
        }
    }
    for arn in proxy.imported_authorities() {
        if let Some(authorities) = imports.authorities(arn) {
            secrets.authorities.insert(arn.to_owned(), authorities.to_owned());
        }
    }
    Ok(secrets)
}

fn one(settings: &Settings, lowering: &ferromesh_ir::Options, mesh: &Mesh, read: &Read, build: &Build) -> Outcome {
    let directory = &read.directory;
    let ProxyKey { kind, name, .. } = &build.key;
    let proxy = lower::proxy(mesh, *kind, name, lowering)
        .map_err(|violations| format!("{}/{name} cannot be lowered: {}", wire_name(*kind), joined(&violations)))?;
    let secrets = secrets(settings, &read.imports, &proxy)?;
    let output = ferromesh_emit::proxy(&proxy, &settings.modules, &secrets, &settings.emission);
    let tasks = proxy.tasks(directory);
    let endpoints = ferromesh_emit::endpoints(&proxy, &tasks);
    let resources = output
        .resources
        .into_iter()
        .chain(endpoints)
        .map(|resource| (resource.type_url, resource.name, Bytes::clone(&resource.value)));
    let references = output
        .references
        .into_iter()
        .map(|reference| Reference::new(reference.type_url, reference.name, reference.from));
    let sealed = Snapshot::seal(resources, references).map_err(|error| format!("not sealed: {error}"))?;
    let snapshot = match &build.previous {
        Some(previous) if sealed.is_empty() && !previous.is_empty() => {
            return Err("the new configuration is empty, and the one before is not".to_owned());
        }
        Some(previous) => sealed.sharing(previous),
        None => sealed,
    };
    Ok(Made {
        snapshot: Arc::new(snapshot),
        comparisons: Some(proxy.comparisons.clone()),
        lints: proxy.lints.iter().cloned().chain(tasks.lints).collect(),
        registered: registered(proxy),
    })
}

/// A panic over one proxy must not keep the others from their configuration.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(format!(
            "internal error: {}",
            text.unwrap_or_else(|| "panic".to_owned())
        ))
    })
}

/// Whether two snapshots hold different things.
pub(super) fn differs(before: Option<&Snapshot>, now: &Snapshot) -> bool {
    let Some(before) = before else { return true };
    let lacks = |a: &Snapshot, b: &Snapshot| {
        a.type_urls()
            .any(|type_url| a.resources(type_url).version() != b.resources(type_url).version())
    };
    lacks(before, now) || lacks(now, before)
}

fn joined(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
    texts.join("; ")
}
