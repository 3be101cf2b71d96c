//! One connection of a load: connect, send on schedule, record, connect again when it was closed.

use std::{collections::HashMap, sync::Arc, time::Duration, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Outcome, Plan, Record};

type Sender = SendRequest<Full<Bytes>>;

/// Runs until the plan has no request left or was stopped.
pub(super) async fn run(plan: Arc<Plan>, index: usize) {
    let mut values = Values::default();
    let mut sender = None;
    // Connections send in turn, not all at once.
    let mut due = plan
        .every
        .map(|every| plan.started + every.mul_f64(index as f64 / plan.connections as f64));
    while plan.take() {
        if let (Some(next), Some(every)) = (due, plan.every) {
            tokio::time::sleep_until(next.into()).await;
            due = Some(next + every);
        }
        let sent = Instant::now();
        let (outcome, noted) = match tokio::time::timeout(plan.timeout, exchange(&plan, &mut sender)).await {
            Ok(Ok((status, headers))) => {
                let noted = plan
                    .noting
                    .iter()
                    .map(|name| Some(values.shared(headers.get(name)?)))
                    .collect();
                (Outcome::Answered(status), noted)
            }
            Ok(Err(error)) => {
                sender = None;
                (Outcome::Failed(format!("{error:#}").into()), Vec::new())
            }
            Err(_) => {
                sender = None;
                let text = format!("no answer within {:?}", plan.timeout);
                (Outcome::Failed(text.into()), Vec::new())
            }
        };
        let refused = matches!(outcome, Outcome::Failed(_));
        plan.journal.write(Record {
            at: sent - plan.started,
            latency: sent.elapsed(),
            outcome,
            noted,
        });
        if refused {
            // A port that nobody listens on is refused within microseconds: do not spin on it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn exchange(plan: &Plan, kept: &mut Option<Sender>) -> anyhow::Result<(u16, HeaderMap<HeaderValue>)> {
    // A connection that the server closed while it was idle, or announced to close, is replaced like any
    // client does it: nothing was sent on it, so nothing has failed.
    let mut sender = match kept.take() {
        None => connect(plan).await?,
        Some(mut sender) => match sender.ready().await {
            Ok(()) => sender,
            Err(_) => connect(plan).await?,
        },
    };
    let mut request = Request::new(Full::new(plan.body.clone()));
    *request.method_mut() = plan.request.method().clone();
    *request.uri_mut() = plan.request.uri().clone();
    *request.headers_mut() = plan.request.headers().clone();
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => match error.take_message() {
            // Closed between the check and the sending, before a byte of the request went out.
            Some(request) => {
                sender = connect(plan).await?;
                sender.send_request(request).await?
            }
            None => return Err(error.into_error().into()),
        },
    };
    let answered = drain(response).await?;
    *kept = Some(sender);
    Ok(answered)
}

async fn connect(plan: &Plan) -> anyhow::Result<Sender> {
    let stream = TcpStream::connect(plan.addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn drain(response: Response<Incoming>) -> anyhow::Result<(u16, HeaderMap<HeaderValue>)> {
    let (parts, mut body) = response.into_parts();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok((parts.status.as_u16(), parts.headers))
}

/// One copy of each header value, however many records it stands in.
#[derive(Default)]
struct Values(HashMap<HeaderValue, Arc<str>>);

impl Values {
    fn shared(&mut self, value: &HeaderValue) -> Arc<str> {
        if let Some(known) = self.0.get(value) {
            return known.clone();
        }
        let text: Arc<str> = String::from_utf8_lossy(value.as_bytes()).into();
        self.0.insert(value.clone(), text.clone());
        text
    }
}
