//! Reads meshes from the files in which users of App Mesh kept them, and writes them back.
//!
//! Four formats are read: dumps of `aws appmesh describe-…` (and create inputs), CloudFormation templates (CDK's
//! too), Kubernetes manifests of `appmesh.k8s.aws/v1beta2`, and Terraform configuration or state. Bytes go in,
//! resources and findings come out: nothing here opens a file or a connection. Whatever cannot be carried over is a
//! [`Finding`] with its place; nothing is dropped in silence.
//!
//! ```
//! use ferromesh_import::{read, Options, Source};
//!
//! let template = Source::new("mesh.yaml", r#"
//! Resources:
//!   Mesh: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Sub "${Stage}-mesh"}}
//! Parameters:
//!   Stage: {Type: String, Default: test}
//! "#);
//! let imported = read(&[template], &Options::default());
//! assert!(imported.findings.is_empty(), "{:?}", imported.findings);
//! assert_eq!(imported.resources[0].key.name, "test-mesh");
//! ```

mod check;
mod cloudformation;
mod convert;
mod describe;
mod detect;
mod document;
mod finding;
mod kubernetes;
mod resource;
mod spelling;
mod terraform;
pub mod write;

use std::collections::BTreeMap;

pub use detect::{detect, Format};
pub use finding::{Finding, Severity};
pub use resource::{Origin, Resource};

use finding::Report;

/// A shell script that takes a complete dump of a mesh with the AWS CLI, tags included, into one folder.
pub const DUMP_SCRIPT: &str = include_str!("dump.sh");

/// Largest text that is read, in bytes: a mesh of a thousand resources is some megabytes.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024 * 1024;

/// One file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path, for messages and to tell `.tf` from the rest; files of one folder are one Terraform module.
    pub name: String,
    /// Its content; bytes that are no UTF-8 are a finding.
    pub bytes: Vec<u8>,
}

impl Source {
    /// A file with a text.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into(),
        }
    }
}

/// What the files themselves do not say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format of all files; `None` finds each file's by its content.
    pub format: Option<Format>,
    /// The mesh of resources that name none.
    pub mesh: Option<String>,
    /// CloudFormation: parameters by name, pseudo parameters (`AWS::Region`), what `Ref` and `Fn::GetAtt` give for
    /// resources outside App Mesh (`Certificate`, `Service.Name`), and exports by their name.
    pub parameters: BTreeMap<String, String>,
    /// Terraform: variables by name, and what references outside App Mesh give (`aws_acm_certificate.web.arn`).
    pub variables: BTreeMap<String, String>,
    /// Kubernetes: labels of namespaces that are not among the files: namespace, then label, then value.
    pub namespace_labels: BTreeMap<String, BTreeMap<String, String>>,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// The resources; whatever is referred to stands before whatever refers.
    pub resources: Vec<Resource>,
    /// What could not be carried over, and what should be looked at.
    pub findings: Vec<Finding>,
}

impl Imported {
    /// Whether something was lost: the resources should not be applied as they are.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Reads files as one input: references go from any file to any other.
pub fn read(sources: &[Source], options: &Options) -> Imported {
    let mut report = Report::default();
    let loaded = document::load(sources, options.format, &mut report);
    let mut resources = Vec::new();
    resources.extend(describe::read(&loaded.described, options, &mut report));
    resources.extend(cloudformation::read(&loaded.templates, options, &mut report));
    resources.extend(kubernetes::read(&loaded.manifests, options, &mut report));
    resources.extend(terraform::read_states(&loaded.states, &mut report));
    resources.extend(terraform::read_modules(&loaded.modules, options, &mut report));
    check::all(&mut resources, &mut report);
    Imported {
        resources,
        findings: report.into_findings(),
    }
}
