//! What a client shows of itself: a token, or signatures like those of every AWS client.

use std::time::SystemTime;

use anyhow::Context;
use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::{
    http_request::{sign, SignableBody, SignableRequest, SigningSettings},
    sign::v4,
};
use reqwest::{
    header::{HeaderName, HeaderValue, AUTHORIZATION},
    Request,
};

/// What requests are signed for. The region is not looked at.
const SERVICE: &str = "ferromesh";

/// What a client shows. Nothing prints it.
#[derive(Clone)]
pub(super) enum Credentials {
    /// Nothing.
    None,
    /// A bearer token.
    Token(String),
    /// An access key.
    Key { id: String, secret: String, region: String },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token",
            Self::Key { .. } => "Key",
        })
    }
}

impl Credentials {
    /// `FERROMESH_TOKEN`, or else `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. With `AWS_SESSION_TOKEN` these are a cloud's
    /// own, which mean nothing here.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        if let Some(token) = set("FERROMESH_TOKEN") {
            return Self::Token(token);
        }
        match (
            set("AWS_ACCESS_KEY_ID"),
            set("AWS_SECRET_ACCESS_KEY"),
            set("AWS_SESSION_TOKEN"),
        ) {
            (Some(id), Some(secret), None) => Self::Key {
                id,
                secret,
                region: set("AWS_REGION")
                    .or_else(|| set("AWS_DEFAULT_REGION"))
                    .unwrap_or_else(|| "us-east-1".to_owned()),
            },
            _ => Self::None,
        }
    }

    /// Whether others could use it who saw a request.
    pub(super) fn is_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// Adds it to a request.
    pub(super) fn add(&self, request: &mut Request) -> anyhow::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Token(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| anyhow::anyhow!("FERROMESH_TOKEN holds characters that no token has"))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
                Ok(())
            }
            Self::Key { id, secret, region } => {
                signed(request, id, secret, region).context("the request cannot be signed")
            }
        }
    }
}

fn signed(request: &mut Request, id: &str, secret: &str, region: &str) -> anyhow::Result<()> {
    let identity = AwsCredentials::new(id, secret, None, None, "environment").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let body = request
        .body()
        .and_then(reqwest::Body::as_bytes)
        .unwrap_or_default()
        .to_vec();
    let (method, url) = (request.method().as_str().to_owned(), request.url().as_str().to_owned());
    let signable = SignableRequest::new(&method, url, std::iter::empty(), SignableBody::Bytes(&body))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    for (name, text) in instructions.headers() {
        let mut value = HeaderValue::from_str(text)?;
        value.set_sensitive(name == "authorization");
        request
            .headers_mut()
            .insert(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Credentials {
        let value = |name: &str| {
            set.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Credentials::read(value)
    }

    #[test]
    fn a_token_goes_before_a_key_and_a_session_of_a_cloud_is_left_alone() {
        let key = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert!(matches!(of(&key), Credentials::Key { region, .. } if region == "us-east-1"));
        assert!(of(&[key[0], key[1], ("FERROMESH_TOKEN", "t")]).is_token());
        assert!(matches!(
            of(&[key[0], key[1], ("AWS_SESSION_TOKEN", "t")]),
            Credentials::None
        ));
        assert!(matches!(of(&key[..1]), Credentials::None));
    }

    #[test]
    fn a_signature_is_added_and_nothing_prints_the_secret() {
        let key = of(&[("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "hidden")]);
        let mut request = Request::new(reqwest::Method::GET, "http://localhost:1/v1/keys?a=b".parse().unwrap());
        key.add(&mut request).unwrap();
        let value = request.headers()[AUTHORIZATION].to_str().unwrap();
        assert!(value.starts_with("AWS4-HMAC-SHA256 Credential=AKIA1/"), "{value}");
        assert!(!format!("{key:?}{request:?}").contains("hidden"));
    }
}
