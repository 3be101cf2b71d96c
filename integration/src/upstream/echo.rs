//! A TCP application that says which one it is, and proves that bytes pass unchanged.

use std::{
    net::SocketAddr,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
};

use super::listen;

/// A running server: to whatever a client sends first it answers with its name, a colon and the same bytes, and closes.
#[derive(Debug)]
pub struct Echo {
    name: String,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Echo {
    /// Starts a server.
    pub async fn start_at(name: &str, address: SocketAddr) -> Result<Self> {
        let listener = listen(address).with_context(|| format!("echo {name} on {address}"))?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let (greeting, counter) = (format!("{name}:"), connections.clone());
        let serving = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        counter.fetch_add(1, Ordering::Relaxed);
                        open.spawn(answer(stream, greeting.clone()));
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            address,
            connections,
            serving,
        })
    }

    /// Which one it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What a server at an address answers to some bytes.
    pub async fn ask(address: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream, greeting: String) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    let length = stream.read(&mut bytes).await?;
    // One write, so that a proxy that closes early cannot pass on half of it.
    let mut answer = greeting.into_bytes();
    answer.extend_from_slice(&bytes[..length]);
    stream.write_all(&answer).await?;
    stream.shutdown().await
}
