//! Resources as files of the formats that are read.
//!
//! What is written here and read again gives the same names, specs and tags; what a format has no place for is a
//! finding.

mod cloudformation;
mod describe;
mod kubernetes;
mod respell;
mod yaml;

pub use cloudformation::cloudformation;
pub use describe::describe;
pub use kubernetes::kubernetes;

use crate::{resource::Resource, Finding, Severity};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder: letters, digits, `-`, `_` and `.` alone.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Files, and what they cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The files, in the order in which they are read.
    pub files: Vec<File>,
    /// What the format cannot carry.
    pub findings: Vec<Finding>,
}

/// The create inputs, one file a resource: what `ferromesh apply -f` and `aws appmesh create-… --cli-input-json` take.
pub fn create_inputs(resources: &[Resource]) -> Written {
    let mut names = Names::default();
    let file = |resource: &Resource| File {
        name: names.file(resource),
        text: pretty(&resource.create_input()),
    };
    Written {
        files: resources.iter().map(file).collect(),
        findings: Vec::new(),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    // A value without odd keys is always writable.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Names of files, in the order of creation.
#[derive(Debug, Default)]
struct Names {
    last: usize,
}

impl Names {
    fn file(&mut self, resource: &Resource) -> String {
        self.last += 1;
        let kind = match resource.key.kind.shape_name() {
            "Mesh" => "mesh".to_owned(),
            name => name
                .chars()
                .enumerate()
                .flat_map(|(index, letter)| {
                    let dash = (index > 0 && letter.is_ascii_uppercase()).then_some('-');
                    dash.into_iter().chain([letter.to_ascii_lowercase()])
                })
                .collect(),
        };
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
                letter
            } else {
                '-'
            }
        };
        // The number tells apart what the letters do not.
        let name: String = resource.key.name.chars().map(plain).take(80).collect();
        format!("{:04}-{kind}-{name}.json", self.last)
    }
}

/// A finding about a resource that is written.
fn finding(severity: Severity, file: &str, resource: &Resource, path: &str, reason: &str) -> Finding {
    Finding {
        severity,
        file: file.to_owned(),
        line: None,
        subject: resource.key.resource_part(),
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
