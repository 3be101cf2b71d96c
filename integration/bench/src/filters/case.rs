//! The cases of the filter benchmark and their Envoy configurations.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use ferromesh_integration::rig::paths;

/// What is compared with `native`: weights, retries and one response header by Envoy's own means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// `native` itself: what it is off from 1 is noise.
    Control,
    /// All that `core` does by Envoy's own means: a retry budget, trace context and metrics as well.
    NativeFull,
    /// A router and nothing else.
    Plain,
    /// A Wasm filter that is called at a stream's begin and end and does nothing: no filter costs less.
    FloorEmpty,
    /// A Wasm filter that makes the calls of `core` and decides nothing: no filter that does `core`'s work costs less.
    FloorCalls,
    /// Our fused filter: canary, trace context and metrics; retries and their budget natively.
    Core,
    /// The same with the policy on the route, where a proxy with many routes has it.
    CoreByRoute,
    /// `core` with the filter's own retry budget over a sliding window.
    CoreBudget,
    /// `core` with response headers that name route and target.
    CoreHeaders,
    /// Every feature of the fused filter.
    All,
    /// Our fused filter in the chain, switched off on the route.
    IdleRoute,
    /// What `core` does as a Lua script.
    Lua,
    /// What `core-budget` does as three filters in three VMs.
    Separate,
    /// `core` with the fused filter on the public SDK, whose dispatcher and calls ours are compared with.
    Sdk,
}

impl Case {
    pub const ALL: [Self; 14] = [
        Self::Control,
        Self::NativeFull,
        Self::Plain,
        Self::FloorEmpty,
        Self::FloorCalls,
        Self::Core,
        Self::CoreByRoute,
        Self::CoreBudget,
        Self::CoreHeaders,
        Self::All,
        Self::IdleRoute,
        Self::Lua,
        Self::Separate,
        Self::Sdk,
    ];

    /// The name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::NativeFull => "native-full",
            Self::Plain => "plain",
            Self::FloorEmpty => "floor-empty",
            Self::FloorCalls => "floor-calls",
            Self::Core => "core",
            Self::CoreByRoute => "core-by-route",
            Self::CoreBudget => "core-budget",
            Self::CoreHeaders => "core-headers",
            Self::All => "all",
            Self::IdleRoute => "idle-route",
            Self::Lua => "lua",
            Self::Separate => "separate",
            Self::Sdk => "sdk",
        }
    }

    /// The modules that run, by the places in the template that stand for them.
    fn modules(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Control | Self::NativeFull | Self::Plain | Self::Lua => &[],
            Self::FloorEmpty => &[("{{MODULE}}", "floor-empty")],
            Self::FloorCalls => &[("{{MODULE}}", "floor-calls")],
            Self::Core | Self::CoreByRoute | Self::CoreBudget => &[("{{MODULE}}", "mesh-lean")],
            Self::CoreHeaders | Self::All | Self::IdleRoute => &[("{{MODULE}}", "mesh")],
            Self::Separate => &[
                ("{{CANARY}}", "canary"),
                ("{{RETRY}}", "retry"),
                ("{{OBSERVABILITY}}", "observability"),
            ],
            Self::Sdk => &[("{{MODULE}}", "mesh-sdk")],
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Control => include_str!("../../../../envoy-configs/bench/native.yaml"),
            Self::NativeFull => include_str!("../../../../envoy-configs/bench/native-full.yaml"),
            Self::Plain => include_str!("../../../../envoy-configs/bench/plain.yaml"),
            Self::Core | Self::Sdk | Self::FloorEmpty | Self::FloorCalls => {
                include_str!("../../../../envoy-configs/bench/core.yaml")
            }
            Self::CoreByRoute => include_str!("../../../../envoy-configs/bench/core-by-route.yaml"),
            Self::CoreBudget => include_str!("../../../../envoy-configs/bench/core-budget.yaml"),
            Self::CoreHeaders => include_str!("../../../../envoy-configs/bench/core-headers.yaml"),
            Self::All => include_str!("../../../../envoy-configs/bench/all.yaml"),
            Self::IdleRoute => include_str!("../../../../envoy-configs/bench/idle-route.yaml"),
            Self::Lua => include_str!("../../../../envoy-configs/bench/lua.yaml"),
            Self::Separate => include_str!("../../../../envoy-configs/bench/separate.yaml"),
        }
    }

    /// The configuration of an Envoy that leads to a target at `host:port`. The floors' modules are written into
    /// `folder`.
    pub fn configuration(self, target: &str, folder: &Path) -> Result<String> {
        let port = target.rsplit(':').next().unwrap_or_default();
        let mut filled = self.template().replace("{{UPSTREAM_PORT}}", port);
        for (place, name) in self.modules() {
            let module = match self {
                Self::FloorEmpty => floor(folder, name, include_str!("floor-empty.wat"))?,
                Self::FloorCalls => floor(folder, name, include_str!("floor-calls.wat"))?,
                _ => paths::module(name)?,
            };
            filled = filled.replace(place, &module.display().to_string());
        }
        Ok(filled)
    }
}

/// The configuration of the Envoy that answers for the target.
pub fn target() -> String {
    include_str!("../../../../envoy-configs/bench/upstream.yaml").to_owned()
}

fn floor(folder: &Path, name: &str, text: &str) -> Result<std::path::PathBuf> {
    let file = folder.join(format!("{name}.wasm"));
    let module = wat::parse_str(text).with_context(|| format!("{name}.wat"))?;
    std::fs::write(&file, module).with_context(|| file.display().to_string())?;
    Ok(file)
}
