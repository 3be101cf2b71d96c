//! More requests than a limit admits, cheaply: the same bytes again and again over HTTP/1.1 connections, of whose answers
//! only the status is looked at.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What to send.
#[derive(Clone, Debug)]
pub struct Flood {
    address: String,
    request: String,
    connections: usize,
    per_second: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Flooded {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// From before the first request to after the last answer.
    pub took: Duration,
}

impl Flooded {
    /// Answers with this status.
    pub fn with(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// All answers.
    pub fn all(&self) -> u64 {
        self.statuses.values().sum()
    }
}

impl Flood {
    /// GETs of a path: 16 connections, one request at a time on each, as fast as they are answered.
    pub fn on(address: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            request: format!("GET {path} HTTP/1.1\r\nhost: color.local\r\n\r\n"),
            connections: 16,
            per_second: None,
        }
    }

    /// One more header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let head = self.request.len() - 2;
        self.request.insert_str(head, &format!("{name}: {value}\r\n"));
        self
    }

    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// At most so many requests a second, over all connections together.
    pub fn per_second(mut self, rate: f64) -> Self {
        self.per_second = Some(rate);
        self
    }

    /// Sends for a time and waits for the last answers.
    ///
    /// # Errors
    /// A connection broke or an answer was none.
    pub async fn send_for(&self, time: Duration) -> Result<Flooded> {
        let began = Instant::now();
        let mut connections = JoinSet::new();
        for index in 0..self.connections {
            let flood = self.clone();
            connections.spawn(async move { flood.connection(index, began, time).await });
        }
        let mut flooded = Flooded::default();
        while let Some(statuses) = connections.join_next().await {
            for (status, count) in statuses?? {
                *flooded.statuses.entry(status).or_default() += count;
            }
        }
        flooded.took = began.elapsed();
        Ok(flooded)
    }

    async fn connection(&self, index: usize, began: Instant, time: Duration) -> Result<BTreeMap<u16, u64>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let mut statuses = BTreeMap::new();
        let mut unread = Vec::with_capacity(16 * 1024);
        let every = self
            .per_second
            .map(|rate| Duration::from_secs_f64(self.connections as f64 / rate));
        let mut due = every.map(|every| began + every.mul_f64(index as f64 / self.connections as f64));
        loop {
            if due.unwrap_or_else(Instant::now) >= began + time {
                return Ok(statuses);
            }
            if let (Some(next), Some(every)) = (due, every) {
                tokio::time::sleep_until(next.into()).await;
                due = Some(next + every);
            }
            stream.write_all(self.request.as_bytes()).await?;
            let status = answer(&mut stream, &mut unread).await?;
            *statuses.entry(status).or_default() += 1;
        }
    }
}

/// Reads one answer, whose length `content-length` tells, and returns its status.
async fn answer(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<u16> {
    let head = loop {
        if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, unread).await?;
    };
    let text = String::from_utf8_lossy(&unread[..head]).into_owned();
    let Some(status) = text.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        bail!("no answer: {text:?}");
    };
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    let Some(length) = length else {
        bail!("an answer of unknown length: {text:?}");
    };
    while unread.len() < head + length {
        more(stream, unread).await?;
    }
    unread.drain(..head + length);
    Ok(status)
}

async fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(unread).await? == 0 {
        bail!("the connection was closed in the middle of an answer");
    }
    Ok(())
}
