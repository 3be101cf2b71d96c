//! AWS Signature Version 4: what a request claims, and whether its signature is that of the key it names.
//!
//! The signature is made again with the key's secret, by the library that AWS' own clients are built with, and compared. What
//! is signed: method, path as it was sent (encoded once more), query, the headers that the client names, and a hash of the
//! body. Host, time and whatever says what is asked for must be among them.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{sign, SignableBody, SignableRequest, SignatureLocation, SigningSettings};
use aws_sigv4::sign::v4;
use http::{header, HeaderMap};
use subtle::ConstantTimeEq;

use crate::access::Channel;
use crate::request::Request;
use crate::{percent, ApiError, ErrorKind};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const CONTENT_HASH: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// How far a client's clock may be from ours, as AWS has it.
const SKEW_SECONDS: i64 = 15 * 60;
/// Longest life of a presigned request, as AWS has it.
const MAX_EXPIRES: u64 = 7 * 24 * 3600;
/// Most bytes of path and query of a signed request. Encoded once more they must stay below 64 KiB.
const MAX_TARGET: usize = 8 << 10;
/// What requests are signed for: both of AWS' services that are answered here, and our own name.
const SERVICES: [&str; 3] = ["appmesh", "servicediscovery", "ferromesh"];
/// Headers that say what is asked for: unsigned, somebody between could change it.
const MEANINGFUL: [&str; 3] = ["x-amz-target", CONTENT_HASH, "if-match"];
/// Members of a presigned request's query.
const PRESIGNED: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// What a signed request claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: String,
    region: String,
    service: String,
    /// When it was signed, in seconds since 1970.
    at: i64,
    signed_headers: Vec<String>,
    signature: String,
    /// Life of a presigned request, in seconds.
    expires: Option<u64>,
}

fn incomplete(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::IncompleteSignature, message)
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidSignature, message)
}

impl Claim {
    /// The claim of a request; `None` if it is not signed.
    pub(crate) fn read(request: &Request) -> Result<Option<Self>, ApiError> {
        let members = request.query_members()?;
        let is_presigned = members.contains_key("X-Amz-Signature");
        let authorization = request.headers.get(header::AUTHORIZATION);
        let claim = match authorization.map(|value| value.to_str().unwrap_or_default()) {
            Some(text) if text.starts_with(ALGORITHM) => Self::of_header(text, &request.headers)?,
            _ if is_presigned => Self::of_query(&members)?,
            _ => return Ok(None),
        };
        let has_token =
            request.headers.contains_key("x-amz-security-token") || members.contains_key("X-Amz-Security-Token");
        if has_token {
            return Err(ApiError::new(
                ErrorKind::UnrecognizedClient,
                "The security token included in the request is invalid: there are no session tokens here, leave \
                 AWS_SESSION_TOKEN unset",
            ));
        }
        Ok(Some(claim))
    }

