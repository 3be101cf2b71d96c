//! `CASES.md` says which tests show which case of the protocol. This holds it to that: every case has its row, and what a row
//! names is a test that exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const CASES: usize = 46;
const CLIENTS: [&str; 3] = ["own client", "grpcio", "Envoy"];

struct Row {
    number: usize,
    title: String,
    /// One for each client.
    cells: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(folder().join("CASES.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let mut cells = cells(line);
        let Ok(number) = cells[0].parse() else { continue };
        assert_eq!(cells.len(), 2 + CLIENTS.len(), "case {number}: a cell for each client");
        let rest = cells.split_off(2);
        rows.push(Row {
            number,
            title: cells.remove(1),
            cells: rest,
        });
    }
    rows
}

/// The references in a cell, `file::function` between backticks.
fn references(cell: &str) -> Vec<(String, String)> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted
        .map(|reference| {
            let (file, function) = reference
                .rsplit_once("::")
                .unwrap_or_else(|| panic!("`{reference}` names no function"));
            (file.to_owned(), function.to_owned())
        })
        .collect()
}

/// Relative to this folder, or from the repository's root when it begins with a slash.
fn path_of(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match file.strip_prefix('/') {
        Some(from_root) => root.join(format!("{from_root}.rs")),
        None => folder().join(format!("{file}.rs")),
    }
}

/// Whether the file has a test of that name: a function with an attribute of a test, or one in `proptest!`.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_function = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(function))
            .is_some_and(|rest| rest.starts_with('('))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let attributes = lines[..at].iter().rev().take_while(|before| before.starts_with("#["));
        is_function(line)
            && attributes
                .into_iter()
                .any(|a| a.starts_with("#[test]") || a.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_case_has_its_row_in_order() {
    let numbers: Vec<usize> = rows().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>());
}

#[test]
fn every_case_is_shown_by_some_client_and_where_one_cannot_the_reason_is_given() {
    for row in rows() {
        let mut shown = 0;
        for (client, cell) in CLIENTS.iter().zip(&row.cells) {
            let has_reason = cell.strip_prefix("no: ").is_some_and(|reason| reason.len() >= 15);
            let tests = references(cell).len();
            shown += tests;
            assert!(
                (tests > 0) != cell.starts_with("no: ") && (tests > 0 || has_reason),
                "case {} ({}), {client}: `{cell}` names neither a test nor a reason",
                row.number,
                row.title
            );
        }
        assert!(shown > 0, "case {} ({}) is shown by no test", row.number, row.title);
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut missing = BTreeSet::new();
    for row in rows() {
        for (file, function) in row.cells.iter().flat_map(|cell| references(cell)) {
            let path = path_of(&file);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if !has_test(&text, &function) {
                missing.insert(format!(
                    "case {}: {} has no test `{function}`",
                    row.number,
                    path.display()
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn tests_are_told_from_other_functions() {
    let text = "#[test]\nfn one() {}\nfn two() {}\n    #[tokio::test(flavor = \"x\")]\n    async fn three() {}\n// fn four() {}";
    let found = ["one", "two", "three", "four", "on"].map(|name| has_test(text, name));
    assert_eq!(found, [true, false, true, false, false]);
}
