//! Ferromesh's xDS layer by itself, with resources made up: what is held against the peers' libraries.
//!
//! Changes come as lines on standard input (see `world::Change`); its end is the program's.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
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
    let mut snapshot = Arc::new(Snapshot::seal(world::resources(&size), [])?);
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
        snapshot = Arc::new(snapshot.with(change.resources(&size, stamp))?);
        nodes.publish(&snapshot);
    }
    Ok(())
}
