//! One colour service on its own: `colour blue --listen 127.0.0.1:9001`.
//!
//! ```sh
//! curl http://127.0.0.1:9001/                                     # blue
//! curl -X PUT -d '{"percent": 10}' http://127.0.0.1:9001/_colour  # every tenth request now fails
//! curl http://127.0.0.1:9001/_colour                              # {"requests":…,"faults":…}
//! ```

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;
use ferromesh_integration::upstream::Upstream;

/// An upstream server that answers its name and fails on request.
#[derive(Parser)]
struct Options {
    /// What it answers, in the body and in the header x-colour.
    name: String,
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let upstream = Upstream::start_at(&options.name, options.listen).await?;
    println!("{} on http://{}/", upstream.name(), upstream.addr());
    upstream.serve().await
}
