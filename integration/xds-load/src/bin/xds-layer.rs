//! Ferromesh's xDS layer by itself, with resources made up: what is held against the peers' libraries.
//!
//! Changes come as lines on standard input (see `world::Change`); its end is the program's.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT};
use ferromesh_xds::{Applicant, Config, DeliveryStatus, Snapshot, SnapshotSource, Subscription};
use ferromesh_xds_load::world::{self, Change, Size};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{transport::Server, Status};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    size: Size,
}

/// The snapshots by node.
struct Nodes(HashMap<String, watch::Sender<Option<Arc<Snapshot>>>>);

impl Nodes {
    fn publish(&self, snapshot: &Arc<Snapshot>) {
        for sender in self.0.values() {
            sender.send_replace(Some(Arc::clone(snapshot)));
        }
    }
}

impl SnapshotSource for Nodes {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let id = &applicant.node.id;
        let sender = self.0.get(id);
        let unknown = || Status::permission_denied(format!("node {id:?} is not known"));
        sender.map(|sender| sender.subscribe().into()).ok_or_else(unknown)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let size = Arguments::parse().size;
    let nodes = (0..size.nodes).map(|number| (format!("n{number}"), watch::Sender::new(None)));
    let nodes = Arc::new(Nodes(nodes.collect()));
    let all = world::resources(&size);
    // What a cluster's end must leave in place.
    let mut kept: BTreeMap<(&'static str, String), Bytes> = BTreeMap::new();
    kept.extend(
        all.iter()
            .cloned()
            .map(|(type_url, name, value)| ((type_url, name), value)),
    );
    let mut snapshot = Arc::new(Snapshot::seal(all, [])?);
    nodes.publish(&snapshot);

    let service = ferromesh_xds::service(
        Arc::clone(&nodes) as Arc<_>,
        Arc::new(DeliveryStatus::default()),
        Config::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("READY {}", listener.local_addr()?.port());
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(
        Server::builder()
            .tcp_nodelay(true)
            .add_service(service)
            .serve_with_incoming(incoming),
    );

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (change, stamp) = Change::parse(&line).with_context(|| format!("no change: {line:?}"))?;
        let changed = match change {
            Change::Remove(index) => {
                let mut without = |before: &Snapshot, type_url| {
                    kept.remove(&(type_url, format!("c{index}")));
                    let left = kept.iter().filter(|((of, _), _)| *of == type_url);
                    let left = left.map(|((_, name), value)| (name.clone(), value.clone()));
                    before.replacing(type_url, left)
                };
                let without_endpoints = without(&snapshot, ENDPOINT)?;
                without(&without_endpoints, CLUSTER)?
            }
            other => {
                let resources = other.resources(&size, stamp);
                let values = resources.iter().cloned();
                kept.extend(values.map(|(type_url, name, value)| ((type_url, name), value)));
                snapshot.with(resources)?
            }
        };
        snapshot = Arc::new(changed);
        nodes.publish(&snapshot);
    }
    Ok(())
}
