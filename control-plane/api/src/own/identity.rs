//! `/v1/join-tokens`, `/v1/identity/…`: how proxies come by certificates, and how they lose them.
//!
//! | path | methods |
//! |---|---|
//! | `/v1/join-tokens` | GET; POST `{"proxy": "mesh/shop/virtualNode/web", "ttlSeconds": 3600, "uses": 1}` |
//! | `/v1/join-tokens/{id}` | DELETE |
//! | `/v1/identity/certificates` | POST `{"csr": "…", "token": "…"}`; without a token, the connection's certificate says who asks |
//! | `/v1/identity/revocations` | GET; POST `{"serial": "…"}` or `{"proxy": "mesh/shop/virtualNode/web"}` |
//! | `/v1/identity/revocations/{id}` | DELETE: `id` is the serial number or the proxy |
//!
//! A token is in the answer to its making and nowhere else.

mod revocations;

use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change};
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Value};
use subtle::ConstantTimeEq;

use crate::access::keys::digest;
use crate::access::{Role, Subject};
use crate::appmesh::Scene;
use crate::identity::JoinToken;
use crate::request::Request;
use crate::state::hex;
use crate::view::{self, View};
use crate::{ApiError, ApiState, ErrorKind};

/// What every join token begins with, so that it is known for one wherever it turns up.
const PREFIX: &str = "fmj_";
/// Life of a token, in seconds.
const TTL: std::ops::RangeInclusive<u64> = 60..=30 * 86_400;
const DEFAULT_TTL: u64 = 3600;
/// Certificates for one token.
const USES: std::ops::RangeInclusive<u32> = 1..=100_000;
/// Most tokens, and most revocations.
const MOST: usize = 10_000;
/// An expired token is shown as such for this long, in seconds.
const SHOWN_AFTER: f64 = 86_400.0;
/// Longest proxy's name: two names of 255 bytes and what is around them.
const MAX_PROXY: usize = 600;
/// Longest signing request: of an RSA key with 16,384 bits and some extensions.
const MAX_CSR: usize = 16 << 10;

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Tokens,
    CreateToken,
    DeleteToken,
    Issue,
    Revocations,
    Revoke,
    Restore,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokens => "ListJoinTokens",
            Self::CreateToken => "CreateJoinToken",
            Self::DeleteToken => "DeleteJoinToken",
            Self::Issue => "IssueProxyCertificate",
            Self::Revocations => "ListRevocations",
            Self::Revoke => "CreateRevocation",
            Self::Restore => "DeleteRevocation",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        !matches!(self, Self::Tokens | Self::Revocations)
    }
}

/// The pages with this path, by their methods.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    match segments {
        ["v1", "join-tokens"] => &[("GET", Page::Tokens), ("POST", Page::CreateToken)],
        ["v1", "join-tokens", id] if !id.is_empty() => &[("DELETE", Page::DeleteToken)],
        ["v1", "identity", "certificates"] => &[("POST", Page::Issue)],
        ["v1", "identity", "revocations"] => &[("GET", Page::Revocations), ("POST", Page::Revoke)],
        ["v1", "identity", "revocations", id, ..] if !id.is_empty() => &[("DELETE", Page::Restore)],
        _ => &[],
    }
}

/// The mesh of a proxy that is named as in node ids; nothing for what names none.
pub(super) fn mesh_of(proxy: &str) -> &str {
    let mut parts = proxy.split('/');
    match (parts.next(), parts.next()) {
        (Some("mesh"), Some(mesh)) => mesh.split_once('@').map_or(mesh, |(mesh, _)| mesh),
        _ => "",
    }
}

/// What stands after `/v1/identity/revocations/`: a serial number, or a proxy, whose slashes may be encoded or not.
pub(super) fn revoked_id(segments: &[String]) -> String {
    segments.get(3..).unwrap_or_default().join("/")
}

/// The answer to one request.
pub(super) fn answer(
    scene: &Scene<'_>,
    state: &ApiState,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Value, ApiError> {
    match page {
        Page::Tokens => tokens(scene),
        Page::CreateToken => create(scene, &body(request)?),
        Page::DeleteToken => delete(scene, segments.get(2).map_or("", String::as_str)),
        Page::Issue => issue(scene, state, request),
        Page::Revocations => Ok(json!({ "revocations": crate::revocations(scene.store)? })),
        Page::Revoke => revocations::revoke(scene, body(request)?),
        Page::Restore => revocations::restore(scene, &revoked_id(segments)),
    }
}

/// Never quotes the body: it may hold a token.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    let object = Value::Object(request.object()?);
    serde_json::from_value(object).map_err(|error| ApiError::bad_request(format!("body: {error}")))
}

