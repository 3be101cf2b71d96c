//! The cases of the filter benchmark and their Envoy configurations.

use anyhow::Result;
use clap::ValueEnum;
use ferromesh_integration::rig::paths;

/// What is compared with `native`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// `native` itself.
    Control,
    /// A router and nothing else.
    Plain,
    /// Our fused filter: canary, retry budget and observability on one route.
    Core,
    /// The same with response headers that name route and target.
    CoreHeaders,
    /// `core` with the same filter on the public SDK, whose dispatcher and calls ours are compared with.
    Sdk,
    /// Our fused filter in the chain, switched off on the route.
    IdleRoute,
}

impl Case {
    pub const ALL: [Self; 6] = [
        Self::Control,
        Self::Plain,
        Self::Core,
        Self::CoreHeaders,
        Self::Sdk,
        Self::IdleRoute,
    ];

    /// The name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Plain => "plain",
            Self::Core => "core",
            Self::CoreHeaders => "core-headers",
            Self::Sdk => "sdk",
            Self::IdleRoute => "idle-route",
        }
    }

    /// The name of the module that runs, where one does.
    fn module(self) -> &'static str {
        match self {
            Self::Sdk => "mesh-sdk",
            _ => "mesh",
        }
    }

    /// The configuration of an Envoy that leads to a target at `host:port`.
    pub fn configuration(self, target: &str) -> Result<String> {
        let template = match self {
            Self::Control => include_str!("../../../../envoy-configs/bench/native.yaml"),
            Self::Plain => include_str!("../../../../envoy-configs/bench/plain.yaml"),
            Self::Core | Self::Sdk => include_str!("../../../../envoy-configs/bench/core.yaml"),
            Self::CoreHeaders => include_str!("../../../../envoy-configs/bench/core-headers.yaml"),
            Self::IdleRoute => include_str!("../../../../envoy-configs/bench/idle-route.yaml"),
        };
        let port = target.rsplit(':').next().unwrap_or_default();
        let filled = template.replace("{{UPSTREAM_PORT}}", port);
        if !filled.contains("\"{{MODULE}}\"") {
            return Ok(filled);
        }
        let module = paths::module(self.module())?;
        Ok(filled.replace("{{MODULE}}", &module.display().to_string()))
    }
}

/// The configuration of the Envoy that answers for the target.
pub fn target() -> String {
    include_str!("../../../../envoy-configs/bench/upstream.yaml").to_owned()
}
