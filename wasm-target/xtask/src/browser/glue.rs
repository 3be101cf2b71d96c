//! `browser-glue MODULE NAME FOLDER TARGET…`: the JavaScript around a module that wasm-bindgen prepared, once for
//! each target (`nodejs`, `web`), in a folder of that name.
//!
//! By wasm-bindgen's library, because its command line takes five times as long to compile.

use std::env;
use std::path::Path;

use anyhow::{bail, ensure, Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, name, folder, targets @ ..] = arguments.as_slice() else {
        bail!("usage: browser-glue MODULE NAME FOLDER TARGET…");
    };
    ensure!(!targets.is_empty(), "name at least one target: nodejs or web");
    for target in targets {
        let mut bindgen = Bindgen::new();
        bindgen.input_path(module).out_name(name).typescript(true);
        match target.as_str() {
            "nodejs" => bindgen.nodejs(true)?,
            "web" => bindgen.web(true)?,
            other => bail!("target {other:?} is not one of nodejs, web"),
        };
        bindgen
            .generate(Path::new(folder).join(target))
            .with_context(|| format!("cannot make the glue of {module} for {target}"))?;
    }
    Ok(())
}
