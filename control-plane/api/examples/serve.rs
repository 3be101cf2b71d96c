//! Serves the API alone on loopback, to try clients against it: `cargo run -p ferromesh-api --example serve -- 8080 DIR`.

use std::sync::Arc;

use ferromesh_api::{routes, ApiState};
use ferromesh_store::RedbStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_else(|| "8080".to_owned()).parse()?;
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let store = Arc::new(RedbStore::open(std::path::Path::new(&folder).join("store.redb"))?);
    println!("http://127.0.0.1:{port}");
    warp::serve(routes(ApiState::new(store)))
        .run(([127, 0, 0, 1], port))
        .await;
    Ok(())
}
