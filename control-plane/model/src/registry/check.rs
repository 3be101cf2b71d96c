//! The limits of names, attributes and instances, from Cloud Map's service model and its documentation.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::instance::{ALIAS_DNS_NAME, CNAME, EC2_INSTANCE_ID, INITIAL_HEALTH, IPV4, IPV6, PORT};
use super::{NamespaceKind, RecordKind, Service};
use crate::Violation;

/// Most attributes of an instance, and of a service.
pub const MOST_ATTRIBUTES: usize = 30;
/// Most characters of an instance's attributes, keys and values together.
pub const MOST_ATTRIBUTE_CHARACTERS: usize = 5000;
/// Most tags of a resource.
pub const MOST_TAGS: usize = 50;

/// A namespace's name: 1 to 1024 printable ASCII characters without blanks (253 for DNS), not an ARN; of a public one a
/// domain name of at least two labels.
pub fn namespace_name(path: &str, kind: NamespaceKind, name: &str) -> Option<Violation> {
    let most = match kind {
        NamespaceKind::Http => 1024,
        NamespaceKind::DnsPrivate | NamespaceKind::DnsPublic => 253,
    };
    if let Some(violation) = length(path, name, 1, most) {
        return Some(violation);
    }
    if name.starts_with("arn:") {
        return Some(Violation::new(
            path,
            format!("must not begin with \"arn:\", is {name:?}"),
        ));
    }
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("must consist of printable ASCII characters without blanks, is {name:?}");
        return Some(Violation::new(path, message));
    }
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        (1..=63).contains(&bytes.len()) && bytes.iter().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if kind == NamespaceKind::DnsPublic && !(name.contains('.') && name.split('.').all(is_label)) {
        let message = format!("must be a domain name with at least two labels, is {name:?}");
        return Some(Violation::new(path, message));
    }
    None
}

/// A service's name: labels of letters, digits, `_` and `-` between dots, at most 127 characters in all.
pub fn service_name(path: &str, name: &str) -> Option<Violation> {
    if let Some(violation) = length(path, name, 1, 127) {
        return Some(violation);
    }
    let is_label = |label: &str| {
        let ends = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match label.as_bytes() {
            [] => false,
            [only] => only.is_ascii_alphanumeric(),
            [first, inner @ .., last] => {
                label.len() <= 63
                    && ends(*first)
                    && ends(*last)
                    && inner.iter().all(|byte| ends(*byte) || *byte == b'-')
            }
        }
    };
    if name != "." && !name.split('.').all(is_label) {
        let message = format!(
            "must consist of labels of up to 63 letters, digits, '_' and (not at their ends) '-', with dots between them, is {name:?}"
        );
        return Some(Violation::new(path, message));
    }
    None
}

/// An instance's id: 1 to 64 letters, digits and `_/:.@-`.
pub fn instance_id(path: &str, id: &str) -> Option<Violation> {
    if let Some(violation) = length(path, id, 1, 64) {
        return Some(violation);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_/:.@-".contains(&byte);
    (!id.bytes().all(fits))
        .then(|| Violation::new(path, format!("must consist of letters, digits and _/:.@-, is {id:?}")))
}

/// A text for people: at most 1024 characters.
pub fn description(path: &str, text: &str) -> Option<Violation> {
    length(path, text, 0, 1024)
}

/// Keys and values of attributes, each by itself and all together.
pub fn attributes(path: &str, attributes: &BTreeMap<String, String>) -> Vec<Violation> {
    let mut violations = Vec::new();
    if attributes.len() > MOST_ATTRIBUTES {
        let message = format!(
            "must have at most {MOST_ATTRIBUTES} attributes, has {}",
            attributes.len()
        );
        violations.push(Violation::new(path, message));
    }
    let characters: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if characters > MOST_ATTRIBUTE_CHARACTERS {
        let message = format!(
            "keys and values must have at most {MOST_ATTRIBUTE_CHARACTERS} characters together, have {characters}"
        );
        violations.push(Violation::new(path, message));
    }
    for (key, value) in attributes {
        violations.extend(length(path, key, 1, 255));
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("keys must consist of printable ASCII characters without blanks, {key:?} does not");
            violations.push(Violation::new(path, message));
        }
        let path = format!("{path}.{key}");
        violations.extend(length(&path, value, 0, 1024));
        let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
        if !value.bytes().all(fits) || value.starts_with([' ', '\t']) {
            let message = "must consist of printable ASCII characters and not begin with a blank";
            violations.push(Violation::new(path, message));
        }
    }
    violations
}