    fn of_header(text: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        let rest = text.strip_prefix(ALGORITHM).unwrap_or_default();
        let mut parts = [None; 3];
        for part in rest.split(',').map(str::trim) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let index = ["Credential", "SignedHeaders", "Signature"]
                .iter()
                .position(|known| *known == name);
            match index.and_then(|index| parts.get_mut(index)) {
                Some(place) if !value.is_empty() => *place = Some(value),
                _ => {
                    return Err(incomplete(format!(
                        "Authorization header has {part:?}, which is no part of a signature"
                    )))
                }
            }
        }
        let [Some(credential), Some(signed), Some(signature)] = parts else {
            return Err(incomplete(
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'",
            ));
        };
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let date =
            date.ok_or_else(|| incomplete("Authorization header requires existence of an 'X-Amz-Date' header"))?;
        Self::of_parts(credential, signed, signature, date, None)
    }

    fn of_query(members: &std::collections::BTreeMap<String, String>) -> Result<Self, ApiError> {
        let member = |name: &str| {
            let value = members.get(name).map(String::as_str);
            value.ok_or_else(|| incomplete(format!("a presigned request requires the query member {name:?}")))
        };
        if member("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(format!("X-Amz-Algorithm must be {ALGORITHM}")));
        }
        let expires = member("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=MAX_EXPIRES).contains(seconds));
        let expires = expires.ok_or_else(|| incomplete(format!("X-Amz-Expires must be from 1 to {MAX_EXPIRES}")))?;
        let (credential, date) = (member("X-Amz-Credential")?, member("X-Amz-Date")?);
        let (signed, signature) = (member("X-Amz-SignedHeaders")?, member("X-Amz-Signature")?);
        Self::of_parts(credential, signed, signature, date, Some(expires))
    }

    fn of_parts(
        credential: &str,
        signed: &str,
        signature: &str,
        date: &str,
        expires: Option<u64>,
    ) -> Result<Self, ApiError> {
        let scope: Vec<&str> = credential.split('/').collect();
        let [key, day, region, service, "aws4_request"] = scope.as_slice() else {
            return Err(incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        let at = seconds(date)
            .ok_or_else(|| incomplete(format!("X-Amz-Date must be like 20260131T235959Z, is {date:?}")))?;
        if !date.starts_with(day) {
            return Err(wrong(format!(
                "Date in Credential scope does not match the day of X-Amz-Date: {day} is not of {date}"
            )));
        }
        if !SERVICES.contains(service) {
            return Err(wrong(format!(
                "Credential should be scoped to correct service: 'appmesh', is {service:?}"
            )));
        }
        Ok(Self {
            key: (*key).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            at,
            signed_headers: signed.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            expires,
        })
    }

    /// Refuses a claim that is not of now, in seconds since 1970.
    pub(crate) fn is_timely(&self, now: f64) -> Result<(), ApiError> {
        // Seconds since 1970 are far below what a cast could lose.
        #[allow(clippy::cast_possible_truncation)]
        let now = now as i64;
        let life = self
            .expires
            .map_or(SKEW_SECONDS, |seconds| i64::try_from(seconds).unwrap_or(SKEW_SECONDS));
        if self.at > now + SKEW_SECONDS {
            return Err(wrong(format!(
                "Signature not yet current: it was made {} s ahead of the server's clock, at most 15 min are allowed",
                self.at - now
            )));
        }
        if self.at + life < now {
            let message = format!(
                "Signature expired: it was made {} s before the server's clock, its life is {life} s",
                now - self.at
            );
            return Err(match self.expires {
                None => wrong(message),
                Some(_) => ApiError::new(ErrorKind::RequestExpired, message),
            });
        }
        Ok(())
    }

    /// Refuses a request whose signature is not that of the claim's key.
    pub(crate) fn verify(&self, secret: &str, request: &Request, channel: Channel) -> Result<(), ApiError> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let date_is_signed = self.expires.is_some() || is_signed(DATE);
        if !is_signed("host") || !date_is_signed {
            return Err(incomplete("'Host' and 'X-Amz-Date' must be signed headers"));
        }
        if let Some(unsigned) = MEANINGFUL
            .iter()
            .find(|name| request.headers.contains_key(**name) && !is_signed(name))
        {
            return Err(wrong(format!(
                "There were headers present in the request which were not signed: {unsigned}"
            )));
        }
        let target = self.target(request);
        if target.len() > MAX_TARGET {
            return Err(wrong(format!(
                "path and query of a signed request must have at most {MAX_TARGET} bytes"
            )));
        }
        let expected = self.signature(secret, request, &target, self.body(request, channel)?);
        let expected = expected.map_err(|reason| wrong(format!("the request cannot be signed: {reason}")))?;
        // Both are hashes: what the comparison's time could tell is how alike they are, and it does not.
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Ok(());
        }
        Err(wrong(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
             and signing method. Consult the service documentation for details.",
        ))
    }

    fn signature(
        &self,
        secret: &str,
        request: &Request,
        target: &str,
        body: SignableBody<'_>,
    ) -> Result<String, String> {
        let mut settings = SigningSettings::default();
        // The claim names the headers that count, and these alone are given.
        settings.excluded_headers = None;
        if let Some(seconds) = self.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        let mut headers: Vec<(&str, String)> = Vec::new();
        for name in &self.signed_headers {
            headers.push((
                name.as_str(),
                value(request, name).ok_or_else(|| format!("signed header {name} is not there"))?,
            ));
        }
        let identity = Credentials::new(self.key.clone(), secret, None, None, "key table").into();
        let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.at).map_err(|_| "its time is before 1970")?);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(at)
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let named = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(request.method.as_str(), target, named, body);
        let signable = signable.map_err(|error| error.to_string())?;
        let output = sign(signable, &params).map_err(|error| error.to_string())?;
        Ok(output.signature().to_owned())
    }

    /// Path and query as they were signed.
    fn target(&self, request: &Request) -> String {
        let is_signed = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            let name = percent::decode_query(name).unwrap_or_default();
            let is_of_signature = self.expires.is_some() && PRESIGNED.contains(&name.as_str());
            !pair.is_empty() && !is_of_signature
        };
        let query: Vec<&str> = request.query.split('&').filter(is_signed).collect();
        if query.is_empty() {
            request.path.clone()
        } else {
            format!("{}?{}", request.path, query.join("&"))
        }
    }

    /// What stands for the body: its hash, whatever the client says of it, or nothing where that is allowed.
    fn body<'a>(&self, request: &'a Request, channel: Channel) -> Result<SignableBody<'a>, ApiError> {
        let of_body = SignableBody::Bytes(&request.body);
        match request
            .headers
            .get(CONTENT_HASH)
            .map(|value| value.to_str().unwrap_or_default())
        {
            None => Ok(of_body),
            Some(UNSIGNED_PAYLOAD) if channel == Channel::Tls => Ok(SignableBody::UnsignedPayload),
            Some(UNSIGNED_PAYLOAD) => Err(wrong("a body may be left unsigned (UNSIGNED-PAYLOAD) only over TLS")),
            Some(said) => {
                use sha2::Digest;
                let hash = crate::state::hex(&sha2::Sha256::digest(&request.body));
                if said.eq_ignore_ascii_case(&hash) {
                    Ok(of_body)
                } else {
                    Err(wrong(
                        "The provided 'x-amz-content-sha256' header does not match what was computed.",
                    ))
                }
            }
        }
    }
}

/// Value of a header as it is signed: of a repeated one all, with commas between. HTTP/2 has the host elsewhere.
fn value(request: &Request, name: &str) -> Option<String> {
    let values: Option<Vec<&str>> = request
        .headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().ok())
        .collect();
    let values = values?;
    match (values.is_empty(), name) {
        (false, _) => Some(values.join(",")),
        (true, "host") => request.host.clone(),
        (true, _) => None,
    }
}

/// Seconds since 1970 of a time like `20260131T235959Z`.
fn seconds(text: &str) -> Option<i64> {
    let (day, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let is_digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(day, 8) || !is_digits(clock, 6) {
        return None;
    }
    let number = |part: Option<&str>| part?.parse::<i64>().ok();
    let (year, month, of_month) = (number(day.get(..4))?, number(day.get(4..6))?, number(day.get(6..))?);
    let (hour, minute, second) = (
        number(clock.get(..2))?,
        number(clock.get(2..4))?,
        number(clock.get(4..))?,
    );
    if year < 1970
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&of_month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + of_month - 719_469;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
