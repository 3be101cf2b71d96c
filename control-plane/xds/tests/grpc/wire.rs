//! One client of two makes: tonic with Envoy's own messages, and gRPC's C core with an encoding of its own. What a test
//! says of the protocol, it says of both.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::google::rpc;
use ferromesh_xds::stream::Protocol;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::python::Script;
use crate::server::*;
use crate::words::{of_delta, of_sotw};
pub use crate::words::{Ask, Received};

pub use Protocol::{Delta as DELTA, StateOfTheWorld as SOTW};

#[derive(Debug)]
pub enum Next {
    Response(Received),
    End(Status),
    Silence,
}

enum Make {
    Sotw(mpsc::Sender<DiscoveryRequest>, Streaming<DiscoveryResponse>),
    Delta(mpsc::Sender<DeltaDiscoveryRequest>, Streaming<DeltaDiscoveryResponse>),
    Grpcio(Box<Script>),
}

/// A stream of some client.
pub struct Wire {
    pub variant: Protocol,
    make: Make,
    node: Option<String>,
    marks: Vec<String>,
    /// The nonce of the last mark's response.
    marked: String,
}

/// Types after all others in a push: an answer to a request for it comes when there is nothing else to say.
pub const MARK: &str = "type.googleapis.com/test.Mark";

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| n.to_string()).collect()
}

