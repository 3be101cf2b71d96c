//! Requests that must carry a signed token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{m, ANY, BOOLEAN, FIELD, FIELD_VALUE, PATH, TEXT};
use super::key_server::{RemoteJwks, REMOTE};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// JSON Web Tokens that requests must carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jwt {
    /// Whose tokens are known, at most 16. None with [`JwtRequirement::Off`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<JwtProvider>,
    /// Which of them must be there; [`JwtRequirement::Any`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<JwtRequirement>,
}

/// Which tokens must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JwtRequirement {
    /// A valid one of one of the providers.
    #[default]
    Any,
    /// A valid one of each of the providers.
    All,
    /// None, but one that is there must be valid.
    Optional,
    /// None: for a route that passes where a wider policy has asked for one.
    Off,
}

/// Whose tokens are known, and how they are verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtProvider {
    /// A name of one's own, unique among the policy's providers; it stands in Envoy's messages.
    pub name: String,
    /// The claim `iss`; whatever it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Values of the claim `aud`, one of which must be there, at most 32; whatever they are when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The public keys.
    pub jwks: Jwks,
    /// Headers that may carry the token, at most 8. Without these and `fromParams` it is `authorization: Bearer …` and the
    /// query parameter `access_token`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_headers: Vec<TokenHeader>,
    /// Query parameters that may carry the token, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_params: Vec<String>,
    /// Whether the token goes on to the target; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<bool>,
    /// Claims that go on as headers, at most 32. What clients send in them is removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_to_headers: Vec<ClaimHeader>,
}

/// Public keys (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Jwks {
    /// The key set itself: an object with `keys`. Private and symmetric keys are refused: policies can be read.
    Inline(Value),
    /// A file with the key set on the proxy's file system. Without it the proxy refuses the whole listener.
    File(String),
    /// A server from which the proxy fetches the key set.
    Remote(RemoteJwks),
}

/// A header that may carry a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenHeader {
    /// Its name.
    pub name: String,
    /// What stands before the token, `Bearer ` with its blank for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_prefix: Option<String>,
}

/// A claim that goes on as a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimHeader {
    /// The claim; dots lead into objects.
    pub claim: String,
    /// The header's name.
    pub header: String,
}

macro_rules! list {
    ($shape:ident, $name:literal, $member:ident, $max:literal) => {
        static $shape: Shape = Shape {
            name: $name,
            ty: Type::List {
                member: &$member,
                min: 0,
                max: Some($max),
            },
        };
    };
}

pub(super) static JWT: Shape = Shape {
    name: "Jwt",
    ty: Type::Structure(&[m("providers", &PROVIDERS, false), m("require", &REQUIRE, false)]),
};
static REQUIRE: Shape = Shape {
    name: "JwtRequirement",
    ty: Type::Enum(&["any", "all", "optional", "off"]),
};
static PROVIDER: Shape = Shape {
    name: "JwtProvider",
    ty: Type::Structure(&[
        m("name", &TEXT, true),
        m("issuer", &TEXT, false),
        m("audiences", &AUDIENCES, false),
        m("jwks", &JWKS, true),
        m("fromHeaders", &FROM_HEADERS, false),
        m("fromParams", &FROM_PARAMS, false),
        m("forward", &BOOLEAN, false),
        m("claimToHeaders", &CLAIMS, false),
    ]),
};
static JWKS: Shape = Shape {
    name: "Jwks",
    ty: Type::Union(&[
        m("inline", &ANY, false),
        m("file", &PATH, false),
        m("remote", &REMOTE, false),
    ]),
};
static TOKEN_HEADER: Shape = Shape {
    name: "TokenHeader",
    ty: Type::Structure(&[m("name", &FIELD, true), m("valuePrefix", &FIELD_VALUE, false)]),
};
static CLAIM_HEADER: Shape = Shape {
    name: "ClaimHeader",
    ty: Type::Structure(&[m("claim", &TEXT, true), m("header", &FIELD, true)]),
};
list!(PROVIDERS, "JwtProviders", PROVIDER, 16);
list!(AUDIENCES, "Audiences", TEXT, 32);
list!(FROM_HEADERS, "FromHeaders", TOKEN_HEADER, 8);
list!(FROM_PARAMS, "FromParams", TEXT, 8);
list!(CLAIMS, "ClaimToHeaders", CLAIM_HEADER, 32);

impl Jwt {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let off = self.require == Some(JwtRequirement::Off);
        if off != self.providers.is_empty() {
            let message = if off {
                "must be left out where require is off"
            } else {
                "must have at least 1 element, unless require is off"
            };
            found.push(Violation::new("providers", message));
        }
        let mut names = BTreeSet::new();
        for (index, provider) in self.providers.iter().enumerate() {
            let path = format!("providers[{index}]");
            if !names.insert(&provider.name) {
                let message = format!("must be unique, {:?} occurs twice", provider.name);
                found.push(Violation::new(format!("{path}.name"), message));
            }
            found.extend(provider.check().into_iter().map(|violation| violation.under(&path)));
        }
        found
    }
}

impl JwtProvider {
    fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let (member, problems) = match &self.jwks {
            Jwks::Inline(keys) => ("jwks.inline", check_keys(keys)),
            Jwks::Remote(remote) => ("jwks.remote", remote.check()),
            Jwks::File(_) => ("jwks.file", Vec::new()),
        };
        found.extend(problems.into_iter().map(|violation| violation.under(member)));
        for (index, claim) in self.claim_to_headers.iter().enumerate() {
            let problem = super::check::steers(&claim.header);
            found.extend(problem.map(|problem| Violation::new(format!("claimToHeaders[{index}].header"), problem)));
        }
        found
    }
}

fn check_keys(set: &Value) -> Vec<Violation> {
    let Some(keys) = set
        .get("keys")
        .and_then(Value::as_array)
        .filter(|keys| !keys.is_empty())
    else {
        return vec![Violation::new(
            "",
            "must be an object with at least one element in keys",
        )];
    };
    let mut found = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let kind = key.get("kty").and_then(Value::as_str);
        if !matches!(kind, Some("RSA" | "EC" | "OKP")) {
            let message = format!("must be one of RSA, EC, OKP, is {}", kind.unwrap_or("none"));
            found.push(Violation::new(format!("keys[{index}].kty"), message));
        }
        if key.get("d").is_some() {
            let message = "must be left out: it is the private part of the key, and policies can be read";
            found.push(Violation::new(format!("keys[{index}].d"), message));
        }
    }
    found
}
