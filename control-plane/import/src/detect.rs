//! Which format a file has, by its content.

use serde_json::Value;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Outputs of `aws appmesh describe-…`, or inputs of `create-…`.
    Describe,
    /// A CloudFormation template, written by hand or by CDK.
    CloudFormation,
    /// Manifests of `appmesh.k8s.aws/v1beta2`.
    Kubernetes,
    /// Terraform configuration, state, or `terraform show -json`.
    Terraform,
}

/// How a text is to be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    Json,
    Yaml,
    Hcl,
}

/// First words of a Terraform file's blocks.
const BLOCKS: [&str; 10] = [
    "resource",
    "variable",
    "locals",
    "provider",
    "terraform",
    "module",
    "data",
    "output",
    "moved",
    "import",
];

/// How the text of a file is to be parsed: by the name's ending if it has one of ours, else by its first words.
pub fn text(name: &str, text: &str) -> Text {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    match ending {
        "tf" | "tfvars" | "hcl" => Text::Hcl,
        "json" | "tfstate" => Text::Json,
        "yaml" | "yml" => Text::Yaml,
        _ if text.trim_start().starts_with(['{', '[']) => Text::Json,
        _ if begins_as_hcl(text) => Text::Hcl,
        _ => Text::Yaml,
    }
}

fn begins_as_hcl(text: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//"));
    let Some(line) = lines.next() else { return false };
    BLOCKS.iter().any(|word| {
        line.strip_prefix(word)
            .is_some_and(|rest| rest.trim_start().starts_with(['"', '{']) && !rest.starts_with(':'))
    })
}

/// The format of a value, where it shows; describe output has no mark of its own.
pub fn value(value: &Value) -> Option<Format> {
    let members = value.as_object()?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if text("apiVersion").is_some() && text("kind").is_some() {
        return Some(Format::Kubernetes);
    }
    let resources = members.get("Resources").and_then(Value::as_object);
    if members.contains_key("AWSTemplateFormatVersion")
        || resources.is_some_and(|resources| resources.values().any(|resource| resource.get("Type").is_some()))
    {
        return Some(Format::CloudFormation);
    }
    let is_state = members.contains_key("terraform_version")
        || (members.contains_key("lineage") && members.contains_key("serial"))
        || (members.contains_key("format_version") && members.contains_key("values"))
        // Terraform's JSON syntax: recognised, to be refused by its name.
        || members.get("resource").and_then(Value::as_object).is_some_and(|types| {
            types.keys().any(|name| name.starts_with("aws_"))
        });
    is_state.then_some(Format::Terraform)
}

/// The format of a whole file, where it shows: describe outputs show by the tags or lists among them, and one that
/// stands alone does not. `None` is also something that none of the formats has; a text that cannot be parsed gives
/// what its name and first words say.
pub fn detect(name: &str, bytes: &[u8]) -> Option<Format> {
    let text = std::str::from_utf8(bytes).ok()?;
    let source = crate::Source::new(name, text);
    let loaded = crate::document::load(&[source], None, &mut crate::finding::Report::default());
    if !loaded.modules.is_empty() || !loaded.states.is_empty() {
        Some(Format::Terraform)
    } else if !loaded.templates.is_empty() {
        Some(Format::CloudFormation)
    } else if !loaded.manifests.is_empty() {
        Some(Format::Kubernetes)
    } else {
        let is_dump = |document: &crate::document::Document| crate::describe::is_part_of_dump(&document.value);
        loaded.described.iter().any(is_dump).then_some(Format::Describe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found_by_content() {
        for (name, text, format) in [
            ("a.json", r#"{"meshName": "m", "spec": {}}"#, None),
            (
                "a.json",
                r#"{"meshName": "m", "spec": {}} {"tags": []}"#,
                Some(Format::Describe),
            ),
            ("a.json", r#"{"meshes": [{"meshName": "m"}]}"#, Some(Format::Describe)),
            (
                "a.json",
                r#"{"Resources": {"A": {"Type": "AWS::AppMesh::Mesh"}}}"#,
                Some(Format::CloudFormation),
            ),
            (
                "a",
                "AWSTemplateFormatVersion: 2010-09-09\nResources: {}",
                Some(Format::CloudFormation),
            ),
            (
                "a.yml",
                "apiVersion: v1\nkind: List\nitems: []",
                Some(Format::Kubernetes),
            ),
            (
                "a",
                "# c\nresource \"aws_appmesh_mesh\" \"a\" {}",
                Some(Format::Terraform),
            ),
            ("a.tf", "", Some(Format::Terraform)),
            (
                "a",
                r#"{"version": 4, "terraform_version": "1.5.0"}"#,
                Some(Format::Terraform),
            ),
            ("a", "resource: {a: 1}", None),
            ("a", "\u{1}\u{2}", None),
        ] {
            assert_eq!(detect(name, text.as_bytes()), format, "{name} {text}");
        }
    }
}
