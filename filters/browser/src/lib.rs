//! The filters' policy for JavaScript: what a filter in Envoy decides, decided in a browser or in Node by the same
//! code, so that a console can check a configuration before it is stored and show what it would do.
//!
//! ```js
//! import init, { checkRoutePolicy, Session } from "./web/ferromesh_policy.js";
//! await init();
//!
//! const policy = {
//!   labels: { virtualService: "color.local", route: "r1" },
//!   targets: ["blue", "green"],
//!   canary: { weights: [90, 10], sticky: { header: "x-user" } },
//! };
//! checkRoutePolicy(policy);                        // [] or [{ path: "canary.weights[1]", message: "…" }]
//!
//! const session = new Session("mesh", 1n);         // one VM of a filter module; its chance comes from the seed
//! session.configure(0, { mesh: "m", node: "front", reporter: "source", default: policy });
//! session.request(0, 1, { headers: [["x-user", "ada"]] }).headers;
//! session.response(5, 1, { attempts: 1, headers: [[":status", "200"]] });
//! session.end(9, 1);
//! session.tick(1000);
//! session.metrics();
//! ```
//!
//! The other build, `nodejs/`, is the same as a CommonJS module. Both are made by `cargo xtask browser`; values cross
//! as JSON, in the form of the vector corpus: bytes that are not UTF-8 are `{ hex: "ff00" }`.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(target_arch = "wasm32")]
mod javascript;
#[cfg(all(feature = "node", not(target_arch = "wasm32")))]
pub mod node;
mod session;

pub use session::{check_plugin, check_route_policy, Millis, Mistake, Requested, Session};
