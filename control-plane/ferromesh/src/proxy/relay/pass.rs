//! One discovery stream, passed on unchanged in both directions: acknowledgements, rejections, nonces and statuses are
//! Envoy's and the control plane's own. The relay only reads along.
//!
//! Nothing is buffered but a message that is being read: a side that reads slowly holds up the other by HTTP/2's flow
//! control.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ferromesh_xds::stream::Protocol;
use http::{header, HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::{
    frames::Messages,
    memory::Memory,
    standing::Place,
    uplink::{Connected, Failure},
    Shared,
};
use crate::server::Body;

/// Messages up to this size are read along. Modules travel in them.
const MESSAGE_LIMIT: usize = 64 << 20;
/// How long an Envoy that has nothing waits for a control plane that sends nothing, where there is a last good configuration.
const PATIENCE: Duration = Duration::from_secs(10);
/// A stream that ends so early without having brought anything was not served: the control plane waits 30 s itself for the
/// configuration of a proxy that it does not know.
const EARLY: Duration = Duration::from_secs(35);

/// Passes a stream on, on a connection to a control plane.
pub(super) async fn pass(
    shared: &Arc<Shared>,
    connected: Connected,
    protocol: Protocol,
    request: Request<Incoming>,
) -> Response<Body> {
    let reading = Arc::new(Reading {
        memory: Arc::clone(&shared.memory),
        stream: shared.memory.open(),
        protocol,
        fresh: watch::Sender::new(None),
    });
    let mut stream = Stream {
        shared: Arc::clone(shared),
        reading,
        connected,
        place: None,
        opened: Instant::now(),
        has_served: false,
    };
    match stream.open(request).await {
        Ok(response) => stream.answer(response),
        Err(status) => status
            .into_http()
            .map(|body: tonic::body::Body| body.map_err(Into::into).boxed_unsync()),
    }
}

/// What passes, as far as it is read.
struct Reading {
    memory: Arc<Memory>,
    stream: u64,
    protocol: Protocol,
    /// When an Envoy has asked that has nothing.
    fresh: watch::Sender<Option<Instant>>,
}

impl Reading {
    fn messages() -> Option<Messages> {
        Some(Messages::up_to(MESSAGE_LIMIT))
    }

    /// Reads a piece; a stream that cannot be read is passed on all the same.
    fn read(&self, messages: &mut Option<Messages>, frame: &Frame<Bytes>, take: impl FnMut(Bytes)) {
        let (Some(reader), Some(data)) = (messages.as_mut(), frame.data_ref()) else {
            return;
        };
        if let Err(reason) = reader.feed(data.clone(), take) {
            self.memory.give_up(self.stream, &reason.to_string());
            *messages = None;
        }
    }

    fn request(&self, message: Bytes) {
        if self.memory.on_request(self.stream, self.protocol, message) {
            self.fresh.send_replace(Some(Instant::now()));
        }
    }

    /// Waits for longer than an Envoy without configuration should wait. For ever, where there is nothing else for it.
    async fn is_left_alone(&self) {
        let mut asked = self.fresh.subscribe();
        let asked_at = match asked.wait_for(Option::is_some).await {
            Ok(asked_at) => *asked_at,
            // The sender is this value's own.
            Err(_) => None,
        };
        let until = asked_at.unwrap_or_else(Instant::now) + PATIENCE;
        tokio::time::sleep_until(until.into()).await;
        if self.memory.good_at().is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.memory.close(self.stream);
    }
}

/// A stream that is passed on.
struct Stream {
    shared: Arc<Shared>,
    reading: Arc<Reading>,
    connected: Connected,
    /// While the control plane answers.
    place: Option<Place>,
    opened: Instant,
    has_served: bool,
}

impl Stream {
    async fn open(&mut self, request: Request<Incoming>) -> Result<Response<Incoming>, Status> {
        let (head, body) = request.into_parts();
        let reading = Arc::clone(&self.reading);
        let mut messages = Reading::messages();
        let body = body.map_frame(move |frame| {
            reading.read(&mut messages, &frame, |message| reading.request(message));
            frame
        });
        let mut passed = Request::new(body.map_err(Into::into).boxed_unsync());
        *passed.method_mut() = head.method;
        *passed.uri_mut() = self
            .connected
            .uri(head.uri.path())
            .map_err(|error| Status::internal(error.to_string()))?;
        *passed.headers_mut() = of_the_stream(&head.headers);
        let sender = &mut self.connected.sender;
        let sent = async {
            sender.ready().await?;
            sender.send_request(passed).await
        };
        tokio::select! {
            answer = sent => answer.map_err(|error| {
                self.shared.uplink.failed(&self.connected, Failure::Passing);
                Status::unavailable(format!("the control plane has not taken the stream: {error}"))
            }),
            () = self.reading.is_left_alone() => Err(self.left_alone()),
        }
    }

    fn answer(mut self, response: Response<Incoming>) -> Response<Body> {
        let (head, body) = response.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            self.on_end(&status);
        }
        if body.is_end_stream() {
            // A refusal, which stays in one frame: Envoy looks for its reason there.
            let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
            return Response::from_parts(head, nothing);
        }
        if head.status.is_success() {
            self.place = Some(self.shared.standing.relayed(&self.connected.endpoint));
        } else {
            self.on_end(&Status::unavailable(format!(
                "the answer has the status {}",
                head.status
            )));
        }
        let passing = Passing {
            stream: self,
            body,
            messages: Reading::messages(),
            is_over: false,
        };
        let frames = futures_util::stream::unfold(passing, |mut passing| async move {
            let frame = passing.next_frame().await?;
            Some((Ok(frame), passing))
        });
        let mut response = Response::from_parts(head, StreamBody::new(frames).boxed_unsync());
        // It belonged to the other connection.
        response.extensions_mut().clear();
        response
    }

    fn on_end(&self, status: &Status) {
        let code = status.code();
        let address = self.connected.endpoint.to_string();
        self.shared.refusals.stream(&address, status);
        // Who may not have a configuration is not given the last good one either, and the server that says it serves.
        let is_word = matches!(code, Code::Ok | Code::PermissionDenied | Code::Unauthenticated);
        if !is_word && !self.has_served && self.opened.elapsed() < EARLY {
            let failure = match code {
                Code::Unavailable => Failure::Passing,
                _ => Failure::Lasting,
            };
            self.shared.uplink.failed(&self.connected, failure);
        }
    }

    fn left_alone(&self) -> Status {
        self.shared.uplink.failed(&self.connected, Failure::Lasting);
        Status::unavailable("the control plane sends nothing to an envoy that has nothing")
    }
}

