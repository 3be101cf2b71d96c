//! Rows of figures: what was measured, the median of the rounds, and how far the rounds lie apart.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// One figure of one round.
#[derive(Clone, Debug)]
pub struct Taken {
    pub server: String,
    pub proxies: usize,
    pub clusters: usize,
    pub case: String,
    pub metric: &'static str,
    pub value: f64,
}

/// One line of the JSON file: the median of the rounds.
#[derive(Debug, Serialize)]
pub struct Row {
    pub server: String,
    pub proxies: usize,
    pub clusters: usize,
    pub case: String,
    pub metric: &'static str,
    pub value: f64,
    pub min: f64,
    pub max: f64,
}

/// The medians, in the order of their first round.
pub fn rows(taken: Vec<Taken>) -> Vec<Row> {
    let mut order = Vec::new();
    let mut values: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for one in taken {
        let key = (one.server, one.proxies, one.clusters, one.case, one.metric);
        let of_key = values.entry(key.clone()).or_default();
        if of_key.is_empty() {
            order.push(key);
        }
        of_key.push(one.value);
    }
    let row = |key: (String, usize, usize, String, &'static str)| {
        let mut values = values.get(&key).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        let (server, proxies, clusters, case, metric) = key;
        Row {
            server,
            proxies,
            clusters,
            case,
            metric,
            value: rounded(values.get(values.len() / 2).copied().unwrap_or_default()),
            min: rounded(values.first().copied().unwrap_or_default()),
            max: rounded(values.last().copied().unwrap_or_default()),
        }
    };
    order.into_iter().map(row).collect()
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A line for each case and metric, a column for each server.
pub fn table(rows: &[Row]) -> String {
    let mut servers: Vec<&str> = Vec::new();
    let mut lines: Vec<(usize, usize, &str, &str)> = Vec::new();
    for row in rows {
        let line = (row.proxies, row.clusters, row.case.as_str(), row.metric);
        if !servers.contains(&row.server.as_str()) {
            servers.push(&row.server);
        }
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let mut text = format!("{:>7} {:>8}  {:<18} {:<18}", "proxies", "clusters", "case", "metric");
    for server in &servers {
        let _ = write!(text, "  {server:<28}");
    }
    for line in lines {
        let (proxies, clusters, case, metric) = line;
        let _ = write!(text, "\n{proxies:>7} {clusters:>8}  {case:<18} {metric:<18}");
        for server in &servers {
            let of = |row: &&Row| {
                (row.proxies, row.clusters, row.case.as_str(), row.metric) == line && row.server == *server
            };
            let cell = rows
                .iter()
                .find(of)
                .map_or_else(String::new, |row| format!("{} [{}–{}]", row.value, row.min, row.max));
            let _ = write!(text, "  {cell:<28}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_median_of_its_rounds_and_a_line_has_all_servers() {
        let one = |server: &str, value| Taken {
            server: server.to_owned(),
            proxies: 2,
            clusters: 3,
            case: "storm".to_owned(),
            metric: "cpu_s",
            value,
        };
        let rows = rows(vec![one("a", 3.0), one("b", 7.0), one("a", 1.0), one("a", 2.0)]);
        assert_eq!(
            (rows.len(), rows[0].value, rows[0].min, rows[0].max),
            (2, 2.0, 1.0, 3.0)
        );
        let table = table(&rows);
        assert!(
            table
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains("2 [1–3]") && line.contains("7 [7–7]")),
            "{table}"
        );
    }
}
