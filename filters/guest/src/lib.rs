//! The adaptor between the policy and a proxy-wasm host: the only crate that names the ABI.
//!
//! A module is one line, `ferromesh_guest::module!(Features::MESH);`. It exports the callbacks it uses and no
//! others, because each exported callback costs a crossing on every stream:
//!
//! | exported | what happens |
//! |---|---|
//! | `proxy_on_configure` | [`Plugin::configure`](ferromesh_policy::Plugin::configure); invalid → logged, `false`, the configuration before stays |
//! | `proxy_on_request_headers` | [`Exchange::on_request`](ferromesh_policy::Exchange::on_request), its effects as header writes |
//! | `proxy_on_response_headers` | [`Exchange::on_response`](ferromesh_policy::Exchange::on_response) |
//! | `proxy_on_log` | [`Exchange::on_end`](ferromesh_policy::Exchange::on_end) |
//! | `proxy_on_tick` | counters and samples to the host's metrics; what is known of canaries to the control plane |
//! | `proxy_on_http_call_response` | whether that got there |
//!
//! Two things are not taken from the public Rust SDK, because they end the VM where this crate must not: its
//! calls to the host panic on any status they do not expect, its dispatcher on any context it does not know,
//! and its string getters on bytes that are not UTF-8. Here every status is a value ([`Status`]), an unknown
//! context is nothing to do, and everything read from a stream is bytes.
//!
//! Layers, each knowing only the one below: `module!` (exports) → [`Worker`] (contexts and their state; also
//! what tests drive with a host of their own) → [`Host`] (calls that a host answers) → `abi` (the imports).
//!
//! With feature `sdk` the same module is made on the SDK instead (`sdk`): a build to measure and to compare with,
//! not one to distribute. The two cannot be one module, because the SDK defines every export itself.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(all(target_arch = "wasm32", not(feature = "sdk")))]
mod abi;
#[cfg(any(all(target_arch = "wasm32", not(feature = "sdk")), test))]
mod codes;
#[cfg(all(target_arch = "wasm32", not(feature = "sdk")))]
pub mod exports;
mod host;
mod pairs;
#[cfg(any(all(target_arch = "wasm32", not(feature = "sdk")), test))]
mod scratch;
#[cfg(all(target_arch = "wasm32", feature = "sdk"))]
pub mod sdk;
#[cfg(target_arch = "wasm32")]
mod wasi;
mod worker;

pub use ferromesh_policy::mesh::Features;
pub use host::{encoded, Host, Level, MetricType, Status};
#[cfg(feature = "sdk")]
#[doc(hidden)]
pub use proxy_wasm;
pub use worker::{Action, Worker, MAX_STREAMS};

/// Makes a crate a filter module that runs these features, on the public SDK, whose dispatcher exports
/// every callback of the ABI.
#[cfg(feature = "sdk")]
#[macro_export]
macro_rules! module {
    ($features:expr $(, lean)?) => {
        #[cfg(target_arch = "wasm32")]
        $crate::proxy_wasm::main! {{ $crate::sdk::start($features); }}
    };
}

/// Makes a crate a filter module that runs these features; `lean`: without the callback of responses, so
/// for [`Features::MESH_LEAN`] alone.
#[cfg(not(feature = "sdk"))]
#[macro_export]
macro_rules! module {
    ($features:expr) => {
        $crate::module!($features, lean);

        #[cfg(target_arch = "wasm32")]
        mod response_callback {
            use $crate::exports;

            #[no_mangle]
            extern "C" fn proxy_on_response_headers(context: u32, _: usize, _: u32) -> u32 {
                exports::on_response_headers(context);
                exports::CONTINUE
            }
        }
    };
    ($features:expr, lean) => {
        #[cfg(target_arch = "wasm32")]
        mod callbacks {
            use $crate::exports;

            extern "C" {
                fn __wasm_call_ctors();
            }

            #[no_mangle]
            extern "C" fn _initialize() {
                // SAFETY: the host calls this once, before anything else.
                unsafe { __wasm_call_ctors() };
            }

            #[no_mangle]
            extern "C" fn proxy_abi_version_0_2_1() {}

            #[no_mangle]
            extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
                exports::on_memory_allocate(size)
            }

            #[no_mangle]
            extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
                exports::on_context_create(context, parent, $features);
            }

            #[no_mangle]
            extern "C" fn proxy_on_configure(context: u32, size: usize) -> u32 {
                u32::from(exports::on_configure(context, size))
            }

            #[no_mangle]
            extern "C" fn proxy_on_tick(context: u32) {
                exports::on_tick(context);
            }

            #[no_mangle]
            extern "C" fn proxy_on_http_call_response(_: u32, token: u32, _: u32, _: u32, _: u32) {
                exports::on_http_call_response(token);
            }

            #[no_mangle]
            extern "C" fn proxy_on_request_headers(context: u32, _: usize, _: u32) -> u32 {
                exports::on_request_headers(context)
            }

            #[no_mangle]
            extern "C" fn proxy_on_log(context: u32) {
                exports::on_log(context);
            }

            #[no_mangle]
            extern "C" fn proxy_on_delete(context: u32) {
                exports::on_delete(context);
            }
        }
    };
}
