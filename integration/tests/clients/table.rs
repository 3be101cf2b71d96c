//! The table of calls.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{json, Map, Value};

/// What all ARNs of the server's account begin with.
pub const ARN: &str = "arn:aws:appmesh:us-east-1:123456789012:";
/// The server's account.
pub const ACCOUNT: &str = "123456789012";

/// One call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The operation.
    pub call: String,
    /// The members of its input.
    pub input: Map<String, Value>,
    /// The error that it must get.
    #[serde(default)]
    pub refused: Option<String>,
    /// Items to a page, through the client's paginator.
    #[serde(default)]
    pub pages: Option<usize>,
    /// The spec as the server shows it, where that is not the one sent.
    #[serde(default)]
    pub added: Option<Value>,
}

impl Step {
    /// A call that must get an error.
    pub fn refused(call: &str, input: Value, error: &str) -> Self {
        Self {
            call: call.to_owned(),
            input: input.as_object().cloned().unwrap_or_default(),
            refused: Some(error.to_owned()),
            ..Self::default()
        }
    }

    /// What the client is told of it.
    pub fn told(&self) -> Value {
        let mut told = json!({"call": self.call, "input": self.input});
        if let Some(pages) = self.pages {
            told["pages"] = json!(pages);
        }
        told
    }

    /// The kind it is about as names of members have it: `virtualNode` for `ListVirtualNodes`; `None` for tags.
    pub fn kind(&self) -> Option<&'static str> {
        let (_, noun) = self.verb()?;
        KINDS.into_iter().find(|kind| {
            let named = |kind: &str| noun.eq_ignore_ascii_case(kind);
            named(kind) || named(&format!("{kind}s")) || named(&format!("{kind}es"))
        })
    }

    /// `Create` and `VirtualNode` of `CreateVirtualNode`; `None` for tags.
    pub fn verb(&self) -> Option<(&'static str, &str)> {
        let verbs = ["Create", "Describe", "Update", "Delete", "List"];
        let found = verbs
            .into_iter()
            .find_map(|verb| Some((verb, self.call.strip_prefix(verb)?)));
        found.filter(|(_, noun)| !noun.starts_with("Tags"))
    }

    /// A text member of the input, empty when it is not there.
    pub fn text(&self, member: &str) -> &str {
        self.input.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// What the ARN of a resource of this step's kind begins with, up to its name.
    pub fn collection(&self) -> String {
        let mesh = self.text("meshName");
        match self.kind() {
            Some("mesh") | None => format!("{ARN}mesh/"),
            Some("route") => format!(
                "{ARN}mesh/{mesh}/virtualRouter/{}/route/",
                self.text("virtualRouterName")
            ),
            Some("gatewayRoute") => {
                let gateway = self.text("virtualGatewayName");
                format!("{ARN}mesh/{mesh}/virtualGateway/{gateway}/gatewayRoute/")
            }
            Some(kind) => format!("{ARN}mesh/{mesh}/{kind}/"),
        }
    }

    /// The ARN of the resource that it is about.
    pub fn arn(&self) -> String {
        let name = format!("{}Name", self.kind().unwrap_or_default());
        format!("{}{}", self.collection(), self.text(&name))
    }
}

const KINDS: [&str; 7] = [
    "mesh",
    "virtualNode",
    "virtualRouter",
    "route",
    "virtualService",
    "virtualGateway",
    "gatewayRoute",
];

/// The steps of `steps.yaml`.
pub fn read() -> Result<Vec<Step>> {
    let text = include_str!("steps.yaml").replace("${arn}", ARN);
    let mut steps: Vec<Step> = serde_saphyr::from_str(&text).context("steps.yaml")?;
    for step in &mut steps {
        if step.input.get("tags").and_then(Value::as_str) == Some("49 tags") {
            let tags = (0..49).map(|number| json!({"key": format!("key {number}"), "value": ""}));
            step.input.insert("tags".into(), tags.collect());
        }
    }
    Ok(steps)
}

/// `{"a": 1}` of a list of `{"key": "a", "value": 1}`.
pub fn tags(list: &Value) -> BTreeMap<String, Value> {
    let tags = list.as_array().into_iter().flatten();
    tags.map(|tag| (tag["key"].as_str().unwrap_or_default().to_owned(), tag["value"].clone()))
        .collect()
}
