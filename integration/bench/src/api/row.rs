//! One figure, and the table of them.

use std::fmt::Write;

use serde::Serialize;

/// One line of the JSON file.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Who was measured.
    pub server: String,
    /// Doing what.
    pub case: String,
    /// What of it; the unit stands in the name.
    pub metric: &'static str,
    /// The figure, to three digits that count or more.
    pub value: f64,
}

impl Row {
    /// A figure of ours.
    pub fn ferromesh(case: &str, metric: &'static str, value: f64) -> Self {
        Self::of("ferromesh", case, metric, value)
    }

    /// A figure.
    pub fn of(server: &str, case: &str, metric: &'static str, value: f64) -> Self {
        Self {
            server: server.to_owned(),
            case: case.to_owned(),
            metric,
            value: (value * 1000.0).round() / 1000.0,
        }
    }
}

/// One line for each figure.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<18} {:<26} {:<24} {:>12}", "server", "case", "metric", "value");
    for Row {
        server,
        case,
        metric,
        value,
    } in rows
    {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{server:<18} {case:<26} {metric:<24} {value:>12.3}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_its_line() {
        let rows = [Row::ferromesh("create, 1 connection", "per_second", 1234.56789)];
        assert_eq!(rows[0].value, 1234.568);
        assert!(table(&rows).ends_with("1234.568"), "{}", table(&rows));
        let json = serde_json::to_value(&rows[0]).unwrap();
        assert_eq!(json["metric"], "per_second");
    }
}