impl Wire {
    /// A stream as node `n`, of gRPC's C core or of tonic.
    pub async fn open(server: &Server, variant: Protocol, grpcio: bool) -> Self {
        let make = if grpcio {
            let mut script = Script::start("driver.py", &[]);
            let variant = match variant {
                SOTW => "sotw",
                DELTA => "delta",
            };
            script
                .tell(json!({"open": variant, "target": server.address.to_string(), "stream": 0}))
                .await;
            Make::Grpcio(Box::new(script))
        } else {
            let mut client = AggregatedDiscoveryServiceClient::new(server.channel().await);
            match variant {
                SOTW => {
                    let (requests, receiver) = mpsc::channel(64);
                    let responses = client.stream_aggregated_resources(ReceiverStream::new(receiver));
                    Make::Sotw(requests, responses.await.unwrap().into_inner())
                }
                DELTA => {
                    let (requests, receiver) = mpsc::channel(64);
                    let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver));
                    Make::Delta(requests, responses.await.unwrap().into_inner())
                }
            }
        };
        Self {
            variant,
            make,
            node: Some("n".to_owned()),
            marks: Vec::new(),
            marked: String::new(),
        }
    }

    /// Says whatever is asked; the first request names the node, unless it was taken away.
    pub async fn send(&mut self, mut ask: Ask) {
        ask.node = ask.node.or_else(|| self.node.take());
        let node = ask.node.as_ref().map(|id| Node {
            id: id.clone(),
            cluster: "c".into(),
            user_agent_name: "driver".into(),
            ..Node::default()
        });
        let error_detail = ask.error.as_ref().map(|message| rpc::Status {
            code: Code::InvalidArgument as i32,
            message: message.clone(),
            details: vec![],
        });
        match &mut self.make {
            Make::Sotw(requests, _) => {
                let request = DiscoveryRequest {
                    node,
                    error_detail,
                    version_info: ask.version,
                    resource_names: ask.names,
                    type_url: ask.type_url,
                    response_nonce: ask.nonce,
                    ..Default::default()
                };
                requests.send(request).await.unwrap();
            }
            Make::Delta(requests, _) => {
                let request = DeltaDiscoveryRequest {
                    node,
                    error_detail,
                    type_url: ask.type_url,
                    resource_names_subscribe: ask.names,
                    resource_names_unsubscribe: ask.unsubscribe,
                    initial_resource_versions: ask.initial.into_iter().collect(),
                    response_nonce: ask.nonce,
                    ..Default::default()
                };
                requests.send(request).await.unwrap();
            }
            Make::Grpcio(script) => script.tell(json!({"send": ask, "stream": 0})).await,
        }
    }

    /// Lets the client's process stop or go on; `false`: this make of client is no process.
    pub fn signal(&self, name: &str) -> bool {
        match &self.make {
            Make::Grpcio(script) => {
                script.signal(name);
                true
            }
            Make::Sotw(..) | Make::Delta(..) => false,
        }
    }

    /// Sends bytes in place of a request, hexadecimal; `false`: this make of client cannot.
    pub async fn send_raw(&mut self, digits: &str) -> bool {
        match &mut self.make {
            Make::Grpcio(script) => {
                script.tell(json!({"raw": digits, "stream": 0})).await;
                true
            }
            Make::Sotw(..) | Make::Delta(..) => false,
        }
    }

    /// The first request of this stream will not say who asks.
    pub fn anonymous(&mut self) {
        self.node = None;
    }

    /// Asks for these names: all of them, or these too.
    pub async fn ask(&mut self, type_url: &str, names: &[&str]) {
        self.send(Ask {
            type_url: type_url.into(),
            names: owned(names),
            ..Ask::default()
        })
        .await;
    }

    /// A request about a response, not its acknowledgement: names to add and to take away (delta), or all names.
    pub async fn change(&mut self, after: &Received, names: &[&str], unsubscribe: &[&str]) {
        let (nonce, version) = match self.variant {
            SOTW => (after.nonce.clone(), after.version.clone()),
            DELTA => Default::default(),
        };
        self.send(Ask {
            type_url: after.type_url.clone(),
            nonce,
            version,
            names: owned(names),
            unsubscribe: owned(unsubscribe),
            ..Ask::default()
        })
        .await;
    }

    /// Takes the response. `names`: all that is subscribed to, which only the state of the world repeats.
    pub async fn ack(&mut self, response: &Received, names: &[&str]) {
        self.send(self.answer(response, names)).await;
    }

    /// Refuses the response, having taken `version` before.
    pub async fn nack(&mut self, response: &Received, version: &str, names: &[&str]) {
        self.send(Ask {
            version: version.into(),
            error: Some("no good".into()),
            ..self.answer(response, names)
        })
        .await;
    }

    fn answer(&self, response: &Received, names: &[&str]) -> Ask {
        let repeats = self.variant == SOTW;
        Ask {
            type_url: response.type_url.clone(),
            nonce: response.nonce.clone(),
            version: response.version.clone(),
            names: if repeats { owned(names) } else { vec![] },
            ..Ask::default()
        }
    }

    pub async fn next_within(&mut self, time: Duration) -> Next {
        fn wrap<T>(got: Result<Result<Option<T>, Status>, tokio::time::error::Elapsed>) -> Result<T, Next> {
            match got {
                Err(_) => Err(Next::Silence),
                Ok(Err(status)) => Err(Next::End(status)),
                Ok(Ok(None)) => Err(Next::End(Status::ok(""))),
                Ok(Ok(Some(response))) => Ok(response),
            }
        }
        let got = match &mut self.make {
            Make::Sotw(_, responses) => wrap(tokio::time::timeout(time, responses.message()).await).map(of_sotw),
            Make::Delta(_, responses) => wrap(tokio::time::timeout(time, responses.message()).await).map(of_delta),
            Make::Grpcio(script) => {
                let answer = script.ask(json!({"next": time.as_secs_f64(), "stream": 0})).await;
                if answer.get("response").is_some() {
                    Ok(serde_json::from_value(answer["response"].clone()).unwrap())
                } else if let Some(end) = answer.get("end") {
                    let code = Code::from_i32(end["code"].as_i64().unwrap() as i32);
                    Err(Next::End(Status::new(code, end["message"].as_str().unwrap())))
                } else {
                    Err(Next::Silence)
                }
            }
        };
        match got {
            Ok(response) => {
                let response: Received = response;
                let of_another = response.resources.iter().find(|r| r.type_url != response.type_url);
                assert!(
                    of_another.is_none(),
                    "{of_another:?} in a response of {}",
                    response.type_url
                );
                Next::Response(response)
            }
            Err(other) => other,
        }
    }

    /// The next response.
    pub async fn next(&mut self) -> Received {
        match self.next_within(PATIENCE).await {
            Next::Response(response) => response,
            other => panic!("{other:?} in place of a response"),
        }
    }

    /// The next response, which must hold this.
    pub async fn expect(&mut self, type_url: &str, contents: &[&str]) -> Received {
        self.expect_change(type_url, contents, &[]).await
    }

    /// Asks for these names, and gets the response, which must hold this.
    pub async fn get(&mut self, type_url: &str, names: &[&str], contents: &[&str]) -> Received {
        self.ask(type_url, names).await;
        self.expect(type_url, contents).await
    }

    /// The same, taken; nothing follows it.
    pub async fn settle(&mut self, type_url: &str, names: &[&str], contents: &[&str]) -> Received {
        let response = self.get(type_url, names, contents).await;
        self.ack(&response, names).await;
        self.expect_silence().await;
        response
    }

    /// The next response, which must hold and remove this.
    pub async fn expect_change(&mut self, type_url: &str, contents: &[&str], removed: &[&str]) -> Received {
        let response = self.next().await;
        assert_eq!(
            (
                response.type_url.as_str(),
                response.contents(),
                response.removed.clone()
            ),
            (type_url, contents.to_vec(), owned(removed)),
            "{:?}",
            self.variant
        );
        assert!(!response.nonce.is_empty() && !response.version.is_empty());
        for item in response.resources.iter().filter(|r| r.name.is_some()) {
            let name = item.value.split('=').next().map(str::to_owned);
            assert_eq!(item.name, name, "the name is that of the resource");
        }
        response
    }

    /// Nothing is on its way, and nothing will be said of what was asked: asks for something that comes last.
    pub async fn expect_silence(&mut self) {
        for _ in 0..2 {
            self.marks.push(format!("mark-{}", self.marks.len()));
            let last = self.marks.last().unwrap().clone();
            let names = if self.variant == SOTW {
                self.marks.clone()
            } else {
                vec![last.clone()]
            };
            let ask = Ask {
                type_url: MARK.into(),
                nonce: if self.variant == SOTW {
                    self.marked.clone()
                } else {
                    String::new()
                },
                names: names.clone(),
                ..Ask::default()
            };
            self.send(ask).await;
            let response = self.next().await;
            assert_eq!(response.type_url, MARK, "unexpected {response:?}");
            self.marked.clone_from(&response.nonce);
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            self.ack(&response, &all).await;
        }
    }

    /// Waits for the end of the stream, whatever comes before it.
    pub async fn end(&mut self) -> Status {
        loop {
            match self.next_within(PATIENCE).await {
                Next::End(status) => return status,
                Next::Response(_) => {}
                Next::Silence => panic!("the stream does not end"),
            }
        }
    }
}
