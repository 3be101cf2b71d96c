//! A proxy-wasm host on wasmtime, in which a filter is tested as the module that Envoy will load.
//!
//! It speaks ABI 0.2.1 as Envoy 1.40 does: the same statuses, the same order of callbacks, the same bytes,
//! no call that Envoy lacks. Unlike Envoy it is a laboratory: time stands still unless a test moves it, chance
//! comes from a seed, a trap is a value, and every callback says which hostcalls it made and how much fuel
//! (executed wasm instructions) it took, so that a test can hold a figure.
//!
//! ```no_run
//! use ferromesh_wasm_host::{Clock, Config, EndOfStream, Engine, Headers, Module, Vm};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let module = Module::load(&Engine::new()?, "target/modules/mesh.wasm")?;
//! let clock = Clock::new();
//! let mut vm = Vm::start(&module, Config { clock: clock.clone(), seed: 7, ..Config::with_plugin("{}") })?;
//!
//! let stream = vm.open_stream()?;
//! stream.set_property(&mut vm, &["xds", "route_name"], "r1");
//! let outcome = stream.on_request_headers(&mut vm, Headers::from([(":method", "GET")]), EndOfStream::Yes)?;
//! println!("{:?}, then {:?}", outcome.action, stream.request_headers(&vm));
//! println!("{:?}", vm.last_call());
//!
//! clock.advance(std::time::Duration::from_secs(1));
//! vm.tick()?;
//! # Ok(())
//! # }
//! ```
//!
//! What differs from Envoy on purpose: pairs of headers that cannot be parsed are refused as a bad argument
//! (Envoy takes them for an empty list), shared queues and gRPC calls answer "unimplemented", and
//! metrics and shared data can be looked at.

mod abi;
mod clock;
mod config;
mod guest;
mod headers;
mod hostcalls;
mod log;
mod metrics;
mod module;
mod properties;
mod random;
mod report;
mod shared_data;
mod state;
mod stream;
mod trap;
mod vm;
mod wasi;

pub use abi::{Action, Status};
pub use clock::Clock;
pub use config::{Config, ForeignFunction};
pub use headers::{Headers, InvalidPairs};
pub use log::{Level, Log, Origin};
pub use metrics::{MetricValue, Metrics};
pub use module::{Engine, Import, InvalidModule, Module};
pub use properties::Properties;
pub use report::{CallReport, Report, Totals};
pub use shared_data::SharedData;
pub use state::{HttpCall, LocalReply};
pub use stream::{EndOfStream, Outcome, Stream};
pub use trap::{StartError, Trap, TrapKind};
pub use vm::{HttpAnswer, Plugin, Vm};
