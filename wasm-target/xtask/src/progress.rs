//! What a person sees while something takes long. All of it goes to stderr: stdout belongs to results.

use std::time::{Duration, Instant};

/// Announces a step.
pub fn step(message: impl std::fmt::Display) {
    eprintln!("==> {message}");
}

/// Wall time of the phases of one command, for the summary at its end.
pub struct Phases {
    began: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Phases {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Runs one phase under its name.
    pub fn run<T>(&mut self, name: &'static str, phase: impl FnOnce() -> T) -> T {
        step(name);
        let began = Instant::now();
        let result = phase();
        self.done.push((name, began.elapsed()));
        result
    }

    /// One line per phase and one for the sum.
    pub fn summary(&self) -> String {
        let mut text = String::from("wall time\n");
        let total = ("total", self.began.elapsed());
        for (name, time) in self.done.iter().chain(std::iter::once(&total)) {
            text.push_str(&format!("  {name:<24} {:>7.1} s\n", time.as_secs_f64()));
        }
        text
    }
}
