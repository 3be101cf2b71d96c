//! What a module costs Envoy's start: CPU of a whole `envoy --mode validate` with the module as its only filter, less that
//! of one without.
//!
//! Envoy compiles each module before it listens, every function with V8's optimising compiler. What that takes grows with
//! the code, and faster with the size of a function: which is why the report shows the largest ones beside it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use crate::process;

/// Starts of each, of which the cheapest counts: others' work costs caches, and never less than nothing.
const STARTS: usize = 3;
/// Nothing that a start does takes as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Milliseconds of one tick of the CPU times in `/proc`: Linux shows hundredths of a second to all programs.
const TICK_MILLIS: u64 = 10;

/// Milliseconds of CPU, in steps of ten.
pub fn millis(envoy: &Path, module: &Path, scratch: &Path) -> Result<u64> {
    let with = least(envoy, Some(module), scratch)?;
    let without = least(envoy, None, scratch)?;
    Ok(with.saturating_sub(without))
}

fn least(envoy: &Path, module: Option<&Path>, scratch: &Path) -> Result<u64> {
    let file = scratch.join(format!("start-{}.json", std::process::id()));
    fs::write(&file, configuration(module)).with_context(|| format!("cannot write {}", file.display()))?;
    let mut least = u64::MAX;
    for _ in 0..STARTS {
        least = least.min(once(envoy, &file)?);
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    Ok(least)
}

fn once(envoy: &Path, configuration: &Path) -> Result<u64> {
    let mut command = Command::new(envoy);
    command
        .args([
            "--mode",
            "validate",
            "--concurrency",
            "1",
            "--log-level",
            "off",
            "--config-path",
        ])
        .arg(configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let line = process::line(&command);
    let mut child = command.spawn().with_context(|| format!("cannot start {line}"))?;
    let began = Instant::now();
    // A program that has ended and was not waited for still has its times.
    let stat = format!("/proc/{}/stat", child.id());
    let ticks = loop {
        let text = fs::read_to_string(&stat).with_context(|| format!("cannot read {stat}"))?;
        match ended(&text) {
            Some(ticks) => break ticks,
            None if began.elapsed() > PATIENCE => {
                child.kill().and_then(|()| child.wait())?;
                bail!("{line} does not end");
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let status = child.wait()?;
    ensure!(status.success(), "{line} ended with {status}");
    Ok(ticks * TICK_MILLIS)
}

/// The ticks of user and system time of a process that has ended (proc_pid_stat(5): state, utime and stime are fields 3,
/// 14 and 15; the name before them may hold anything).
fn ended(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    (fields.first() == Some(&"Z")).then_some(())?;
    Some(number(11)? + number(12)?)
}

fn configuration(module: Option<&Path>) -> String {
    let plugin = r#"{\"mesh\":\"m\",\"node\":\"n\",\"reporter\":\"source\"}"#;
    let filter = module.map(|module| {
        format!(
            r#"{{"name": "module", "typed_config": {{"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {{"vm_config": {{"runtime": "envoy.wasm.runtime.v8", "code": {{"local": {{"filename": {:?}}}}}}},
            "configuration": {{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "{plugin}"}}}}}}}},"#,
            module.display().to_string()
        )
    });
    format!(
        r#"{{"static_resources": {{"listeners": [{{
        "address": {{"socket_address": {{"address": "127.0.0.1", "port_value": 0}}}},
        "filter_chains": [{{"filters": [{{"name": "http", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "start", "route_config": {{}},
            "http_filters": [{} {{"name": "router", "typed_config": {{
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}]
        }}}}]}}]}}]}}}}"#,
        filter.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_times_when_it_has_ended() {
        let fields = "1 2 3 4 5 6 7 8 9 10 42 8 0";
        assert_eq!(ended(&format!("7 (en) voy) Z {fields}")), Some(50));
        assert_eq!(ended(&format!("7 (envoy) S {fields}")), None);
        assert_eq!(ended("7 (envoy) Z 1"), None);
    }
}
