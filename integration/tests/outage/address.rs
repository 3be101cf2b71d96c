//! An address that leads to the control plane until it is taken away, as a machine is.

use ferromesh_integration::rig::ports;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Passes connections on. Dropped, it cuts them and takes no more.
pub struct Address {
    pub port: u16,
    running: JoinHandle<()>,
}

impl Address {
    /// Begins to lead to `host:port`.
    pub async fn to(target: String) -> Self {
        let port = ports::free().expect("a port");
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a listener");
        let running = tokio::spawn(async move {
            // Dropped with the task, and the connections with it.
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(target).await {
                        // Either end may go.
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        Self { port, running }
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.running.abort();
    }
}
