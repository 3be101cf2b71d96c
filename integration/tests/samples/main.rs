//! The samples for Istio and Envoy Gateway (`envoy-configs/istio`, `envoy-configs/envoy-gateway`) do what they say.
//!
//! Neither platform is here. What each makes of a sample's resource for Envoy, and above all in which form it hands
//! the plugin's configuration over, is written down in [`istio`] and [`envoy_gateway`] from their sources; a stock
//! Envoy with that configuration and the built module then shows the sample's effect.

mod effects;
mod envoy_gateway;
mod fields;
mod front;
mod istio;
mod resources;

use std::path::{Path, PathBuf};

/// The filters that there are samples for: the names of their modules.
const FILTERS: [&str; 8] = [
    "canary",
    "circuit-breaker",
    "fault",
    "headers",
    "mesh",
    "observability",
    "rate-limit",
    "retry",
];

/// A place where filters run.
#[derive(Clone, Copy, Debug)]
enum Platform {
    Istio,
    EnvoyGateway,
}

const PLATFORMS: [Platform; 2] = [Platform::Istio, Platform::EnvoyGateway];

impl Platform {
    /// The folder of its samples.
    fn folder(self) -> PathBuf {
        let name = match self {
            Self::Istio => "istio",
            Self::EnvoyGateway => "envoy-gateway",
        };
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../envoy-configs")
            .join(name)
    }
}