/// The answers of a stream.
struct Passing {
    stream: Stream,
    body: Incoming,
    messages: Option<Messages>,
    is_over: bool,
}

/// What comes next.
enum Turn {
    Frame(Option<Result<Frame<Bytes>, hyper::Error>>),
    Retired,
    LeftAlone,
}

impl Passing {
    async fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        if self.is_over {
            return None;
        }
        let stream = &mut self.stream;
        let turn = tokio::select! {
            biased;
            () = stream.connected.retired.cancelled() => Turn::Retired,
            frame = self.body.frame() => Turn::Frame(frame),
            () = stream.reading.is_left_alone(), if !stream.has_served => Turn::LeftAlone,
        };
        match turn {
            Turn::Frame(Some(Ok(frame))) => {
                self.on_frame(&frame);
                Some(frame)
            }
            Turn::Frame(Some(Err(error))) => {
                let reason = format!("the connection to the control plane is lost: {error}");
                Some(self.end(&Status::unavailable(reason)))
            }
            Turn::Frame(None) => {
                self.is_over = true;
                None
            }
            Turn::Retired => Some(self.end(&Status::ok("the proxy has another certificate"))),
            Turn::LeftAlone => {
                let status = self.stream.left_alone();
                Some(self.end(&status))
            }
        }
    }

    fn on_frame(&mut self, frame: &Frame<Bytes>) {
        if let Some(trailers) = frame.trailers_ref() {
            let without = || Status::unknown("the stream has ended without a status");
            self.stream
                .on_end(&Status::from_header_map(trailers).unwrap_or_else(without));
            return;
        }
        let stream = &mut self.stream;
        if !stream.has_served {
            stream.has_served = true;
            stream.shared.uplink.served(&stream.connected);
        }
        let reading = &stream.reading;
        reading.read(&mut self.messages, frame, |message| {
            reading.memory.on_response(reading.stream, reading.protocol, message);
        });
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.is_over = true;
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            trailers.insert("grpc-status", http::HeaderValue::from_static("14"));
        }
        Frame::trailers(trailers)
    }
}

/// The headers that belong to the stream and not to Envoy's connection.
fn of_the_stream(headers: &HeaderMap) -> HeaderMap {
    let passed = headers.iter().filter(|(name, _)| {
        *name == header::CONTENT_TYPE
            || *name == header::TE
            || *name == header::USER_AGENT
            || name.as_str().starts_with("grpc-")
    });
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}
