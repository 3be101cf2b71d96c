//! `bench emit`: what it costs the control plane to make a mesh's configuration, whole and after one change.
//!
//! All on one thread, with what a proxy really gets (both filter modules among it). Processor time is the thread's own, so
//! that other work on the machine does not count; of several rounds the median counts. The whole is taken apart into its
//! steps; changes go through the store and the publisher, as in `ferromesh serve`, with every proxy of the mesh connected.

mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{ensure, Context, Result};
use ferromesh::{
    authority::Authority,
    certificates::keyring::Keyring,
    publisher::{Publisher, Settings},
};
use ferromesh_emit::{
    parts::{self, Parts},
    Module, Modules, Secrets,
};
use ferromesh_integration::{rig::paths, stats};
use ferromesh_ir::{
    lower::{Memo, Prepared},
    Proxy, ProxyKind,
};
use ferromesh_model::{mesh::Mesh, record::Record};
use ferromesh_store::{catalog, RedbStore, Store, Transaction};
use ferromesh_xds::{Applicant, Content, NodeInfo, Piece, Pool, Reference, SealError, Snapshot, SnapshotSource};
use rustix::time::{clock_gettime, ClockId};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::allocations::{self, Allocated};

#[derive(clap::Args)]
pub struct Options {
    /// Rounds of each case.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Writes the figures to a file as well, as a JSON list.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// One line of the JSON file.
#[derive(Debug, Serialize)]
struct Figure {
    case: &'static str,
    metric: &'static str,
    value: f64,
}

/// What one piece of work took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    allocated: Allocated,
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

fn measured<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Cost)> {
    let (cpu, wall, allocated) = (thread_time(), Instant::now(), allocations::of_this_thread());
    let result = work()?;
    let cost = Cost {
        cpu: thread_time() - cpu,
        wall: wall.elapsed(),
        allocated: allocations::of_this_thread().since(allocated),
    };
    Ok((result, cost))
}

