//! Results as a table, JSON or YAML.

use serde::Serialize;

use super::http::CallError;
use crate::exit::Exit;

/// Ends a command with an answer, or with what kept the server from giving one; `about` stands before that, unless it is
/// empty.
///
/// # Errors
/// Output cannot be written.
pub fn finish<T>(
    answered: Result<T, CallError>,
    about: &str,
    show: impl FnOnce(&T) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    match answered {
        Ok(answer) => {
            show(&answer)?;
            Ok(Exit::Success)
        }
        Err(error) => {
            let separator = if about.is_empty() { "" } else { ": " };
            eprintln!("error: {about}{separator}{error}");
            Ok(Exit::Failure)
        }
    }
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Columns for people.
    Table,
    /// One JSON value.
    Json,
    /// One YAML document.
    Yaml,
}

/// Rows under a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the heading are left out. Control characters are shown as escapes, so that a name
    /// cannot write on the terminal.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let visible = |cell: String| -> String {
            if cell.chars().any(char::is_control) {
                cell.escape_debug().to_string()
            } else if cell.is_empty() {
                "-".to_owned()
            } else {
                cell
            }
        };
        let cells = cells.into_iter().map(visible);
        self.rows.push(cells.take(self.heading.len()).collect());
    }

    /// The lines of the table, columns aligned, without blanks at the ends.
    pub fn lines(&self) -> Vec<String> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.heading[column].len())
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        let mut lines = vec![line(&mut self.heading.iter().copied())];
        lines.extend(self.rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        lines
    }
}

/// Prints `value`, or `table` where a table is asked for.
///
/// # Errors
/// The value cannot be written in the form.
pub fn print(form: Form, value: &impl Serialize, table: impl FnOnce() -> Table) -> anyhow::Result<()> {
    let text = match form {
        Form::Table => table().lines().join("\n") + "\n",
        Form::Json => serde_json::to_string_pretty(value)? + "\n",
        Form::Yaml => serde_saphyr::to_string(value)?,
    };
    write(&text)
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
///
/// # Errors
/// What the system says.
pub fn write(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_visible() {
        let mut table = Table::new(&["NAME", "V"]);
        table.row(["a-long-name".to_owned(), "1".to_owned()]);
        table.row(["x\u{1b}[31m".to_owned(), String::new(), "too many".to_owned()]);
        let expected = ["NAME         V", "a-long-name  1", "x\\u{1b}[31m  -"];
        assert_eq!(table.lines(), expected);
    }
}
