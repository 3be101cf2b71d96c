use http::{HeaderValue, Method};

use super::*;

const SECRET: &str = "secretsecretsecretsecretsecretsecretsecr";
const AT: i64 = 1_790_000_000;

fn request(method: Method, path: &str, query: &str, body: &'static str) -> Request {
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        body: body.into(),
        host: Some("mesh.local:8080".to_owned()),
        channel: Channel::Local,
        proven: None,
        may_report: None,
    }
}

/// Signs as a client does, with AWS' own library.
fn signed(mut request: Request, settings: SigningSettings) -> Request {
    let identity = Credentials::new("AKIATEST", SECRET, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("appmesh")
        .time(UNIX_EPOCH + Duration::from_secs(AT as u64))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let separator = if request.query.is_empty() { "" } else { "?" };
    let url = format!("http://mesh.local:8080{}{separator}{}", request.path, request.query);
    let named: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let named = named.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = match request.headers.get(CONTENT_HASH) {
        Some(_) => SignableBody::UnsignedPayload,
        None => SignableBody::Bytes(&request.body),
    };
    let signable = SignableRequest::new(request.method.as_str(), url, named, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    for (name, value) in instructions.headers() {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    for (name, value) in instructions.params() {
        let separator = if request.query.is_empty() { "" } else { "&" };
        let value = value.replace('/', "%2F").replace(';', "%3B");
        request.query = format!("{}{separator}{name}={value}", request.query);
    }
    request
}

fn verdict(request: &Request) -> Result<(), ApiError> {
    let claim = Claim::read(request)?.expect("a signature");
    claim.is_timely(AT as f64)?;
    claim.verify(SECRET, request, request.channel)
}

fn kind(request: &Request) -> Option<ErrorKind> {
    verdict(request).err().map(|error| error.kind)
}

#[test]
fn what_a_client_signed_is_accepted_with_any_path_query_and_body() {
    for (method, path, query, body) in [
        (Method::GET, "/v20190125/meshes", "", ""),
        (Method::GET, "/v20190125/meshes", "limit=3&nextToken=ab%2Fcd%3D%3D", ""),
        (Method::GET, "/v20190125/meshes", "b=2&a=1&a=0&empty", ""),
        (Method::PUT, "/v20190125/meshes/m/virtualServices", "", "{\"a\": \"ü\"}"),
        (Method::GET, "/v20190125/meshes/m/virtualServices/a.b%2Fc%25d", "", ""),
        (
            Method::GET,
            "/v20190125/meshes/%C3%A4%20%2B/virtualNodes",
            "meshOwner=123456789012",
            "",
        ),
        (Method::GET, "/v1/a~b(c)!*'", "q=%20%2B~", ""),
    ] {
        let request = signed(request(method, path, query, body), SigningSettings::default());
        assert_eq!(verdict(&request), Ok(()), "{path}?{query}");
    }
}

#[test]
fn whatever_is_changed_afterwards_is_noticed() {
    let original = || {
        let mut request = request(Method::PUT, "/v1/policies/m/p", "a=1", "{}");
        request.headers.insert("x-amz-target", HeaderValue::from_static("one"));
        signed(request, SigningSettings::default())
    };
    assert_eq!(verdict(&original()), Ok(()));
    let changes: [fn(&mut Request); 7] = [
        |request| request.method = Method::DELETE,
        |request| request.path = "/v1/policies/m/q".to_owned(),
        |request| request.query = "a=2".to_owned(),
        |request| request.body = "{ }".into(),
        |request| request.host = Some("other.local".to_owned()),
        |request| {
            request.headers.insert("x-amz-target", HeaderValue::from_static("two"));
        },
        |request| {
            request.headers.insert(CONTENT_HASH, HeaderValue::from_static("00"));
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut request = original();
        change(&mut request);
        assert_eq!(kind(&request), Some(ErrorKind::InvalidSignature), "change {index}");
    }
}

#[test]
fn a_body_may_stay_unsigned_over_tls_only() {
    let mut plain = request(Method::PUT, "/v1/policies/m/p", "", "{}");
    plain
        .headers
        .insert(CONTENT_HASH, HeaderValue::from_static(UNSIGNED_PAYLOAD));
    let mut request = signed(plain, SigningSettings::default());
    assert_eq!(kind(&request), Some(ErrorKind::InvalidSignature));
    request.channel = Channel::Tls;
    assert_eq!(verdict(&request), Ok(()));
}

#[test]
fn presigned_requests_are_accepted_for_their_life() {
    let settings = || {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
        settings
    };
    let request = signed(request(Method::GET, "/v20190125/meshes", "limit=3", ""), settings());
    assert_eq!(verdict(&request), Ok(()));
    let claim = Claim::read(&request).unwrap().unwrap();
    let late = claim.is_timely(AT as f64 + 61.0).unwrap_err();
    assert_eq!(
        (late.kind, late.kind.status().as_u16()),
        (ErrorKind::RequestExpired, 400)
    );
    let mut other = request;
    other.query = other.query.replace("limit=3", "limit=4");
    assert_eq!(kind(&other), Some(ErrorKind::InvalidSignature));
}

#[test]
fn a_signature_is_good_for_a_quarter_of_an_hour_before_and_after() {
    let request = signed(request(Method::GET, "/v1/keys", "", ""), SigningSettings::default());
    let claim = Claim::read(&request).unwrap().unwrap();
    for seconds in [-900, -1, 0, 900] {
        assert_eq!(claim.is_timely((AT + seconds) as f64), Ok(()), "{seconds}");
    }
    for (seconds, word) in [(-901, "not yet current"), (901, "expired")] {
        let error = claim.is_timely((AT + seconds) as f64).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidSignature);
        assert!(error.message.contains(word), "{}", error.message);
    }
}

#[test]
fn what_is_no_whole_signature_is_told_apart_from_a_wrong_one() {
    let good = || signed(request(Method::GET, "/v1/keys", "", ""), SigningSettings::default());
    let text = good().headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    for (old, new, expected) in [
        ("Signature=", "Signatur=", ErrorKind::IncompleteSignature),
        ("SignedHeaders=host;x-amz-date, ", "", ErrorKind::IncompleteSignature),
        ("SignedHeaders=host;", "SignedHeaders=", ErrorKind::IncompleteSignature),
        ("/aws4_request", "", ErrorKind::IncompleteSignature),
        ("/appmesh/", "/s3/", ErrorKind::InvalidSignature),
        ("/eu-west-1/", "/eu-west-2/", ErrorKind::InvalidSignature),
        ("Signature=", "Signature=0", ErrorKind::InvalidSignature),
    ] {
        assert!(text.contains(old), "{text}");
        let mut request = good();
        let changed = HeaderValue::from_str(&text.replace(old, new)).unwrap();
        request.headers.insert(header::AUTHORIZATION, changed);
        assert_eq!(kind(&request), Some(expected), "{old} {new}");
    }
    let mut request = good();
    request
        .headers
        .insert("x-amz-security-token", HeaderValue::from_static("t"));
    assert_eq!(kind(&request), Some(ErrorKind::UnrecognizedClient));
    let mut request = good();
    request.query = "a=".to_owned() + &"\"".repeat(9000);
    assert_eq!(kind(&request), Some(ErrorKind::InvalidSignature));
}

#[test]
fn times_are_read_as_they_are_written() {
    assert_eq!(seconds("19700101T000000Z"), Some(0));
    assert_eq!(seconds("20000229T000000Z"), Some(951_782_400));
    assert_eq!(seconds("20240229T235959Z"), Some(1_709_251_199));
    assert_eq!(seconds("20260921T142640Z"), Some(1_790_000_800));
    for wrong in [
        "",
        "20240229T235959",
        "2024022T235959Z",
        "20241329T000000Z",
        "20240229T240000Z",
        "+0240229T000000Z",
    ] {
        assert_eq!(seconds(wrong), None, "{wrong}");
    }
}
