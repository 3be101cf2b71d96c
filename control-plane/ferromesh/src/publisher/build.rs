//! Making snapshots: assemble → lower → emit → seal. Reads the store, writes nothing.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::SystemTime};

use ferromesh_emit::Secrets;
use ferromesh_ir::{
    cluster::Cluster,
    lower::{
        inputs::{Input, Inputs},
        Prepared,
    },
    rollback::Comparison,
    Lint, Proxy,
};
use ferromesh_xds::{Pool, Snapshot};

use super::{
    common::{content, references},
    endpoints::{self, Endpoints},
    state::{joined, Delta, State},
};
use crate::{
    authority::Authority,
    certificates::{keyring::Keyring, Imports},
    identity::{name_and_owner, wire_name, ProxyKey},
    modules::{Catalogue, Loaded},
};

/// What every snapshot is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Account that owns the meshes; proxies that name another are refused.
    pub account: String,
    /// Behaviour that the resources don't name.
    pub lowering: ferromesh_ir::Options,
    /// The filter modules of every mesh, where there is no catalogue to choose from.
    pub modules: ferromesh_emit::Modules,
    /// The module sets that meshes choose from.
    pub catalogue: Option<Arc<Catalogue>>,
    /// How the filter runs.
    pub emission: ferromesh_emit::Options,
    /// Issues the certificates that resources name by ARN.
    pub authority: Arc<Authority>,
    /// Opens the keys of certificates that were imported.
    pub keyring: Arc<Keyring>,
    /// What the proxies' snapshots have in common is held once.
    pub pool: Arc<Pool>,
}

/// One proxy to make a snapshot for.
pub(super) struct Build {
    /// Which.
    pub key: ProxyKey,
    /// The present snapshot.
    pub previous: Option<Arc<Snapshot>>,
    /// What the present snapshot was made from; `None`: it is none, or not of the newest mesh that was looked at.
    pub made_from: Option<Arc<MadeFrom>>,
}

/// What a proxy's snapshot was made from.
#[derive(Debug)]
pub(super) struct MadeFrom {
    inputs: Inputs,
    /// Whether the authority issues certificates that it shows.
    is_issued: bool,
    /// The secrets that it gets from the SDS server beside it.
    pub local_secrets: BTreeSet<String>,
    /// The clusters that look in the registry.
    registered: Box<[Arc<Cluster>]>,
    /// What the lowering says.
    lints: Vec<Lint>,
    /// The module set.
    pub modules: Arc<Loaded>,
}

/// How much of a proxy must be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Nothing,
    Endpoints,
    Whole,
}

impl Build {
    /// How much must be made anew after some changes.
    pub fn extent(&self, delta: &Delta) -> Extent {
        let Some(from) = &self.made_from else {
            return Extent::Whole;
        };
        let has_other_tasks = || {
            let mut registered = from.registered.iter();
            registered.any(|cluster| endpoints::asks(cluster, &delta.services))
        };
        if from.inputs.are_touched_by(&delta.mesh) || (delta.renewal && from.is_issued) {
            Extent::Whole
        } else if !delta.services.is_empty() && has_other_tasks() {
            Extent::Endpoints
        } else {
            Extent::Nothing
        }
    }
}

/// A new snapshot.
pub(super) struct Made {
    pub snapshot: Arc<Snapshot>,
    pub lints: Vec<Lint>,
    pub from: Arc<MadeFrom>,
    /// Comparisons of canaries that the proxy takes part in; `None`: those that it took part in before.
    pub comparisons: Option<Vec<Comparison>>,
}

/// A new snapshot, or why there is none.
pub(super) type Outcome = Result<Made, String>;

/// Makes the snapshots of a mesh's proxies after some changes.
pub(super) fn all(
    settings: &Settings,
    state: &State,
    delta: &Delta,
    builds: Vec<(Extent, Build)>,
) -> Vec<(ProxyKey, Outcome)> {
    let mut outcomes = Vec::with_capacity(builds.len());
    let mut whole = Vec::new();
    let endpoints = Endpoints::new(&state.name, &state.directory);
    for (extent, build) in builds {
        match extent {
            Extent::Nothing => {}
            Extent::Endpoints => match guarded(|| only_endpoints(&settings.pool, &endpoints, delta, &build)) {
                Ok(Some(made)) => outcomes.push((build.key, Ok(made))),
                // The whole says what is wrong.
                Ok(None) | Err(_) => whole.push(build),
            },
            Extent::Whole => whole.push(build),
        }
    }
    if whole.is_empty() {
        return outcomes;
    }
    let prepared = state.mesh.as_ref();
    let prepared = prepared.map(|mesh| Prepared::with_memo(mesh, &state.common.lowering));
    let owner = whole.first().and_then(|build| name_and_owner(&build.key.mesh).1);
    let lowering = ferromesh_ir::Options {
        imported: state.imports.arns(),
        mesh_owner: owner.map(str::to_owned),
        ..settings.lowering.clone()
    };
    outcomes.extend(whole.into_iter().map(|build| {
        let made = match &prepared {
            Ok(prepared) => guarded(|| one(settings, &lowering, prepared, state, &endpoints, &build)),
            Err(reason) => Err((*reason).clone()),
        };
        (build.key, made)
    }));
    outcomes
}