/// A proxy in the caller's own account, as the server names it, and its mesh.
fn own_proxy(scene: &Scene<'_>, member: &str, text: &str) -> Result<(String, String), ApiError> {
    let wrong = |message: String| ApiError::refuse(vec![Violation::new(member, message)]);
    let form = "must be mesh/<mesh>/virtualNode/<name> or mesh/<mesh>/virtualGateway/<name>";
    if text.len() > MAX_PROXY {
        wrong(format!("must have at most {MAX_PROXY} bytes, has {}", text.len()))?;
    }
    let parts: Vec<&str> = text.split('/').collect();
    let ["mesh", mesh, kind @ ("virtualNode" | "virtualGateway"), name] = parts[..] else {
        wrong(format!("{form}, is {text:?}"))?;
        return Err(ApiError::bad_request(form));
    };
    // As SPIFFE allows them in an identity (SPIFFE-ID 2.2).
    let is_name = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (1..=255).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(fits)
    };
    let caller = &scene.caller.account;
    let mesh = match mesh.split_once('@') {
        None => mesh,
        Some((mesh, owner)) if owner == caller => mesh,
        Some(_) => {
            let message = "proxies have certificates by their mesh's owner: the mesh is of another account";
            return Err(ApiError::new(ErrorKind::Forbidden, message));
        }
    };
    if !is_name(mesh) || !is_name(name) {
        wrong("names of 1 to 255 letters, digits, '-', '.' and '_' can have certificates".to_owned())?;
    }
    let owned = match *caller == scene.config.account {
        true => format!("mesh/{mesh}/{kind}/{name}"),
        false => format!("mesh/{mesh}@{caller}/{kind}/{name}"),
    };
    Ok((owned, mesh.to_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    proxy: String,
    ttl_seconds: Option<u64>,
    uses: Option<u32>,
}

fn shown(token: &JoinToken) -> Value {
    json!({
        "id": token.id,
        "proxy": token.proxy,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "uses": token.uses,
        "used": token.used,
    })
}

fn may(scene: &Scene<'_>, role: Role, token: &JoinToken) -> bool {
    token.account == scene.caller.account && scene.caller.may(role, Subject::Identity, &token.mesh)
}

fn tokens(scene: &Scene<'_>) -> Result<Value, ApiError> {
    let mut tokens: Vec<JoinToken> = Vec::new();
    for stored in scene.store.list(key::JOIN_TOKENS, None, None)?.entries {
        tokens.push(catalog::read(&stored)?);
    }
    tokens.retain(|token| may(scene, Role::Reader, token));
    tokens.sort_by(|a, b| (&a.proxy, &a.id).cmp(&(&b.proxy, &b.id)));
    Ok(json!({ "tokens": tokens.iter().map(shown).collect::<Vec<_>>() }))
}

fn create(scene: &Scene<'_>, new: &NewToken) -> Result<Value, ApiError> {
    let (proxy, mesh) = own_proxy(scene, "proxy", &new.proxy)?;
    let ttl = new.ttl_seconds.unwrap_or(DEFAULT_TTL);
    let uses = new.uses.unwrap_or(1);
    let mut violations = Vec::new();
    if !TTL.contains(&ttl) {
        let message = format!("must be from {} to {}, is {ttl}", TTL.start(), TTL.end());
        violations.push(Violation::new("ttlSeconds", message));
    }
    if !USES.contains(&uses) {
        let message = format!("must be from {} to {}, is {uses}", USES.start(), USES.end());
        violations.push(Violation::new("uses", message));
    }
    ApiError::refuse(violations)?;
    let id = hex(&random::<8>()?);
    let text = format!("{PREFIX}{id}_{}", hex(&random::<32>()?));
    let now = scene.clock.now();
    let token = JoinToken {
        id: id.clone(),
        proxy,
        mesh,
        account: scene.caller.account.clone(),
        sha256: digest(&text),
        created_at: now,
        expires_at: now + ttl as f64,
        uses,
        used: 0,
    };
    let mut answer = shown(&token);
    answer["token"] = json!(text);
    view::commit(scene.store, |view| {
        let mut changes = Vec::new();
        let mut there = 0;
        for stored in view.values(key::JOIN_TOKENS)? {
            let known: JoinToken = catalog::read(&stored)?;
            if known.expires_at + SHOWN_AFTER <= now {
                changes.push(Change::delete(stored.key));
            } else {
                there += 1;
            }
        }
        at_most("join tokens", there)?;
        changes.push(catalog::put(key::join_token(&id), &token)?);
        Ok::<_, ApiError>((changes, ()))
    })?;
    Ok(answer)
}

fn at_most(what: &str, there: usize) -> Result<(), ApiError> {
    if there < MOST {
        return Ok(());
    }
    let message = format!("there are {there} of at most {MOST} {what}: delete some first");
    Err(ApiError::new(ErrorKind::LimitExceeded, message))
}

fn delete(scene: &Scene<'_>, id: &str) -> Result<Value, ApiError> {
    view::commit(scene.store, |view| {
        let key = key::join_token(id);
        let token: Option<JoinToken> = view.get(&key)?.as_ref().map(catalog::read).transpose()?;
        // Of another mesh it is as if it were not there.
        match token.filter(|token| may(scene, Role::Operator, token)) {
            Some(token) => Ok((vec![Change::delete(key)], shown(&token))),
            None => Err(ApiError::not_found(format!("there is no join token {id:?}"))),
        }
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    csr: String,
    token: Option<String>,
}

/// Issues a certificate to whom a token or the connection's certificate says.
fn issue(scene: &Scene<'_>, state: &ApiState, request: &Request) -> Result<Value, ApiError> {
    let asked: Asked = body(request)?;
    if asked.csr.len() > MAX_CSR {
        let message = format!("must have at most {MAX_CSR} bytes, has {}", asked.csr.len());
        ApiError::refuse(vec![Violation::new("csr", message)])?;
    }
    let now = scene.clock.now();
    let Some(text) = &asked.token else {
        let proxy = match &request.proven {
            Some(proven) => proven.0.clone(),
            None => Err("no certificate was shown".to_owned()),
        };
        let proxy = proxy.map_err(|reason| refused(state, &format!("{reason}; a join token is needed instead")))?;
        let issued = state.identities.issue(&proxy, &asked.csr)?;
        tracing::info!(proxy, serial = issued.serial, "proxy certificate renewed");
        return Ok(json!(issued));
    };
    // What is wrong with it is for the log, and not for whoever tries tokens out.
    let refuse = |unfit: Unfit| {
        let Unfit { id, proxy, reason } = unfit;
        let error = refused(state, "the join token is not known, or it has expired or is used up");
        if error.kind == ErrorKind::AccessDenied {
            tracing::warn!(token = id, proxy, reason, "join token refused");
        }
        error
    };
    let view = View::new(scene.store);
    let token = good_token(&view, text, now)?.map_err(refuse)?;
    let issued = state.identities.issue(&token.proxy, &asked.csr)?;
    // Counted before it is given away: of two who come with the last use, one gets it.
    view::commit(scene.store, |view| {
        let mut token = good_token(view, text, now)?.map_err(refuse)?;
        token.used += 1;
        let change = catalog::put(key::join_token(&token.id), &token)?;
        Ok::<_, ApiError>((vec![change], ()))
    })?;
    tracing::info!(
        proxy = token.proxy,
        token = token.id,
        serial = issued.serial,
        "proxy certificate issued"
    );
    Ok(json!(issued))
}

/// A join token that is not taken, without its secret.
#[derive(Debug, Default)]
struct Unfit {
    /// Its id, where it has one.
    id: Option<String>,
    /// Whom it is for, where it is known.
    proxy: Option<String>,
    reason: &'static str,
}

/// The token of this text, if it is good.
fn good_token(view: &View<'_>, text: &str, now: f64) -> Result<Result<JoinToken, Unfit>, ApiError> {
    let id = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    let Some((id, _)) = id.filter(|(id, _)| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())) else {
        // Not quoted: it may be some other secret.
        let reason = "it has not the form of a join token";
        return Ok(Err(Unfit {
            reason,
            ..Unfit::default()
        }));
    };
    let unfit = |proxy: Option<String>, reason| {
        let id = Some(id.to_owned());
        Ok(Err(Unfit { id, proxy, reason }))
    };
    let Some(stored) = view.get(&key::join_token(id))? else {
        return unfit(
            None,
            "it is not known: it was deleted, or the proxy it was for is revoked",
        );
    };
    let token: JoinToken = catalog::read(&stored)?;
    if !bool::from(digest(text).as_bytes().ct_eq(token.sha256.as_bytes())) {
        return unfit(Some(token.proxy), "it has the id of a token and another secret");
    }
    if now >= token.expires_at {
        return unfit(Some(token.proxy), "it has expired");
    }
    if token.used >= token.uses {
        return unfit(Some(token.proxy), "it is used up");
    }
    Ok(Ok(token))
}

fn refused(state: &ApiState, message: &str) -> ApiError {
    match state.join_refusals.is_one_too_many(state.clock.now()) {
        false => ApiError::new(ErrorKind::AccessDenied, message),
        // Not looked at any closer, and not logged: good tokens are not hindered.
        true => ApiError::new(
            ErrorKind::ServiceUnavailable,
            "too many requests for certificates were refused; come again in a minute",
        ),
    }
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| ApiError::internal(&"the system gives no random numbers"))?;
    Ok(bytes)
}
