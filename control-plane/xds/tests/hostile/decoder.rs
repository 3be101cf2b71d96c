//! Bytes of every kind: the decoder gives a status, never a panic, and never more than was asked for.

use bytes::Bytes;
use ferromesh_xds::type_url::CLUSTER;
use ferromesh_xds::Config;
use proptest::prelude::*;
use tonic::Code;

use crate::bytes_of::*;
use crate::clients::*;

/// 1,000 bodies; `FERROMESH_FULL=1` makes it 100,000.
fn cases() -> u32 {
    let full = std::env::var_os("FERROMESH_FULL").is_some_and(|value| value == "1");
    if full {
        100_000
    } else {
        1_000
    }
}

/// What the stream ends with when these bytes come in pieces of this size, and the client then closes its side.
fn sent(path: &str, bytes: &[u8], piece: usize) -> tonic::Status {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (_, service) = server(Config::default());
        let pieces: Vec<Bytes> = bytes.chunks(piece.max(1)).map(Bytes::copy_from_slice).collect();
        let mut answers = open(&service, path, Pieces::ending(pieces.into_iter())).await;
        let status = end(&mut answers).await;
        drop(answers);
        assert_eq!(service.streams(), 0);
        status
    })
}

fn is_clear(status: &tonic::Status) -> bool {
    let known = [
        Code::Ok,
        Code::InvalidArgument,
        Code::ResourceExhausted,
        Code::OutOfRange,
        Code::Unimplemented,
        // tonic's word for a message that is cut short, or a prefix that is none.
        Code::Internal,
        Code::Unknown,
    ];
    known.contains(&status.code()) && (status.code() == Code::Ok || !status.message().is_empty())
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![SOTW_PATH, DELTA_PATH])
}

/// A whole request, with a few bytes changed, added or taken away.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::collection::vec("[a-z*|]{0,12}", 0..6);
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3u8);
    (names, any::<bool>(), prop::collection::vec(change, 0..6)).prop_map(|(names, is_delta, changes)| {
        let whole = if is_delta {
            delta(CLUSTER, &names, &names)
        } else {
            sotw(CLUSTER, &names)
        };
        // The prefix is made anew: whatever is wrong is wrong in the message.
        let mut message = whole[5..].to_vec();
        for (at, byte, how) in changes {
            let at = at.index(message.len().max(1));
            match how {
                0 if at < message.len() => message[at] = byte,
                1 => message.insert(at.min(message.len()), byte),
                _ if at < message.len() => drop(message.remove(at)),
                _ => {}
            }
        }
        message
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_end_a_stream_with_a_code(
        path in path(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        piece in 1..50usize,
    ) {
        let status = sent(path, &bytes, piece);
        prop_assert!(is_clear(&status), "{:?}", status);
    }

    #[test]
    fn arbitrary_messages_end_a_stream_with_a_code(
        path in path(),
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..4),
        piece in 1..50usize,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|m| framed(m).to_vec()).collect();
        let status = sent(path, &bytes, piece);
        prop_assert!(is_clear(&status), "{:?}", status);
    }

    #[test]
    fn requests_with_a_few_wrong_bytes_end_a_stream_with_a_code(
        path in path(),
        message in mutated(),
        piece in 1..50usize,
    ) {
        let status = sent(path, &framed(&message), piece);
        prop_assert!(is_clear(&status), "{:?}", status);
    }
}