/// The present snapshot with the endpoints of now, where nothing but the registry has changed.
fn only_endpoints(
    pool: &Pool,
    endpoints: &Endpoints<'_>,
    delta: &Delta,
    build: &Build,
) -> Result<Option<Made>, String> {
    let (Some(previous), Some(from)) = (&build.previous, &build.made_from) else {
        return Ok(None);
    };
    let registered = from.registered.iter();
    let other = endpoints.of(registered.filter(|cluster| endpoints::asks(cluster, &delta.services)));
    let other = other.into_iter();
    let other = other.map(|answer| (ferromesh_emit::ENDPOINT, answer.name, answer.content));
    let snapshot = pool
        .with(previous, other)
        .map_err(|error| format!("not sealed: {error}"))?;
    let without_tasks = endpoints.lints(from.registered.iter());
    Ok(Some(Made {
        snapshot: Arc::new(snapshot),
        lints: from.lints.iter().cloned().chain(without_tasks).collect(),
        from: Arc::clone(from),
        comparisons: None,
    }))
}

/// The clusters of a proxy that look in the registry, to be looked up again.
fn registered(proxy: &Proxy) -> Box<[Arc<Cluster>]> {
    let clusters = proxy.clusters.iter();
    let registered = clusters.filter(|cluster| cluster.query().is_some());
    registered.cloned().collect()
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

fn one(
    settings: &Settings,
    lowering: &ferromesh_ir::Options,
    mesh: &Prepared<'_>,
    state: &State,
    endpoints: &Endpoints<'_>,
    build: &Build,
) -> Outcome {
    let ProxyKey { kind, name, .. } = &build.key;
    let lowered = mesh
        .proxy(*kind, name, lowering)
        .map_err(|violations| format!("{}/{name} cannot be lowered: {}", wire_name(*kind), joined(&violations)))?;
    let (proxy, mut inputs) = (lowered.proxy, lowered.inputs);
    for arn in proxy
        .issued_certificates()
        .into_keys()
        .chain(proxy.imported_authorities())
    {
        inputs.note(Input::Certificate, arn);
    }
    let secrets = secrets(settings, &state.imports, &proxy)?;
    let modules = state.modules()?;
    let output = state
        .common
        .emit(&proxy, &modules.modules, &secrets, &settings.emission);
    #[cfg(test)]
    if let Ok(mesh) = &state.mesh {
        let with = (settings, &modules.modules, &secrets);
        super::tests::common::is_as_alone((mesh, lowering), (*kind, name), with, (&proxy, &output));
    }
    let without_tasks = endpoints.lints(&proxy.clusters);
    let endpoints = endpoints.of(&proxy.clusters);
    let resources = output.resources.into_iter();
    let resources = resources.map(|part| (part.type_url, part.name, content(part.pieces)));
    let endpoints = endpoints.into_iter();
    let endpoints = endpoints.map(|answer| (ferromesh_emit::ENDPOINT, answer.name, answer.content));
    let snapshot = settings
        .pool
        .seal(resources.chain(endpoints), references(output.references))
        .map_err(|error| format!("not sealed: {error}"))?;
    if snapshot.is_empty() && build.previous.as_ref().is_some_and(|previous| !previous.is_empty()) {
        return Err("the new configuration is empty, and the one before is not".to_owned());
    }
    Ok(Made {
        snapshot: Arc::new(snapshot),
        comparisons: Some(proxy.comparisons.clone()),
        lints: proxy.lints.iter().cloned().chain(without_tasks).collect(),
        from: Arc::new(MadeFrom {
            inputs,
            is_issued: !proxy.issued_certificates().is_empty(),
            local_secrets: proxy.local_secrets().into_iter().map(str::to_owned).collect(),
            registered: registered(&proxy),
            lints: proxy.lints,
            modules: Arc::clone(modules),
        }),
    })
}

/// A panic over one proxy must not keep the others from their configuration.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
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