/// What Cloud Map's own attributes must be, and which of them the service's instances need.
pub fn instance_attributes(path: &str, service: &Service, attributes: &BTreeMap<String, String>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut judge = |key: &str, fits: &dyn Fn(&str) -> bool, what: &str| {
        if let Some(value) = attributes.get(key).filter(|value| !fits(value)) {
            violations.push(Violation::new(
                format!("{path}.{key}"),
                format!("must be {what}, is {value:?}"),
            ));
        }
    };
    judge(IPV4, &|value| value.parse::<Ipv4Addr>().is_ok(), "an IPv4 address");
    judge(IPV6, &|value| value.parse::<Ipv6Addr>().is_ok(), "an IPv6 address");
    judge(
        PORT,
        &|value| value.parse::<u16>().is_ok_and(|port| port > 0),
        "a port from 1 to 65535",
    );
    judge(
        INITIAL_HEALTH,
        &|value| value == "HEALTHY" || value == "UNHEALTHY",
        "HEALTHY or UNHEALTHY",
    );
    for (key, why) in [
        (
            ALIAS_DNS_NAME,
            "Route 53, which there is none of here: register the addresses",
        ),
        (
            EC2_INSTANCE_ID,
            "EC2, which there is none of here: register the addresses",
        ),
    ] {
        if attributes.contains_key(key) {
            violations.push(Violation::new(format!("{path}.{key}"), format!("needs {why}")));
        }
    }
    if attributes.contains_key(INITIAL_HEALTH) && !service.custom_health {
        let message = format!(
            "needs a custom health check, which service {} has none of",
            service.name
        );
        violations.push(Violation::new(format!("{path}.{INITIAL_HEALTH}"), message));
    }
    let mut need = |key: &str, record: &str| {
        if !attributes.contains_key(key) {
            let message = format!("is required by the {record} record of service {}", service.name);
            violations.push(Violation::new(format!("{path}.{key}"), message));
        }
    };
    if service.has_record(RecordKind::A) {
        need(IPV4, "A");
    }
    if service.has_record(RecordKind::Aaaa) {
        need(IPV6, "AAAA");
    }
    if service.has_record(RecordKind::Srv) {
        need(PORT, "SRV");
    }
    if service.has_record(RecordKind::Cname) {
        need(CNAME, "CNAME");
    }
    violations
}

fn length(path: &str, text: &str, least: usize, most: usize) -> Option<Violation> {
    let length = text.chars().count();
    if length < least {
        return Some(Violation::new(
            path,
            format!("must have at least {least} characters, has {length}"),
        ));
    }
    (length > most).then(|| Violation::new(path, format!("must have at most {most} characters, has {length}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_names_that_cloud_map_takes() {
        let http = |name: &str| namespace_name("Name", NamespaceKind::Http, name).is_none();
        assert!(http("apps") && http("apps.local") && http(&"n".repeat(1024)));
        assert!(!http("") && !http("arn:aws:x") && !http("two words") && !http(&"n".repeat(1025)));
        let public = |name: &str| namespace_name("Name", NamespaceKind::DnsPublic, name).is_none();
        assert!(public("example.com"));
        assert!(!public("local") && !public("-a.com") && !public("a..com"));
        for name in ["colour", "a", "1", "_sip._tcp", "colour-v2.apps", "."] {
            assert_eq!(service_name("Name", name), None, "{name}");
        }
        for name in ["", "-a", "a-", "a..b", "a b", "ü", "_"] {
            assert!(service_name("Name", name).is_some(), "{name}");
        }
        assert_eq!(instance_id("InstanceId", "task/1:2.3@x_-"), None);
        assert!(instance_id("InstanceId", "a b").is_some() && instance_id("InstanceId", &"i".repeat(65)).is_some());
    }

    #[test]
    fn names_the_attribute_that_is_wrong_and_the_limit() {
        let service = Service {
            namespace: "apps".into(),
            namespace_id: "ns-1".into(),
            name: "colour".into(),
            id: "srv-1".into(),
            description: None,
            dns: None,
            custom_health: false,
            attributes: BTreeMap::new(),
            instances_revision: 0,
            created_at: 0.0,
            creator_request_id: None,
            tags: vec![],
        };
        let found = |pairs: &[(&str, &str)]| -> Vec<String> {
            let given = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let given: BTreeMap<String, String> = given.collect();
            let wrong = attributes("Attributes", &given).into_iter();
            let wrong = wrong.chain(instance_attributes("Attributes", &service, &given));
            wrong.map(|violation| violation.to_string()).collect()
        };
        assert_eq!(
            found(&[(IPV4, "10.0.0.1"), (PORT, "80"), ("stage", "blue")]),
            Vec::<String>::new()
        );
        assert_eq!(
            found(&[(IPV4, "::1"), (PORT, "0"), (INITIAL_HEALTH, "HEALTHY")]),
            [
                "Attributes.AWS_INSTANCE_IPV4: must be an IPv4 address, is \"::1\"",
                "Attributes.AWS_INSTANCE_PORT: must be a port from 1 to 65535, is \"0\"",
                "Attributes.AWS_INIT_HEALTH_STATUS: needs a custom health check, which service colour has none of",
            ]
        );
        assert_eq!(
            found(&[(ALIAS_DNS_NAME, "lb.example")]),
            ["Attributes.AWS_ALIAS_DNS_NAME: needs Route 53, which there is none of here: register the addresses"]
        );
        let long = "v".repeat(1025);
        assert_eq!(
            found(&[("k", &long)]),
            ["Attributes.k: must have at most 1024 characters, has 1025"]
        );
    }
}
