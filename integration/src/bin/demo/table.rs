//! The table: a live line for the second that just passed, and a row for each thing that happened.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use ferromesh_integration::load::Report;

/// A finished part of the story.
pub struct Row<'a> {
    pub what: &'a str,
    /// Blue and green, out of 100.
    pub weights: [u32; 2],
    pub report: &'a Report,
    pub retries: u64,
    pub note: String,
}

pub fn head() {
    println!(
        "  {:<26} {:>8}  {:>15}  {:>15}  {:>7}  {:>8} {:>8}  {:>6}",
        "", "requests", "blue (weight)", "green (weight)", "retries", "p50", "p99", "failed"
    );
}

pub fn row(row: &Row) {
    clear();
    let Row {
        what,
        weights,
        report,
        retries,
        note,
    } = row;
    println!(
        "  {what:<26} {:>8}  {:>15}  {:>15}  {retries:>7}  {:>8} {:>8}  {:>6}  {note}",
        report.len(),
        format!("{:.1} % ({})", share(report, "blue"), weights[0]),
        format!("{:.1} % ({})", share(report, "green"), weights[1]),
        millis(report.latency(50.0)),
        millis(report.latency(99.0)),
        report.failures().count(),
    );
}

/// The last second, on a terminal only: in a log it would be noise.
pub fn live(what: &str, last_second: &Report) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    print!(
        "\r  {what:<26} {:>6}/s  {:>15}  {:>15}  {:>7}  {:>8} {:>8}  {:>6} ",
        last_second.len(),
        format!("{:.1} %     ", share(last_second, "blue")),
        format!("{:.1} %     ", share(last_second, "green")),
        "",
        millis(last_second.latency(50.0)),
        millis(last_second.latency(99.0)),
        last_second.failures().count(),
    );
    // A terminal that is gone shows nothing anyway.
    let _ = std::io::stdout().flush();
}

fn clear() {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K");
    }
}

fn share(report: &Report, colour: &str) -> f64 {
    let hits = report.notes().get(colour).copied().unwrap_or(0);
    100.0 * hits as f64 / report.len().max(1) as f64
}

fn millis(latency: Duration) -> String {
    format!("{:.1} ms", latency.as_secs_f64() * 1e3)
}
