//! One simulated proxy: its own connection and its own stream, as an Envoy has.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::Streaming;
use tonic_prost::ProstCodec;

use crate::held::{Arrived, Held};
use crate::journal::Journal;
use crate::stamp::Stamp;
use crate::tally::{Tally, Watch};
use crate::way::Way;
use crate::wire::{DeltaRequest, DeltaResponse, Named, Node, Request, Response, Status};

const SERVICE: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
/// Envoy takes responses of any size.
const MOST_BYTES: usize = 1 << 30;
/// How long a proxy waits before it connects again: a random part of so much, and more each time that it fails.
const PAUSE: Duration = Duration::from_millis(400);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Requests that wait to be sent.
const QUEUE: usize = 64;

/// The protocol's variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// Only what has changed.
    Delta,
    /// State of the world.
    Sotw,
}

/// What a proxy does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    Accepting,
    /// Takes everything until it is complete, and refuses whatever comes later.
    Rejecting,
    /// Refuses responses with this text in a resource, and takes all others.
    Refusing(&'static str),
    /// Answers nothing any more once there was this text in a resource, as an Envoy whose main thread is stuck.
    FallingSilent(&'static str),
    /// Takes everything, and it is noted who was given this text in a resource.
    Noting(&'static str),
}

/// How to be a proxy.
#[derive(Clone, Debug)]
pub struct Role {
    /// The servers, one after the other: whoever loses one goes to the next.
    pub ways: Vec<Way>,
    /// The first of them.
    pub first: usize,
    pub node: String,
    pub variant: Variant,
    pub manner: Manner,
    /// How often in a row it may fail. Envoy tries without end.
    pub attempts: u32,
    /// Whether it keeps a [`Journal`].
    pub keeps_journal: bool,
}

/// Why a stream is over.
enum End {
    /// It was asked to stop.
    Asked,
    /// The server ended it with `OK`: the proxy comes again, here or elsewhere.
    Told,
}

/// Runs until `stop`, or until it has failed too often in a row; gives what the proxy holds.
pub async fn run(role: Role, held: Held, tally: Arc<Tally>, stop: watch::Receiver<bool>) -> Held {
    let mut proxy = Proxy {
        held,
        tally,
        manner: role.manner,
        journal: role.keeps_journal.then(Journal::default),
        is_counted: false,
        responses: 0,
        is_struck: false,
        watched: None,
    };
    let (mut failures, mut turn) = (0, role.first);
    loop {
        let before = proxy.responses;
        let way = &role.ways[turn % role.ways.len()];
        let ended = match role.variant {
            Variant::Delta => proxy.delta(&role, way, stop.clone()).await,
            Variant::Sotw => proxy.state_of_the_world(&role, way, stop.clone()).await,
        };
        if proxy.responses > before {
            failures = 0;
        }
        failures += 1;
        match ended {
            Ok(End::Asked) => break,
            Err(error) if failures >= role.attempts => {
                proxy.tally.failed(format!("{}: {error:#}", role.node));
                break;
            }
            Ok(End::Told) | Err(_) => {}
        }
        proxy.tally.reconnects();
        turn += 1;
        let mut stop = stop.clone();
        tokio::select! {
            () = tokio::time::sleep(pause(failures)) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    proxy.held
}

/// A random part of a time that grows, as Envoy's.
fn pause(failures: u32) -> Duration {
    let longest = (PAUSE * failures).min(LONGEST_PAUSE);
    longest.mul_f64((RandomState::new().hash_one(0) % 1000) as f64 / 1000.0)
}

struct Proxy {
    held: Held,
    tally: Arc<Tally>,
    manner: Manner,
    journal: Option<Journal>,
    is_counted: bool,
    /// Responses since the beginning.
    responses: usize,
    /// Whether what its manner is about has come.
    is_struck: bool,
    /// The last change without a stamp that was seen.
    watched: Option<Watch>,
}

impl Proxy {
    async fn delta(&mut self, role: &Role, way: &Way, stop: watch::Receiver<bool>) -> Result<End> {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let mut node = Some(node(role));
        for (type_url, names, versions) in self.opening() {
            let request = DeltaRequest {
                node: node.take(),
                type_url,
                resource_names_subscribe: names,
                initial_resource_versions: versions,
                ..DeltaRequest::default()
            };
            requests.send(request).await?;
        }
        let mut responses: Streaming<DeltaResponse> = open(way, "DeltaAggregatedResources", receiver).await?;
        self.count_once();
        while let Some(response) = next(&mut responses, &stop).await? {
            let Some(type_url) = known(&response.type_url) else {
                continue;
            };
            let arrived: Vec<Arrived> = response
                .resources
                .into_iter()
                .map(|resource| Arrived {
                    name: resource.name,
                    version: resource.version,
                    value: resource.resource.map(|any| any.value).unwrap_or_default(),
                })
                .collect();
            let error_detail = self.judge(role, type_url, &arrived);
            if self.is_silent() {
                continue;
            }
            let wanted = self.held.take(type_url, arrived, &response.removed_resources);
            let answer = DeltaRequest {
                type_url: response.type_url,
                response_nonce: response.nonce,
                error_detail,
                ..DeltaRequest::default()
            };
            requests.send(answer).await?;
            for (type_url, names) in wanted {
                let ask = DeltaRequest {
                    type_url: type_url.to_owned(),
                    resource_names_subscribe: names.added,
                    resource_names_unsubscribe: names.dropped,
                    ..DeltaRequest::default()
                };
                requests.send(ask).await?;
            }
            self.count_once();
        }
        Ok(if *stop.borrow() { End::Asked } else { End::Told })
    }

    async fn state_of_the_world(&mut self, role: &Role, way: &Way, stop: watch::Receiver<bool>) -> Result<End> {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let mut node = Some(node(role));
        for (type_url, resource_names, _) in self.opening() {
            let version_info = known(&type_url).map(|of| self.held.of(of).version.clone());
            let request = Request {
                node: node.take(),
                type_url,
                resource_names,
                version_info: version_info.unwrap_or_default(),
                ..Request::default()
            };
            requests.send(request).await?;
        }
        let mut responses: Streaming<Response> = open(way, "StreamAggregatedResources", receiver).await?;
        self.count_once();
        let mut nonces: Vec<(&'static str, String)> = Vec::new();
        while let Some(response) = next(&mut responses, &stop).await? {
            let Some(type_url) = known(&response.type_url) else {
                continue;
            };
            let arrived: Vec<Arrived> = response
                .resources
                .into_iter()
                .map(|any| Arrived {
                    name: Named::decode(any.value.clone())
                        .map(|named| named.name)
                        .unwrap_or_default(),
                    version: String::new(),
                    value: any.value,
                })
                .collect();
            let error_detail = self.judge(role, type_url, &arrived);
            if self.is_silent() {
                continue;
            }
            if error_detail.is_none() {
                self.held.of(type_url).version = response.version_info;
            }
            nonces.retain(|(of, _)| *of != type_url);
            nonces.push((type_url, response.nonce));
            let mut asked: Vec<&'static str> = vec![type_url];
            let gone = self.held.missing(type_url, &arrived);
            asked.extend(self.held.take(type_url, arrived, &gone).into_keys());
            for (of, error_detail) in asked
                .into_iter()
                .zip(std::iter::once(error_detail).chain(std::iter::repeat(None)))
            {
                let own = self.held.of(of);
                let nonce = nonces
                    .iter()
                    .find(|(with, _)| *with == of)
                    .map(|(_, nonce)| nonce.clone());
                let request = Request {
                    type_url: of.to_owned(),
                    resource_names: own.names.clone(),
                    version_info: own.version.clone(),
                    response_nonce: nonce.unwrap_or_default(),
                    error_detail,
                    ..Request::default()
                };
                requests.send(request).await?;
            }
            self.count_once();
        }
        Ok(if *stop.borrow() { End::Asked } else { End::Told })
    }

    /// What a stream begins with: the types of a first connection, or all that are held. An Envoy with listeners that
    /// name nothing yet asks for no routes.
    fn opening(&mut self) -> Vec<(String, Vec<String>, std::collections::HashMap<String, String>)> {
        self.held.of(CLUSTER);
        self.held.of(LISTENER);
        let types = self.held.types();
        let types = types.map(|(of, own)| (of.to_owned(), own.names.clone(), own.versions.clone()));
        types.collect()
    }

    /// Counts what arrived, and says what is wrong with it.
    fn judge(&mut self, role: &Role, type_url: &'static str, arrived: &[Arrived]) -> Option<Status> {
        let now = Stamp::now();
        self.responses += 1;
        if let Some(journal) = &mut self.journal {
            let flaps = journal.take(type_url, role.variant, arrived);
            self.tally
                .flaps(flaps.into_iter().map(|flap| format!("{}: {flap}", role.node)));
        }
        let bytes: usize = arrived.iter().map(|one| one.value.len()).sum();
        let mut news = self.held.news(arrived, |stamp| self.tally.parts(stamp));
        let watch = self.tally.watched().filter(|watch| watch.type_url == type_url);
        if let Some(watch) = watch.filter(|watch| self.watched != Some(*watch)) {
            self.watched = Some(watch);
            news.push(watch.asked);
        }
        let news = news.iter().map(|stamp| (*stamp, now.millis_since(*stamp)));
        self.tally.response(arrived.len(), bytes, news);
        let is_refused = match self.manner {
            Manner::Accepting => false,
            Manner::Rejecting => self.is_counted,
            Manner::Refusing(text) | Manner::FallingSilent(text) | Manner::Noting(text) => {
                let has = |one: &Arrived| one.value.windows(text.len()).any(|bytes| bytes == text.as_bytes());
                let is_meant = arrived.iter().any(has);
                if is_meant && !std::mem::replace(&mut self.is_struck, true) {
                    self.tally.struck(&role.node);
                }
                is_meant && !matches!(self.manner, Manner::Noting(_))
            }
        };
        is_refused.then(|| Status {
            code: tonic::Code::InvalidArgument as i32,
            message: "refused by a simulated proxy".to_owned(),
        })
    }

    fn is_silent(&self) -> bool {
        self.is_struck && matches!(self.manner, Manner::FallingSilent(_))
    }

    fn count_once(&mut self) {
        if !self.is_counted && self.held.is_complete() {
            self.is_counted = true;
            self.tally.complete();
        }
    }
}

fn node(role: &Role) -> Node {
    Node {
        id: role.node.clone(),
        cluster: "load".to_owned(),
        metadata: Bytes::new(),
        user_agent_name: "ferromesh-xds-load".to_owned(),
    }
}

/// The types that a simulated proxy asks for.
fn known(type_url: &str) -> Option<&'static str> {
    [CLUSTER, ENDPOINT, LISTENER, ROUTE, EXTENSION]
        .into_iter()
        .find(|known| *known == type_url)
}

async fn open<Q, A>(way: &Way, method: &str, requests: mpsc::Receiver<Q>) -> Result<Streaming<A>>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut client = Grpc::new(way.channel().await?).max_decoding_message_size(MOST_BYTES);
    client.ready().await.context("not ready")?;
    let path = format!("{SERVICE}/{method}").parse()?;
    let codec = ProstCodec::<Q, A>::default();
    let request = tonic::Request::new(ReceiverStream::new(requests));
    let answer = client.streaming(request, path, codec).await?;
    Ok(answer.into_inner())
}

async fn next<A>(responses: &mut Streaming<A>, stop: &watch::Receiver<bool>) -> Result<Option<A>> {
    let mut stop = stop.clone();
    tokio::select! {
        message = responses.message() => Ok(message?),
        _ = stop.wait_for(|stop| *stop) => Ok(None),
    }
}
