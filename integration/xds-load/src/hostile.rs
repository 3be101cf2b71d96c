//! Clients that no server should have to bear: silent, slow, greedy, loud. A crowd of them beside good proxies shows whether
//! one client can take what belongs to the others.
//!
//! Each does its worst again and again, for as long as the crowd is there: a server that cuts it sees it come back.

mod frames;
mod streams;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::way::Way;

/// What a hostile client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hostility {
    /// Connects and says nothing.
    Silent,
    /// Stops in the middle of the TLS handshake, or of the HTTP/2 preface where there is none.
    HalfHandshake,
    /// Sends its headers byte by byte.
    ByteByByte,
    /// Asks for everything on many streams and reads nothing.
    NeverReading,
    /// Changes its subscriptions as fast as it can.
    Flooding,
    /// Refuses whatever it gets.
    Rejecting,
    /// Subscribes to as many names as it may, which nobody has heard of, on many streams.
    ManyNames,
    /// Sends bytes that are no frames, and frames that mean nothing.
    Garbage,
    /// Connects, asks for everything, goes away, comes again.
    Returning,
    /// Says megabytes about itself.
    HugeMetadata,
    /// Announces a message of megabytes and never finishes it.
    HalfMessage,
}

impl Hostility {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Silent,
        Self::HalfHandshake,
        Self::ByteByByte,
        Self::NeverReading,
        Self::Flooding,
        Self::Rejecting,
        Self::ManyNames,
        Self::Garbage,
        Self::Returning,
        Self::HugeMetadata,
        Self::HalfMessage,
    ];

    /// How long it rests between two attempts.
    fn pause(self) -> Duration {
        Duration::from_millis(match self {
            Self::Returning => 20,
            Self::Silent | Self::HalfHandshake | Self::ByteByByte => 50,
            _ => 200,
        })
    }
}

/// How long a hostile client keeps what it has taken.
const HOLD: Duration = Duration::from_secs(30);

/// Hostile clients at work. They go when the crowd is dropped.
pub struct Crowd {
    clients: JoinSet<()>,
    attempts: Arc<[AtomicU64; Hostility::ALL.len()]>,
}

impl Crowd {
    /// Sends so many clients, of all kinds alike, over these ways in turn. `nodes` are ids of proxies that exist, `{}` standing for
    /// a number below `known`.
    pub fn launch(ways: &[Way], count: usize, nodes: &str, known: usize) -> Self {
        Self::launch_some(&Hostility::ALL, ways, count, nodes, known)
    }

    /// As [`Crowd::launch`], of some kinds.
    pub fn launch_some(kinds: &[Hostility], ways: &[Way], count: usize, nodes: &str, known: usize) -> Self {
        let attempts: Arc<[AtomicU64; Hostility::ALL.len()]> = Arc::default();
        let mut clients = JoinSet::new();
        for number in 0..count {
            let kind = kinds[number % kinds.len()];
            let way = ways[number / kinds.len() % ways.len()].clone();
            let node = nodes.replace("{}", &(number % known.max(1)).to_string());
            let attempts = Arc::clone(&attempts);
            clients.spawn(async move {
                loop {
                    attempts[kind as usize].fetch_add(1, Ordering::Relaxed);
                    // However the server ends it.
                    let _ = once(kind, &way, &node).await;
                    tokio::time::sleep(kind.pause()).await;
                }
            });
        }
        Self { clients, attempts }
    }

    /// How often each kind has begun, in the order of [`Hostility::ALL`].
    pub fn attempts(&self) -> Vec<(Hostility, u64)> {
        let counts = self.attempts.iter().map(|count| count.load(Ordering::Relaxed));
        Hostility::ALL.into_iter().zip(counts).collect()
    }

    /// Ends all.
    pub async fn leave(mut self) {
        self.clients.shutdown().await;
    }
}

async fn once(kind: Hostility, way: &Way, node: &str) -> Result<()> {
    match kind {
        Hostility::Silent => until_cut(&mut way.tcp().await?).await,
        Hostility::HalfHandshake => {
            let mut stream = way.tcp().await?;
            let half: &[u8] = match way.tls {
                // The head of a record that says 512 bytes will follow.
                Some(_) => &[22, 3, 1, 2, 0, 1],
                None => &frames::PREFACE[..10],
            };
            stream.write_all(half).await?;
            until_cut(&mut stream).await
        }
        Hostility::ByteByByte => {
            let mut stream = way.open().await?;
            for byte in b"POST /v20190125/meshes HTTP/1.1\r\nhost: a\r\nx-slow: "
                .iter()
                .chain(&[b'x'; 1000])
            {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        }
        Hostility::NeverReading => {
            let mut stream = way.open().await?;
            stream.write_all(&streams::everything(&way.address, node, 50)).await?;
            stream.flush().await?;
            tokio::time::sleep(HOLD).await;
            Ok(())
        }
        Hostility::Garbage => garbage(way).await,
        Hostility::Flooding => streams::flood(way, node).await,
        Hostility::Rejecting => streams::reject(way, node).await,
        Hostility::ManyNames => streams::many_names(way, node).await,
        Hostility::Returning => streams::glance(way, node).await,
        Hostility::HugeMetadata => streams::huge_metadata(way, node).await,
        Hostility::HalfMessage => streams::half_message(way).await,
    }
}

/// Whatever the server says; a reset is a cut too.
async fn until_cut(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn garbage(way: &Way) -> Result<()> {
    let noise = frames::noise();
    // No frames at all.
    let mut stream = way.open().await?;
    stream.write_all(&noise).await?;
    stream.flush().await?;
    let _ = tokio::time::timeout(Duration::from_secs(1), until_cut(&mut stream)).await;
    // Frames after a good beginning.
    let mut stream = way.open().await?;
    let mut bytes = frames::beginning(65_535);
    for kind in 0..=255 {
        let length = usize::from(noise[usize::from(kind)]);
        bytes.extend(frames::frame(kind, noise[usize::from(kind) + 1], 1, &noise[..length]));
    }
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let _ = tokio::time::timeout(Duration::from_secs(1), until_cut(&mut stream)).await;
    Ok(())
}
