//! `/v1/certificates`.

use serde_json::Value;

use super::super::operation::Described;
use super::super::schema::{list, named, object, one_of, text};
use crate::ErrorKind::{Conflict, NotFound};

pub(super) fn operations() -> Vec<Described> {
    const ITEM: &str = "/v1/certificates/{arn}";
    let import = object(
        [],
        [("certificateChain", text()), ("privateKey", text()), ("trust", text())],
    );
    let described = |method, path, name, summary| {
        Described::new(method, path, name, summary)
            .answers(named("Certificate"))
            .errors(&[NotFound])
    };
    vec![
        Described::new(
            "GET",
            "/v1/certificates",
            "ListCertificates",
            "Lists imported and issued certificates",
        )
        .answers(object([("certificates", list(named("Certificate")))], [])),
        described(
            "GET",
            ITEM,
            "GetCertificate",
            "Shows what an ARN has; private keys are never shown",
        ),
        described(
            "PUT",
            ITEM,
            "PutCertificate",
            "Imports a certificate with its key, or the authorities of an ARN",
        )
        .body(import)
        .errors(&[Conflict]),
        described(
            "DELETE",
            ITEM,
            "DeleteCertificate",
            "Forgets what was imported for an ARN",
        ),
        described(
            "POST",
            "/v1/certificates/{arn}/renew",
            "RenewCertificate",
            "Issues a certificate anew",
        ),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let certificate = object(
        [("arn", text()), ("source", one_of(&["issued", "imported"]))],
        [
            ("importedAt", text()),
            ("trust", text()),
            ("certificateChain", text()),
            ("subjectAlternativeNames", list(text())),
            ("notBefore", text()),
            ("notAfter", text()),
            ("keyType", text()),
            ("sha256", text()),
        ],
    );
    vec![("Certificate", certificate)]
}
