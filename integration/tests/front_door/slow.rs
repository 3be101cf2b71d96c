//! Clients that connect and then take their time.

use std::time::{Duration, Instant};

use ferromesh_integration::rig::{ports, Modules, Rig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Clients of each sort. Together they are far more than threads of the server.
const EACH: usize = 60;
/// What the server may take until a slow client is gone, and what a loaded machine may take to see it.
const CUT: Duration = Duration::from_secs(10);
const LOADED: Duration = Duration::from_secs(5);

/// What slow clients send before they fall silent.
const HALF_HEADERS: &[u8] = b"GET /v20190125/meshes HTTP/1.1\r\nhost: x\r\nx-slow";
const HALF_BODY: &[u8] = b"PUT /v20190125/meshes HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"meshName\"";
const HALF_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Half a handshake: the head of a record that says 512 bytes will follow.
const HALF_HANDSHAKE: &[u8] = &[22, 3, 1, 2, 0, 1];

/// Connects, sends, and says how long it took until the server closed; `None` if it did not.
async fn until_cut(address: String, sent: Vec<u8>) -> Option<Duration> {
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    stream.write_all(&sent).await.expect("sent");
    let began = Instant::now();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(CUT + LOADED, stream.read_to_end(&mut answer)).await;
    // A reset is a close too.
    closed.ok().map(|_| began.elapsed())
}

/// As [`until_cut`], after one request that was sent as a whole: the connection was good once.
async fn until_cut_later(address: String) -> Option<Duration> {
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.expect("an answer");
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
    stream.write_all(HALF_HEADERS).await.expect("sent");
    let began = Instant::now();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(CUT + LOADED, stream.read_to_end(&mut answer)).await;
    closed.ok().map(|_| began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_within_ten_seconds_while_others_are_served() {
    let tls = format!("127.0.0.1:{}", ports::free().expect("a port"));
    let arguments = vec!["--listen".to_owned(), format!("https://{tls}")];
    let rig = Rig::start_as(Modules::Built, arguments, None)
        .await
        .expect("a control plane");
    let plain = rig.address();

    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..EACH {
        for (address, sent) in [
            (&plain, Vec::new()),
            (&plain, HALF_HEADERS.to_vec()),
            (&plain, HALF_BODY.to_vec()),
            (&plain, HALF_PREFACE.to_vec()),
            (&tls, Vec::new()),
            (&tls, HALF_HANDSHAKE.to_vec()),
        ] {
            let address = address.clone();
            slow.spawn(async move {
                let shown = format!("{address} {:?}", String::from_utf8_lossy(&sent));
                (shown, until_cut(address, sent).await)
            });
        }
        let address = plain.clone();
        slow.spawn(async move { ("after a request".to_owned(), until_cut_later(address).await) });
    }

    // Others are served all the while.
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (mut served, mut cut) = (0_u32, Vec::new());
    while !slow.is_empty() {
        let name = format!("m{served}");
        let body = serde_json::json!({ "meshName": name });
        let put = client
            .put(format!("http://{plain}/v20190125/meshes"))
            .json(&body)
            .send();
        let answer = tokio::time::timeout(CUT, put)
            .await
            .expect("in time")
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        served += 1;
        while let Some(ended) = slow.try_join_next() {
            cut.push(ended.expect("no panic"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(cut.len(), 7 * EACH);
    let left: Vec<_> = cut.iter().filter(|(_, took)| took.is_none()).collect();
    assert!(left.is_empty(), "{} were left open: {:?}", left.len(), left.first());
    let longest = cut
        .iter()
        .filter_map(|(what, took)| took.map(|took| (took, what)))
        .max()
        .expect("some");
    println!(
        "{} slow clients cut, the last after {longest:?}; {served} writes meanwhile",
        cut.len()
    );
    assert!(longest.0 <= CUT + Duration::from_secs(1), "{longest:?}");
    assert!(served > 10, "{served} calls were served meanwhile");
    rig.shut_down().expect("a clean end");
}
