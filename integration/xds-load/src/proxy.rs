//! One simulated proxy: its own connection and its own stream, as an Envoy has.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::held::{Arrived, Held};
use crate::stamp::Stamp;
use crate::tally::{Tally, Watch};
use crate::wire::{DeltaRequest, DeltaResponse, Named, Node, Request, Response, Status};

const SERVICE: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
/// Envoy takes responses of any size.
const MOST_BYTES: usize = 1 << 30;
/// How often a proxy connects, and how much longer it waits each time. Envoy does so without end.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);
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
}

/// How to be a proxy.
#[derive(Clone, Debug)]
pub struct Role {
    /// `http://127.0.0.1:18000`
    pub server: String,
    pub node: String,
    pub variant: Variant,
    pub manner: Manner,
}

/// Runs until `stop`, the server's end, or an error; gives what the proxy holds.
pub async fn run(role: Role, held: Held, tally: Arc<Tally>, stop: watch::Receiver<bool>) -> Held {
    let mut proxy = Proxy {
        held,
        tally,
        manner: role.manner,
        is_counted: false,
        watched: None,
    };
    for attempt in 1.. {
        let ended = match role.variant {
            Variant::Delta => proxy.delta(&role, stop.clone()).await,
            Variant::Sotw => proxy.state_of_the_world(&role, stop.clone()).await,
        };
        match ended {
            Ok(()) => break,
            Err(_) if attempt < ATTEMPTS => {
                proxy.tally.reconnects();
                tokio::time::sleep(PAUSE * attempt).await;
            }
            Err(error) => {
                proxy.tally.failed(format!("{}: {error:#}", role.node));
                break;
            }
        }
    }
    proxy.held
}

struct Proxy {
    held: Held,
    tally: Arc<Tally>,
    manner: Manner,
    is_counted: bool,
    /// The last change without a stamp that was seen.
    watched: Option<Watch>,
}

impl Proxy {
    async fn delta(&mut self, role: &Role, stop: watch::Receiver<bool>) -> Result<()> {
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
        let mut responses: Streaming<DeltaResponse> = open(role, "DeltaAggregatedResources", receiver).await?;
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
            let error_detail = self.judge(type_url, &arrived);
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
                    resource_names_subscribe: names,
                    ..DeltaRequest::default()
                };
                requests.send(ask).await?;
            }
            self.count_once();
        }
        Ok(())
    }

    async fn state_of_the_world(&mut self, role: &Role, stop: watch::Receiver<bool>) -> Result<()> {
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
        let mut responses: Streaming<Response> = open(role, "StreamAggregatedResources", receiver).await?;
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
            let error_detail = self.judge(type_url, &arrived);
            if error_detail.is_none() {
                self.held.of(type_url).version = response.version_info;
            }
            nonces.retain(|(of, _)| *of != type_url);
            nonces.push((type_url, response.nonce));
            let mut asked: Vec<&'static str> = vec![type_url];
            asked.extend(self.held.take(type_url, arrived, &[]).into_iter().map(|(of, _)| of));
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
        Ok(())
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
    fn judge(&mut self, type_url: &str, arrived: &[Arrived]) -> Option<Status> {
        let now = Stamp::now();
        let bytes: usize = arrived.iter().map(|one| one.value.len()).sum();
        let mut news = self.held.news(arrived);
        let watch = self.tally.watched().filter(|watch| watch.type_url == type_url);
        if let Some(watch) = watch.filter(|watch| self.watched != Some(*watch)) {
            self.watched = Some(watch);
            news.push(watch.asked);
        }
        let news = news.iter().map(|stamp| (*stamp, now.millis_since(*stamp)));
        self.tally.response(arrived.len(), bytes, news);
        (self.manner == Manner::Rejecting && self.is_counted).then(|| Status {
            code: tonic::Code::InvalidArgument as i32,
            message: "refused by a simulated proxy".to_owned(),
        })
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
        user_agent_name: "ferromesh-xds-load".to_owned(),
    }
}

/// The types that a simulated proxy asks for.
fn known(type_url: &str) -> Option<&'static str> {
    [CLUSTER, ENDPOINT, LISTENER, ROUTE, EXTENSION]
        .into_iter()
        .find(|known| *known == type_url)
}

async fn open<Q, A>(role: &Role, method: &str, requests: mpsc::Receiver<Q>) -> Result<Streaming<A>>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let channel: Channel = Endpoint::from_shared(role.server.clone())?
        .connect()
        .await
        .context("cannot connect")?;
    let mut client = Grpc::new(channel).max_decoding_message_size(MOST_BYTES);
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
