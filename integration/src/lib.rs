//! Real parts for tests: upstream servers with injectable faults, a load generator that records every
//! request, and a rig that runs the built `ferromesh` binary, stock Envoy and the unmodified `aws` CLI.
//!
//! Nothing here is linked into the product. The tests under `tests/`, the demo (`src/bin/demo.rs`) and the
//! benchmarks (`bench/`) are written with it:
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use ferromesh_integration::{load::Load, rig::Rig, upstream::Upstream};
//! use std::time::Duration;
//!
//! let blue = Upstream::start("blue").await?;
//! let rig = Rig::start().await?;
//! rig.aws("create-mesh", &serde_json::json!({"meshName": "m"})).await?;
//! // … more resources that lead to blue.addr() …
//! let gateway = rig.proxy("mesh/m/virtualGateway/g").await?;
//! let load = Load::to("http://127.0.0.1:8088/").per_second(500).start().await?;
//! tokio::time::sleep(Duration::from_secs(2)).await;
//! assert_eq!(load.stop().await.failures().count(), 0);
//! # drop((blue, gateway)); Ok(())
//! # }
//! ```

pub mod bed;
pub mod capture;
pub mod chain;
pub mod client;
pub mod fields;
pub mod flood;
pub mod hostile;
pub mod load;
pub mod meter;
pub mod rig;
pub mod scale;
pub mod stats;
pub mod tiny_module;
pub mod told;
pub mod trap_door;
pub mod two_colours;
pub mod upstream;
pub mod wire;

pub use scale::full;
