//! Making snapshots: assemble → lower → emit → seal. Reads the store, writes nothing.

use std::{panic::AssertUnwindSafe, sync::Arc, time::SystemTime};

use bytes::Bytes;
use ferromesh_ir::{lower, Lint};
use ferromesh_model::{mesh::Mesh, policy::Policy, record::Record, resource::Key, Violation};
use ferromesh_store::{catalog, key, Revision, Store, StoreError};
use ferromesh_xds::{Reference, Snapshot};

use crate::{
    authority::Authority,
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
}

/// The state of a mesh in the store: its newest write and the number of its entries. A put raises the first, a
/// deletion lowers the second, and no order of them gives an earlier pair again. And the generation of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    newest: Revision,
    entries: usize,
    certificates: u64,
}

/// One mesh as it was read, at one revision.
pub(super) struct Read {
    pub revision: Revision,
    pub fingerprint: Fingerprint,
    name: String,
    mesh: Option<Record>,
    children: Vec<Record>,
    policies: Vec<Policy>,
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
}

/// A new snapshot.
pub(super) struct Made {
    pub snapshot: Arc<Snapshot>,
    pub lints: Vec<Lint>,
}

/// A new snapshot, or why there is none.
pub(super) type Outcome = Result<Made, String>;

/// Reads a mesh.
pub(super) fn read(store: &dyn Store, authority: &Authority, name: &str) -> Result<Read, StoreError> {
    let certificates = authority.generation();
    let own = key::record(&Key::mesh(name));
    let (revision, lists) = store.snapshot(&[&own, &key::in_mesh(name), &key::policies(name)])?;
    let [meshes, children, policies] = <[_; 3]>::try_from(lists)
        .map_err(|_| StoreError::Engine("a snapshot of three prefixes has another number of lists".into()))?;
    // The prefix of `mesh/a` also finds `mesh/ab`.
    let mesh = meshes.into_iter().find(|stored| stored.key == own);
    let all = || mesh.iter().chain(&children).chain(&policies);
    let fingerprint = Fingerprint {
        newest: all().map(|stored| stored.modified).max().unwrap_or(0),
        entries: all().count(),
        certificates,
    };
    Ok(Read {
        revision,
        fingerprint,
        name: name.to_owned(),
        mesh: mesh.as_ref().map(catalog::read).transpose()?,
        children: children.iter().map(catalog::read).collect::<Result<_, _>>()?,
        policies: policies.iter().map(catalog::read).collect::<Result<_, _>>()?,
    })
}

/// Makes the snapshots of a mesh's proxies.
pub(super) fn all(settings: &Settings, read: &Read, builds: Vec<Build>) -> Vec<(ProxyKey, Outcome)> {
    let mesh = assemble(read);
    let outcome = |build: Build| {
        let made = match &mesh {
            Ok(mesh) => guarded(|| one(settings, mesh, &build)),
            Err(reason) => Err(reason.clone()),
        };
        (build.key, made)
    };
    builds.into_iter().map(outcome).collect()
}

fn assemble(read: &Read) -> Result<Mesh, String> {
    let Some(record) = &read.mesh else {
        return Err(format!("mesh {} does not exist", read.name));
    };
    guarded(|| {
        Mesh::assemble(record, &read.children, read.policies.iter().cloned())
            .map_err(|violations| format!("mesh {} cannot be assembled: {}", read.name, joined(&violations)))
    })
}

fn one(settings: &Settings, mesh: &Mesh, build: &Build) -> Outcome {
    let ProxyKey { kind, name, .. } = &build.key;
    let proxy = lower::proxy(mesh, *kind, name, &settings.lowering)
        .map_err(|violations| format!("{}/{name} cannot be lowered: {}", wire_name(*kind), joined(&violations)))?;
    let secrets = settings
        .authority
        .secrets(&proxy.issued_certificates(), SystemTime::now())
        .map_err(|error| error.to_string())?;
    let output = ferromesh_emit::proxy(&proxy, &settings.modules, &secrets, &settings.emission);
    let resources = output
        .resources
        .into_iter()
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
        lints: proxy.lints,
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
