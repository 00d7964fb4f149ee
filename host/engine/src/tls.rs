//! TLS for wire protocols: who is trusted, in four words. When a protocol begins to encrypt is its driver's matter.

use crate::error::{EngineError, ErrorKind};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What a profile asks of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    Off,
    /// Where the server offers it; without knowing whom one talks to.
    #[default]
    Prefer,
    /// Always; without knowing whom one talks to.
    Require,
    /// Always, with a certificate that is valid for the host's name.
    Verify,
}

impl TlsMode {
    /// Whether a session in the clear is refused.
    pub fn demands(self) -> bool {
        matches!(self, Self::Require | Self::Verify)
    }
}

impl std::str::FromStr for TlsMode {
    type Err = EngineError;
    fn from_str(word: &str) -> Result<Self, EngineError> {
        Ok(match word {
            "off" => Self::Off,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify" => Self::Verify,
            other => {
                return Err(EngineError::new(ErrorKind::Connect, format!("`{other}` is no way to use TLS"))
                    .hint("one of off, prefer, require, verify"));
            }
        })
    }
}

/// The settings of a client; None for [`TlsMode::Off`]. `roots` is a file of certificates in PEM form; without one the
/// public authorities are trusted. It is read for [`TlsMode::Verify`] only.
pub fn client(mode: TlsMode, roots: Option<&str>) -> Result<Option<ClientConfig>, EngineError> {
    let failed = |e: &dyn std::fmt::Display| EngineError::new(ErrorKind::Connect, e.to_string());
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(|e| failed(&e))?;
    Ok(match mode {
        TlsMode::Off => None,
        TlsMode::Prefer | TlsMode::Require => {
            Some(builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider))).with_no_client_auth())
        }
        TlsMode::Verify => {
            let mut trusted = RootCertStore::empty();
            match roots {
                Some(path) => {
                    let pem = std::fs::read(path)
                        .map_err(|e| EngineError::new(ErrorKind::Connect, format!("the root certificate `{path}` cannot be read: {e}")))?;
                    for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
                        trusted.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
                    }
                }
                None => trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            }
            Some(builder.with_root_certificates(trusted).with_no_client_auth())
        }
    })
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
