//! JSON values, one after the other, with their lines.

use serde_json::Value;

use super::{below, Document, Lines};
use crate::finding::{Place, Report, Severity};

/// All values of a text; `serde_json` itself refuses more than 128 levels.
pub fn documents(file: &str, text: &str, report: &mut Report) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut start = 0;
    let mut line = 1;
    while let Some(next) = stream.next() {
        let value = match next {
            Ok(value) => value,
            Err(error) => {
                let at = u32::try_from(error.line()).ok();
                report.file(Severity::Error, file, at, format!("it is no JSON: {error}"));
                return documents;
            }
        };
        let end = stream.byte_offset();
        let part = text.get(start..end).unwrap_or_default();
        let mut scan = Scan {
            bytes: part.as_bytes(),
            at: 0,
            line,
            lines: Lines::default(),
            twice: Vec::new(),
        };
        scan.value("");
        for path in &scan.twice {
            let place = Place {
                file,
                lines: &scan.lines,
                subject: "",
            };
            report.error(
                place,
                path,
                "the member stands twice in one object: which is meant, nobody can know",
            );
        }
        line = scan.line;
        start = end;
        documents.push(Document {
            file: file.to_owned(),
            value,
            lines: scan.lines,
        });
    }
    documents
}

/// Walks over text that is known to be JSON. Whatever else it meets, it ends without a panic.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    lines: Lines,
    twice: Vec<String>,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                other => return Some(*other),
            }
            self.at += 1;
        }
        None
    }

    fn value(&mut self, path: &str) {
        let first = self.peek();
        self.lines.set(path, self.line);
        match first {
            Some(b'{') => self.object(path),
            Some(b'[') => self.array(path),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|byte| !b",]} \t\r\n".contains(byte))
                {
                    self.at += 1;
                }
            }
        }
    }

    fn object(&mut self, path: &str) {
        let mut seen = std::collections::HashSet::new();
        self.at += 1;
        while self.peek() == Some(b'"') {
            let member = self.string();
            let path = below(path, &member);
            self.lines.set(&path, self.line);
            if !seen.insert(member) {
                self.twice.push(path.clone());
            }
            if self.peek() == Some(b':') {
                self.at += 1;
            }
            self.value(&path);
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn array(&mut self, path: &str) {
        self.at += 1;
        let mut index = 0;
        while !matches!(self.peek(), None | Some(b']')) {
            let before = self.at;
            self.value(&format!("{path}[{index}]"));
            index += 1;
            if self.peek() == Some(b',') {
                self.at += 1;
            }
            if self.at == before {
                return;
            }
        }
        self.at += 1;
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                b'"' => break,
                _ => 1,
            };
        }
        self.at += 1;
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(raw).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line() {
        let mut report = Report::default();
        let text = "{\n \"a\": [1,\n  {\"b\\n\": null}],\n \"c\": \"x\"}\n\n{\"d\":\n2}";
        let documents = documents("f", text, &mut report);
        assert!(report.into_findings().is_empty());
        let line = |index: usize, path: &str| documents[index].lines.at(path);
        assert_eq!(line(0, ""), Some(1));
        assert_eq!(line(0, "a"), Some(2));
        assert_eq!(line(0, "a[1].b\n"), Some(3));
        assert_eq!(line(0, "c.unknown[3].below"), Some(4));
        assert_eq!(line(1, ""), Some(6));
        assert_eq!(line(1, "d"), Some(6));
    }

    #[test]
    fn a_member_that_stands_twice_is_an_error() {
        let mut report = Report::default();
        documents("f", "{\"a\": 1,\n\"a\": 2}", &mut report);
        let findings = report.into_findings();
        assert!(
            findings[0]
                .to_string()
                .starts_with("f:1: error: a: the member stands twice"),
            "{findings:?}"
        );
    }
}
