//! TLS on accepted connections: which configuration, and who is at the other end.

use std::sync::Arc;

use ferromesh_xds::peer::{Certificate, Peer};
use rustls::{pki_types::CertificateDer, ServerConfig};
use tokio::{io::AsyncWriteExt, sync::watch};
use tokio_rustls::{server::TlsStream, TlsAcceptor};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::address::Stream;

/// First byte of every TLS connection: a handshake record (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;

/// The configuration of a listener with TLS. Each new connection takes the latest; those that are open keep theirs.
#[derive(Clone)]
pub struct Tls(watch::Receiver<Arc<ServerConfig>>);

impl Tls {
    /// Follows a configuration that can change.
    pub fn following(config: watch::Receiver<Arc<ServerConfig>>) -> Self {
        Self(config)
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// The other end does not speak TLS, or no version, cipher or certificate that is accepted.
    pub(super) async fn accept(&self, mut stream: Stream) -> std::io::Result<(TlsStream<Stream>, Peer)> {
        match stream.peek_byte().await? {
            Some(HANDSHAKE) | None => {}
            Some(first) => {
                if first.is_ascii_uppercase() {
                    // Somebody who speaks HTTP is told so in HTTP; its answer to TLS' alert would be a riddle.
                    stream.write_all(PLAIN_HTTP).await?;
                    stream.shutdown().await?;
                }
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    "the client does not speak TLS",
                ));
            }
        }
        let config = Arc::clone(&self.0.borrow());
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let peer = peer(&stream);
        Ok((stream, peer))
    }
}

impl From<TlsAcceptor> for Tls {
    fn from(acceptor: TlsAcceptor) -> Self {
        Self(watch::Sender::new(Arc::clone(acceptor.config())).subscribe())
    }
}

const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-amzn-errortype: BadRequestException\r\n\
content-length: 57\r\nconnection: close\r\n\r\n{\"message\":\"this port speaks https: use an https:// URL\"}";

/// The chain was verified in the handshake; here it is only read.
fn peer(stream: &TlsStream<Stream>) -> Peer {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    // rustls has read it before; what it can read and we cannot names nobody.
    read(chain).map_or(Peer::Unidentified, |certificate| {
        Peer::Certificate(Arc::new(certificate))
    })
}

/// What a chain says, its own certificate first; `None` if one of them cannot be read.
pub(crate) fn read(chain: &[CertificateDer<'_>]) -> Option<Certificate> {
    let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
    let mut not_after = own.validity().not_after.timestamp();
    for between in chain.get(1..).unwrap_or_default() {
        let (_, between) = X509Certificate::from_der(between).ok()?;
        // The authority itself may be among them, and has an end of its own that nobody looks at.
        if between.subject() != between.issuer() {
            not_after = not_after.min(between.validity().not_after.timestamp());
        }
    }
    let usage = own.extended_key_usage().ok().flatten();
    Some(Certificate {
        uris: uris(&own),
        serial: own.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect(),
        not_after_seconds: not_after,
        not_before_seconds: own.validity().not_before.timestamp(),
        // Without the extension it may be used for everything (RFC 5280 4.2.1.12).
        is_for_servers: usage.is_none_or(|usage| usage.value.server_auth || usage.value.any),
        chain: chain.iter().map(|one| one.to_vec()).collect(),
    })
}

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.iter());
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    names.into_iter().flatten().filter_map(uri).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answer_has_the_length_that_it_says() {
        let text = String::from_utf8_lossy(PLAIN_HTTP);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    }
}
