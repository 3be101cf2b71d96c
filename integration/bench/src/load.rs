//! Paced HTTP/1.1 keep-alive load over blocking sockets: cheap enough to leave the measured core alone.

use anyhow::{bail, Context, Result};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// What one load run did.
pub struct Outcome {
    /// Answers with status 200.
    pub ok: u64,
    /// Any other answer.
    pub other: u64,
}

/// Sends `rate` requests per second for `duration` over `connections` connections and waits for each answer.
///
/// Each connection keeps its own schedule; one that falls behind sends at once and does not skip, so both Envoys of a
/// round get the same number of requests.
pub fn run(port: u16, rate: u64, connections: usize, duration: Duration) -> Result<Outcome> {
    let gap = Duration::from_secs_f64(connections as f64 / rate as f64);
    let threads: Vec<_> = (0..connections)
        .map(|i| {
            thread::spawn(move || -> Result<Outcome> {
                let offset = gap.mul_f64(i as f64 / connections as f64);
                connection(port, gap, offset, duration)
            })
        })
        .collect();
    let mut total = Outcome { ok: 0, other: 0 };
    for thread in threads {
        let one = thread.join().map_err(|_| anyhow::anyhow!("a load thread panicked"))??;
        total.ok += one.ok;
        total.other += one.other;
    }
    Ok(total)
}

fn connection(port: u16, gap: Duration, offset: Duration, duration: Duration) -> Result<Outcome> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = b"GET /colour HTTP/1.1\r\nhost: colour.local\r\nuser-agent: ferromesh-bench\r\naccept: */*\r\n\r\n";
    let mut buffer = [0u8; 8192];
    let mut outcome = Outcome { ok: 0, other: 0 };
    let start = Instant::now();
    let mut due = start + offset;
    while due < start + duration {
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            thread::sleep(wait);
        }
        due += gap;
        socket.write_all(request)?;
        match answer(&mut socket, &mut buffer)? {
            200 => outcome.ok += 1,
            _ => outcome.other += 1,
        }
    }
    Ok(outcome)
}

/// Reads one whole answer with a content-length and gives its status.
fn answer(socket: &mut TcpStream, buffer: &mut [u8]) -> Result<u16> {
    let mut filled = 0;
    loop {
        let n = socket.read(&mut buffer[filled..]).context("read an answer")?;
        if n == 0 {
            bail!("connection closed in the middle of an answer");
        }
        filled += n;
        let Some(head) = buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") else {
            if filled == buffer.len() {
                bail!("answer head larger than {} bytes", buffer.len());
            }
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let status = text
            .split_whitespace()
            .nth(1)
            .and_then(|s| s.parse().ok())
            .context("no status line")?;
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse::<usize>().ok())
            .context("no content-length")?;
        if filled >= head + 4 + length {
            return Ok(status);
        }
    }
}
