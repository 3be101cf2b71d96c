//! What came back for one request, and how it compares with what a case expects.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// gRPC's status, of a gRPC request.
    pub grpc: Option<u32>,
    /// The server that answered; Envoy's own answers name none.
    pub by: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Why there was no answer, or no whole one.
    pub failure: Option<String>,
    /// The certificate that the other side showed.
    pub certificate: Option<Vec<u8>>,
}

impl Reply {
    pub fn failed(why: impl ToString) -> Self {
        Self {
            failure: Some(why.to_string()),
            ..Self::default()
        }
    }

    /// The status, gRPC's where there is one, or `none`: what replies are counted by.
    pub fn outcome(&self) -> String {
        match (self.grpc, self.status, &self.failure) {
            (_, _, Some(_)) => "none".to_owned(),
            (Some(grpc), ..) => format!("grpc {grpc}"),
            (None, Some(status), _) => status.to_string(),
            (None, None, None) => "bytes".to_owned(),
        }
    }
}

/// A value that a header must have: this one, or none at all.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Header {
    Value(String),
    Absent(()),
}

/// The headers that differ from what is expected.
pub fn differing(expected: &BTreeMap<String, Header>, value: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let found = value(name);
        let expected = match expected {
            Header::Value(value) => Some(value),
            Header::Absent(()) => None,
        };
        if found.as_ref() != expected {
            wrong.push(format!("header {name}: expected {expected:?}, found {found:?}"));
        }
    }
    wrong
}
