//! The table of leaves, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::leaves;
use super::sources::{self, ByName};

/// Every leaf with what sets and shows it.
pub struct Table {
    rows: Vec<Row>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

struct Row {
    leaf: String,
    golden: Vec<String>,
    traffic: Vec<String>,
    /// Why there is no traffic test.
    why: Option<String>,
}

impl Table {
    /// The table of a repository.
    ///
    /// # Errors
    /// When a case cannot be read.
    pub fn of(root: &Path) -> Result<Self> {
        let mut problems = Vec::new();
        let golden = sources::golden(root)?;
        let mut traffic = sources::cases(root, &mut problems)?;
        traffic.extend(sources::tests(root)?);
        let all = leaves::all();
        let known: BTreeSet<&String> = all.iter().collect();
        for (name, shown) in &traffic {
            let unknown = shown.iter().filter(|leaf| !known.contains(leaf));
            problems.extend(unknown.map(|leaf| format!("{name} says to show {leaf}, which is no leaf")));
        }
        let mut reasons = BTreeMap::new();
        for untested in sources::untested(root)? {
            for leaf in untested.leaves.iter().flat_map(|pattern| leaves::expand(pattern)) {
                if !known.contains(&leaf) {
                    problems.push(format!("{leaf} is listed as not tested, and is no leaf"));
                }
                reasons.insert(leaf, untested.why.clone());
            }
        }
        let mut rows = Vec::new();
        for leaf in all {
            let row = Row {
                golden: having(&golden, &leaf),
                traffic: having(&traffic, &leaf),
                why: reasons.remove(&leaf),
                leaf,
            };
            problems.extend(row.problems());
            rows.push(row);
        }
        Ok(Self { rows, problems })
    }

    /// As text: a line for each leaf, then a summary.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let list = |names: &[String]| match names {
            [] => "-".to_owned(),
            names => names.join(", "),
        };
        let width = |of: fn(&Row) -> usize| self.rows.iter().map(of).max().unwrap_or_default();
        let widest = width(|row| row.leaf.len());
        for row in &self.rows {
            let traffic = match &row.why {
                Some(why) => format!("not tested: {why}"),
                None => list(&row.traffic),
            };
            let golden = list(&row.golden);
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:widest$} | {golden} | {traffic}", row.leaf);
        }
        let count = |of: fn(&Row) -> bool| self.rows.iter().filter(|row| of(row)).count();
        let _ = writeln!(
            text,
            "{} leaves; {} set by a golden case, {} shown by traffic, {} not tested for a reason",
            self.rows.len(),
            count(|row| !row.golden.is_empty()),
            count(|row| !row.traffic.is_empty()),
            count(|row| row.why.is_some()),
        );
        text
    }
}

impl Row {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.golden.is_empty() {
            problems.push(format!("{} is set by no golden case", self.leaf));
        }
        match (self.traffic.as_slice(), &self.why) {
            ([], None) => problems.push(format!("{} is shown by no traffic test", self.leaf)),
            ([by, ..], Some(_)) => problems.push(format!("{} is listed as not tested, and {by} shows it", self.leaf)),
            _ => {}
        }
        problems
    }
}

fn having(by_name: &ByName, leaf: &str) -> Vec<String> {
    let holders = by_name.iter().filter(|(_, leaves)| leaves.contains(leaf));
    holders.map(|(name, _)| name.clone()).collect()
}
