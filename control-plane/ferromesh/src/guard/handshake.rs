//! Certificates that are refused in the handshake of TLS, before anybody has said what they want.
//!
//! The client sees an alert, which names a reason at best. Whose certificate it was is only known here, and else nobody would
//! find the proxy whose certificate has run out.

use std::sync::Arc;

use rustls::{
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};

use super::counts::{Asked, Counts};

/// Names of a certificate that nobody has vouched for, and characters of each, that are logged.
const MOST_URIS: usize = 2;
const MOST_CHARACTERS: usize = 300;

/// Verifies as another verifier does, and tells what is refused.
#[derive(Debug)]
pub struct Told {
    verifier: Arc<dyn ClientCertVerifier>,
    counts: Arc<Counts>,
}

impl Told {
    /// In front of a verifier.
    pub fn new(verifier: Arc<dyn ClientCertVerifier>, counts: Arc<Counts>) -> Self {
        Self { verifier, counts }
    }

    fn tell(&self, own: &CertificateDer<'_>, error: &Error) {
        let shown = crate::server::tls::read(std::slice::from_ref(own));
        let (uris, serial) = shown.map_or_else(Default::default, |shown| (shown.uris, shown.serial));
        let shorten = |uri: String| uri.chars().take(MOST_CHARACTERS).collect::<String>();
        let uris: Vec<String> = uris.into_iter().take(MOST_URIS).map(shorten).collect();
        let who = uris.first().map_or("", String::as_str);
        if self.counts.refused(Asked::Connection, word(error), who) {
            tracing::warn!(?uris, serial, reason = %error, "a client's certificate is refused: no connection");
        }
    }
}

/// The word in metrics.
fn word(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "expired",
        // Signed by somebody else with the name of an authority is of no authority that is believed.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => "unvouched",
        _ => "unusable",
    }
}

impl ClientCertVerifier for Told {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(own, between, now);
        verified.inspect_err(|error| self.tell(own, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
