//! Streams by themselves, with bodies made up.

use std::convert::Infallible;

use futures_util::{stream::BoxStream, StreamExt};
use http_body_util::{Empty, StreamBody};
use tokio::sync::mpsc;
use tonic::Code;

use super::*;

type Sender = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;
type Frames = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

fn intake(share: &Share) -> (Sender, Intake<StreamBody<Frames>>) {
    let (sender, receiver) = mpsc::channel(1000);
    let frames = futures_util::stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async {
        let frame = receiver.recv().await?;
        Some((frame, receiver))
    });
    (
        sender,
        Intake::new(StreamBody::new(frames.boxed()), Some(share.clone())),
    )
}

fn impatient() -> Budget {
    Budget {
        patience: Duration::from_millis(100),
        ..Budget::default()
    }
}

/// The beginning of a message that says how long it will be.
fn prefix(length: usize) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.into()
}

async fn send(sender: &Sender, bytes: Bytes) {
    sender.send(Ok(Frame::data(bytes))).await.unwrap();
}

async fn code<B>(intake: &mut Intake<B>) -> Option<Code>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    intake.frame().await.and_then(Result::err).map(|status| status.code())
}

#[tokio::test]
async fn a_message_that_is_left_half_sent_ends_its_stream_and_pauses_between_messages_do_not() {
    let share = Share::of(&impatient());
    let (sender, mut body) = intake(&share);
    for part in [&[0, 0, 0][..], &[0, 2, 7], &[7, 0, 0, 0, 0, 0]] {
        send(&sender, Bytes::copy_from_slice(part)).await;
        assert!(body.frame().await.unwrap().is_ok());
    }
    let pause = tokio::time::timeout(Duration::from_millis(500), body.frame()).await;
    assert!(pause.is_err(), "nothing was said");
    send(&sender, prefix(3)).await;
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(code(&mut body).await, Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn large_messages_wait_for_room_and_keep_it_until_their_stream_ends() {
    let budget = impatient();
    let mut holders = Vec::new();
    // Each on a connection of its own.
    for _ in 0..BUDGET_KIB * 1024 / LARGEST {
        let (sender, mut body) = intake(&Share::of(&budget));
        send(&sender, prefix(LARGEST)).await;
        assert!(body.frame().await.unwrap().is_ok());
        holders.push((sender, body));
    }
    let (small, mut body) = intake(&Share::of(&budget));
    send(&small, prefix(SMALL - 1)).await;
    assert!(body.frame().await.unwrap().is_ok(), "small messages need no room");

    let (large, mut body) = intake(&Share::of(&budget));
    send(&large, prefix(SMALL)).await;
    assert_eq!(code(&mut body).await, Some(Code::ResourceExhausted));
    holders.pop();
    let (large, mut body) = intake(&Share::of(&budget));
    send(&large, prefix(SMALL)).await;
    assert!(body.frame().await.unwrap().is_ok());
    // What no service takes is not kept from being refused.
    let (huge, mut body) = intake(&Share::of(&budget));
    send(&huge, prefix(LARGEST + 1)).await;
    assert!(body.frame().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_connection_has_four_streams_and_a_place_again_when_one_has_ended() {
    let share = Share::of(&Budget::default());
    let open = async || {
        let mut request = Request::new(Empty::<Bytes>::new());
        request.extensions_mut().insert(share.clone());
        admitted(request, |_| async { Response::new(Empty::<Bytes>::new()) }).await
    };
    let mut held = Vec::new();
    for _ in 0..STREAMS {
        let response = open().await;
        assert!(!response.headers().contains_key("grpc-status"));
        held.push(response);
    }
    assert_eq!(open().await.headers()["grpc-status"], "8");
    held.pop();
    assert!(!open().await.headers().contains_key("grpc-status"));
}