/// Costs by case, in the order of the cases.
#[derive(Default)]
struct Costs(Vec<(&'static str, Vec<Cost>)>);

impl Costs {
    fn note(&mut self, case: &'static str, cost: Cost) {
        match self.0.iter_mut().find(|(known, _)| *known == case) {
            Some((_, costs)) => costs.push(cost),
            None => self.0.push((case, vec![cost])),
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (case, costs) in &self.0 {
            let mut median = |metric, of: fn(&Cost) -> f64| {
                let mut values: Vec<f64> = costs.iter().map(of).collect();
                let value = (stats::median(&mut values) * 1000.0).round() / 1000.0;
                figures.push(Figure { case, metric, value });
            };
            median("cpu_millis", |cost| cost.cpu.as_secs_f64() * 1e3);
            median("wall_millis", |cost| cost.wall.as_secs_f64() * 1e3);
            median("allocations", |cost| cost.allocated.count as f64);
            median("allocated_kib", |cost| cost.allocated.bytes as f64 / 1024.0);
        }
        figures
    }
}

pub fn run(options: &Options) -> Result<()> {
    ensure!(options.rounds > 0, "--rounds must be more than 0");
    let folder = tempfile::Builder::new().prefix("ferromesh-bench-").tempdir()?;
    let settings = settings(folder.path())?;
    let records = world::records();
    println!(
        "{} virtual nodes, {} routes, 1 gateway; {} records",
        world::NODES,
        world::ROUTES,
        records.len()
    );
    let mut costs = Costs::default();
    for round in 1..=options.rounds {
        println!("round {round}");
        whole(&records, &settings, &mut costs)?;
    }
    changes(options, &records, &settings, folder.path(), &mut costs)?;
    let mut figures = costs.figures();
    for (case, proxies) in touched(&costs) {
        figures.push(Figure {
            case,
            metric: "proxies",
            value: proxies as f64,
        });
    }
    print(&figures);
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&figures)? + "\n").with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn settings(folder: &Path) -> Result<Settings> {
    let module = |name: &str| -> Result<Option<Module>> {
        let bytes = fs::read(paths::module(name)?)?;
        Ok(Some(Module {
            sha256: Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            bytes: bytes.into(),
        }))
    };
    Ok(Settings {
        account: "123456789012".into(),
        lowering: ferromesh_ir::Options::default(),
        modules: Modules {
            mesh: module("mesh")?,
            lean: module("mesh-lean")?,
        },
        catalogue: None,
        emission: ferromesh_emit::Options::default(),
        authority: Arc::new(Authority::open(&folder.join("certificates"), SystemTime::now())?),
        keyring: Arc::new(Keyring::open_file(&folder.join("secret.key"), true)?),
        pool: std::sync::Arc::default(),
    })
}

fn proxies() -> Vec<(ProxyKind, String)> {
    let nodes = (0..world::NODES).map(|number| (ProxyKind::VirtualNode, format!("n{number}")));
    nodes.chain([(ProxyKind::VirtualGateway, "front".to_owned())]).collect()
}

/// Assembles, lowers, emits and seals everything, each step on its own.
fn whole(records: &[Record], settings: &Settings, costs: &mut Costs) -> Result<()> {
    let (_, total) = measured(|| {
        let (mesh, cost) = measured(|| {
            Mesh::assemble(&records[0], records, []).map_err(|violations| anyhow::anyhow!("{violations:?}"))
        })?;
        costs.note("assemble", cost);
        let (proxies, cost) = measured(|| lower(&mesh, settings))?;
        costs.note("lower", cost);
        let (mut emitting, mut sealing) = (Vec::new(), Vec::new());
        let mut snapshots = Vec::with_capacity(proxies.len());
        let (mut memo, pool) = (parts::Memo::default(), Pool::default());
        for proxy in &proxies {
            let (output, cost) = measured(|| {
                let (modules, emission) = (&settings.modules, &settings.emission);
                let none = Secrets::default();
                Ok(parts::parts(proxy, modules, &none, emission, &mut memo))
            })?;
            emitting.push(cost);
            let (snapshot, cost) = measured(|| Ok(seal(&pool, output)?))?;
            sealing.push(cost);
            snapshots.push(snapshot);
        }
        costs.note("emit", sum(&emitting));
        costs.note("seal", sum(&sealing));
        Ok(snapshots)
    })?;
    costs.note("all", total);
    Ok(())
}

fn lower(mesh: &Mesh, settings: &Settings) -> Result<Vec<Proxy>> {
    let memo = Memo::default();
    let prepared = Prepared::with_memo(mesh, &memo);
    let lowered = proxies().into_iter().map(|(kind, name)| {
        let lowered = prepared.proxy(kind, &name, &settings.lowering);
        lowered
            .map(|lowered| lowered.proxy)
            .map_err(|violations| anyhow::anyhow!("{violations:?}"))
    });
    lowered.collect()
}

fn seal(pool: &Pool, output: Parts) -> Result<Snapshot, SealError> {
    let resources = output.resources.into_iter().map(|part| {
        let pieces = part.pieces.into_iter().map(|piece| {
            let (bytes, digest) = piece.into_parts();
            Piece::hashed(bytes, digest)
        });
        (part.type_url, part.name, Content::of(pieces.collect()))
    });
    let references = output.references.into_iter();
    let references = references.map(|link| Reference::new(link.type_url, link.name, link.from));
    pool.seal(resources, references)
}

fn sum(costs: &[Cost]) -> Cost {
    let none = Cost {
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
        allocated: Allocated::default(),
    };
    costs.iter().fold(none, |sum, cost| Cost {
        cpu: sum.cpu + cost.cpu,
        wall: sum.wall + cost.wall,
        allocated: Allocated {
            count: sum.allocated.count + cost.allocated.count,
            bytes: sum.allocated.bytes + cost.allocated.bytes,
        },
    })
}

/// The cases of a change, with the proxies that it touches: those that the mesh of [`world`] says it must.
fn touched(costs: &Costs) -> impl Iterator<Item = (&'static str, usize)> + '_ {
    CHANGES
        .iter()
        .filter(|change| costs.0.iter().any(|(case, _)| *case == change.case))
        .map(|change| (change.case, change.touches))
}

/// A change of one record; `step` makes it another one each time.
struct Change {
    case: &'static str,
    record: fn(step: usize) -> Record,
    /// Proxies that it touches.
    touches: usize,
}

const CHANGES: [Change; 4] = [
    // The three nodes that call the service.
    Change {
        case: "one route",
        record: |step| world::route(5, 3, &format!("/changed/{step}"), 1),
        touches: 3,
    },
    // The gateway as well.
    Change {
        case: "one weight",
        record: |step| world::route(10, 3, "/3", 2 + step as u32),
        touches: 4,
    },
    // Its own proxy, those that call its service, and those that call the service before it, whose routes lead to it too;
    // and the gateway.
    Change {
        case: "one node",
        record: |step| world::node(20, 8100 + step as u16),
        touches: 6,
    },
    Change {
        case: "a node that nobody calls",
        record: |step| {
            let mut record = world::node(0, 8080);
            record.key.name = format!("unknown{step}");
            record
        },
        touches: 0,
    },
];

fn changes(options: &Options, records: &[Record], settings: &Settings, folder: &Path, costs: &mut Costs) -> Result<()> {
    let store = Arc::new(RedbStore::open(folder.join("store.redb"))?);
    commit(&store, records)?;
    let publisher = Publisher::new(store.clone(), settings.clone());
    let mut receivers = Vec::new();
    for (kind, name) in proxies() {
        let kind = match kind {
            ProxyKind::VirtualNode => "virtualNode",
            ProxyKind::VirtualGateway => "virtualGateway",
        };
        let node = NodeInfo {
            id: format!("mesh/{}/{kind}/{name}", world::MESH),
            ..NodeInfo::default()
        };
        receivers.push(publisher.subscribe(&Applicant::local(&node))?.snapshots);
    }
    let (publication, cost) = measured(|| Ok(publisher.publish()))?;
    ensure!(publication.made.len() == receivers.len(), "not every proxy was made");
    costs.note("publish all from the store", cost);
    for step in 0..options.rounds {
        for change in &CHANGES {
            commit(&store, &[(change.record)(step)])?;
            let (publication, cost) = measured(|| Ok(publisher.publish()))?;
            let made = publication.made.len();
            ensure!(
                made == change.touches,
                "{}: {made} proxies were made anew instead of {}: {:?}",
                change.case,
                change.touches,
                publication.made
            );
            costs.note(change.case, cost);
        }
    }
    if let Some(problem) = publisher.reports().into_iter().find_map(|report| report.problem) {
        anyhow::bail!("a proxy has no configuration: {}", problem.reason);
    }
    Ok(())
}

fn commit(store: &Arc<RedbStore>, records: &[Record]) -> Result<()> {
    let changes: Result<Vec<_>, _> = records.iter().map(catalog::put_record).collect();
    store.commit(Transaction {
        changes: changes?,
        ..Transaction::default()
    })?;
    Ok(())
}

fn print(figures: &[Figure]) {
    println!("\nmedians, one thread\n");
    println!(
        "{:<30} {:>10} {:>10} {:>12} {:>14} {:>8}",
        "case", "CPU ms", "wall ms", "allocations", "allocated KiB", "proxies"
    );
    let mut cases: Vec<&str> = figures.iter().map(|figure| figure.case).collect();
    cases.dedup();
    let mut seen = std::collections::BTreeSet::new();
    for case in cases.into_iter().filter(|case| seen.insert(*case)) {
        let value = |metric: &str| {
            let of_case = figures.iter().filter(|figure| figure.case == case);
            let mut values = of_case.filter(|figure| figure.metric == metric);
            values.next().map(|figure| figure.value)
        };
        let cell = |metric: &str, digits: usize| {
            value(metric).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        println!(
            "{case:<30} {:>10} {:>10} {:>12} {:>14} {:>8}",
            cell("cpu_millis", 2),
            cell("wall_millis", 2),
            cell("allocations", 0),
            cell("allocated_kib", 0),
            cell("proxies", 0)
        );
    }
}
