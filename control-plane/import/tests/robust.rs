//! No input makes the readers panic, overflow the stack, or take very long.

use ferromesh_import::{read, Format, Options, Source};
use proptest::prelude::*;

const FILES: [&str; 7] = [
    "shop.json",
    "shop-cdk.template.json",
    "shop.template.yaml",
    "broken.template.yaml",
    "shop.k8s.yaml",
    "shop.tf",
    "shop.tfstate",
];

fn bytes(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/files")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads, and holds that something is said wherever nothing came out.
fn judged(name: &str, bytes: Vec<u8>, format: Option<Format>) {
    let options = Options {
        format,
        mesh: Some("m".to_owned()),
        ..Options::default()
    };
    let is_blank = bytes.iter().all(u8::is_ascii_whitespace);
    let imported = read(&[Source::new(name, bytes.clone())], &options);
    if imported.resources.is_empty() && imported.findings.is_empty() && !is_blank {
        let text = String::from_utf8_lossy(&bytes);
        let only_comments = text.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with(['#', '-', '%', '.', '/'])
        });
        // Configuration and templates may hold nothing of App Mesh, and a document may be null.
        let holds_nothing = name.ends_with(".tf") || text.contains("Resources") || text.contains("apiVersion");
        let is_null =
            matches!(text.trim(), "~" | "null" | "[]") || text.contains("Template") || text.contains("serial");
        assert!(
            only_comments || holds_nothing || is_null,
            "{name}: nothing is said of {text:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn truncated_and_damaged_files_are_findings(
        file in 0..FILES.len(),
        cut in 0.0..1.0_f64,
        damage in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 0..6),
    ) {
        let mut bytes = bytes(FILES[file]);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = |share: f64, length: usize| (share * length as f64) as usize;
        for (share, byte) in damage {
            let index = at(share, bytes.len());
            bytes[index] = byte;
        }
        bytes.truncate(at(cut, bytes.len()));
        let _ = read(&[Source::new(FILES[file], bytes)], &Options::default());
    }

    #[test]
    fn garbage_is_read_as_every_format(text in "[ -~\\n]{0,80}", noise in proptest::collection::vec(any::<u8>(), 0..60)) {
        for name in ["x", "x.json", "x.yaml", "x.tf", "x.tfstate"] {
            for format in [None, Some(Format::CloudFormation), Some(Format::Kubernetes), Some(Format::Terraform)] {
                let _ = read(&[Source::new(name, text.clone())], &Options { format, ..Options::default() });
            }
            let _ = read(&[Source::new(name, noise.clone())], &Options::default());
        }
    }
}

#[test]
fn structures_of_the_wrong_kind_are_findings() {
    for (name, text) in [
        ("a.yaml", "Resources: [1]\nAWSTemplateFormatVersion: x"),
        ("a.yaml", "Resources: {A: {Type: AWS::AppMesh::Route, Properties: [1]}}"),
        (
            "a.yaml",
            "Resources: {A: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: [1], Spec: 7, Tags: {a: b}}}}",
        ),
        (
            "a.yaml",
            "Resources: {A: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Sub '${', Spec: !If [a]}}}",
        ),
        (
            "a.yaml",
            "apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: 3\nspec: []",
        ),
        (
            "a.yaml",
            "apiVersion: appmesh.k8s.aws/v1beta1\nkind: Mesh\nmetadata: {name: a}",
        ),
        (
            "a.yaml",
            "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\nmetadata: {name: a}\nspec: {routes: [1]}",
        ),
        ("a.tfstate", r#"{"version": 3, "terraform_version": "0.11"}"#),
        (
            "a.tfstate",
            r#"{"version": 4, "terraform_version": "1", "resources": [{"type": "aws_appmesh_mesh", "instances": [{}]}]}"#,
        ),
        (
            "a.tf.json",
            r#"{"resource": {"aws_appmesh_mesh": {"a": {"name": "m"}}}}"#,
        ),
        ("a.tf", "resource \"aws_appmesh_mesh\" \"a\" {}"),
        (
            "a.tf",
            "resource \"aws_appmesh_mesh\" \"a\" {\n  name = [1]\n  for_each = 3\n}",
        ),
        ("a.tf", "resource {{{"),
        ("a.json", "{\"meshName\": 3}"),
        ("a.json", "[[[3]]]"),
    ] {
        let options = Options {
            mesh: Some("m".to_owned()),
            ..Options::default()
        };
        let imported = read(&[Source::new(name, text)], &options);
        assert!(imported.has_errors(), "{text}: {imported:?}");
        judged(name, text.as_bytes().to_vec(), None);
    }
}

#[test]
fn towers_bombs_and_loops_are_refused() {
    let chain = |link: &str, count: usize| link.repeat(count);
    let conditions: String = (0..60)
        .map(|index| format!("  C{}: !And [!Condition C{index}, !Condition C{index}]\n", index + 1))
        .collect();
    let doubled: String = (0..60)
        .map(|index| {
            format!("  N{}: {{Type: AWS::AppMesh::Mesh, Properties: {{MeshName: !Sub '${{N{index}.MeshName}}${{N{index}.MeshName}}'}}}}\n", index + 1)
        })
        .collect();
    for (name, text) in [
        ("a.json", chain("[", 100_000)),
        ("a.json", chain("{\"a\":", 100_000)),
        ("a.yaml", chain("[", 100_000)),
        ("a.yaml", chain("- ", 50_000)),
        ("a.tf", format!("a = {}", chain("[", 100_000))),
        ("a.tf", format!("a = {}1", chain("!", 100_000))),
        ("a.tf", format!("a = {}1", chain("1 ? 2 : ", 100_000))),
        ("a.tf", format!("a = \"{}", chain("${", 100_000))),
        ("a.tf", chain("a {\n", 100_000)),
        ("a.yaml", format!("Conditions:\n  C0: !Condition C60\n{conditions}Resources:\n  M: {{Type: AWS::AppMesh::Mesh, Condition: C60}}")),
        ("a.yaml", format!("Resources:\n  N0: {{Type: AWS::AppMesh::Mesh, Properties: {{MeshName: xxxxxxxx}}}}\n{doubled}")),
    ] {
        let imported = read(&[Source::new(name, text.clone())], &Options::default());
        assert!(imported.has_errors(), "{}: {:?}", &text[..60.min(text.len())], imported.findings);
    }
    let doubled: String = (0..60)
        .map(|index| format!("  a{} = \"${{local.a{index}}}${{local.a{index}}}\"\n", index + 1))
        .collect();
    let blocks = "resource \"aws_appmesh_mesh\" \"m\" {\n  name = local.a60\n  spec {}\n}\n";
    let text = format!("locals {{\n  a0 = \"xxxxxxxx\"\n{doubled}}}\n{blocks}");
    assert!(read(&[Source::new("a.tf", text)], &Options::default()).has_errors());
    // As deep as is read, which must fit a small stack.
    for text in [
        format!("locals {{\n  a = {}{}\n}}\n", chain("[", 60), chain("]", 60)),
        format!("locals {{\n  a = {}1{}\n}}\n", chain("(", 60), chain(")", 60)),
        format!("locals {{\n  a = 1{}\n}}\n", chain(" + 1", 120)),
    ] {
        let imported = read(&[Source::new("a.tf", text.clone())], &Options::default());
        assert!(!imported.has_errors(), "{:?}", imported.findings);
    }
}
