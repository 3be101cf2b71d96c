//! The targets natively, many inputs for each: without the compiler's coverage an input costs a fraction of what it
//! costs under libFuzzer, and what is lost in guidance is said (see `report.rs`).
//!
//! `fuzz-native TARGET RUNS SEED CORPUS FAILED`: inputs begin with those in the folder `CORPUS` (libFuzzer's as well),
//! those that made a filter do something new are added to it, those that panic go to `FAILED`, with a smaller one
//! beside each that fails in the same place. `cargo xtask fuzz --native` builds it with overflow checks and debug
//! assertions and calls it for one target after the other.

mod corpus;
mod finding;
mod mutation;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ferromesh_fuzz::{run, tally, TARGETS};
use ferromesh_policy::vectors::Chance;
use ferromesh_policy::Draws;

use corpus::Corpus;
use finding::Findings;

/// An input that takes as long hangs; the slowest takes milliseconds.
const HANG: Duration = Duration::from_secs(60);
/// Different findings after which a target is given up.
const MAX_FINDINGS: usize = 10;

struct Arguments {
    name: String,
    target: fn(&[u8]),
    runs: u64,
    seed: u64,
    corpus: PathBuf,
    failed: PathBuf,
}

fn arguments() -> Result<Arguments, String> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [name, runs, seed, corpus, failed] = given.as_slice() else {
        return Err("usage: fuzz-native TARGET RUNS SEED CORPUS FAILED".to_owned());
    };
    let number = |text: &String| text.parse().map_err(|_| format!("{text:?} is no number"));
    let target = TARGETS.iter().find(|(target, _)| target == name);
    let names = || TARGETS.map(|(name, _)| name).join(", ");
    Ok(Arguments {
        name: name.clone(),
        target: target.ok_or_else(|| format!("{name:?} is not one of {}", names()))?.1,
        runs: number(runs)?,
        seed: number(seed)?,
        corpus: corpus.into(),
        failed: failed.into(),
    })
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match fuzz(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Inputs that were begun: what the watchdog looks at.
static BEGUN: AtomicU64 = AtomicU64::new(0);

fn fuzz(arguments: &Arguments) -> std::io::Result<usize> {
    let mut corpus = Corpus::read(&arguments.corpus)?;
    let mut findings = Findings::new(&arguments.name, &arguments.failed)?;
    let mut chance = Draws::from_seed(arguments.seed);
    finding::keep_panics();
    watch();
    let began = Instant::now();
    let mut told = Instant::now();
    let mut input = Vec::new();
    let mut done = 0;
    while done < arguments.runs && findings.len() < MAX_FINDINGS {
        match corpus.unread() {
            Some(known) => input = known,
            None if corpus.is_empty() || chance.once_in(6) => mutation::fresh(&mut chance, &mut input),
            None => mutation::changed(&mut chance, &corpus, &mut input),
        }
        let known = tally::behaviours();
        BEGUN.store(done + 1, Relaxed);
        findings.begin(&input)?;
        let held = std::panic::catch_unwind(|| run(arguments.target, &input));
        done += 1;
        if held.is_err() {
            findings.add(arguments.target, &input)?;
        } else if tally::behaviours() > known {
            corpus.add(&input)?;
        }
        if done % 1_024 == 0 && told.elapsed() > report::EVERY {
            told = Instant::now();
            eprintln!("{}", report::line(&arguments.name, done, began.elapsed()));
        }
    }
    findings.end()?;
    println!(
        "{}",
        report::table(&arguments.name, done, began.elapsed(), corpus.len(), findings.len())
    );
    Ok(findings.len())
}

/// Ends the process when one input does not end; the input is in the folder of those that failed.
fn watch() {
    std::thread::spawn(|| loop {
        let before = BEGUN.load(Relaxed);
        std::thread::sleep(HANG);
        if before > 0 && BEGUN.load(Relaxed) == before {
            eprintln!("error: input {before} does not end within {} seconds", HANG.as_secs());
            std::process::abort();
        }
    });
}
