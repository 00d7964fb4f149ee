//! TLS for PostgreSQL, by libpq's `sslmode` words.

use crate::error::{EngineError, ErrorKind};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector for `sslmode`; None for `disable`. `verify-ca` checks the host name too, which is stricter.
pub fn connector(sslmode: &str, root_cert: Option<&str>) -> Result<Option<MakeRustlsConnect>, EngineError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| EngineError::new(ErrorKind::Connect, e.to_string()))?;
    let config = match sslmode {
        "disable" => return Ok(None),
        // As libpq: encryption without knowing whom one talks to.
        "allow" | "prefer" | "require" => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider))).with_no_client_auth()
        }
        "verify-ca" | "verify-full" => {
            let mut roots = RootCertStore::empty();
            match root_cert {
                Some(path) => {
                    let pem = std::fs::read(path).map_err(|e| {
                        EngineError::new(ErrorKind::Connect, format!("sslrootcert `{path}` cannot be read: {e}"))
                    })?;
                    for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
                        let certificate = certificate.map_err(|e| EngineError::new(ErrorKind::Connect, e.to_string()))?;
                        roots.add(certificate).map_err(|e| EngineError::new(ErrorKind::Connect, e.to_string()))?;
                    }
                }
                None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        other => {
            return Err(EngineError::new(ErrorKind::Connect, format!("`{other}` is no sslmode"))
                .hint("one of disable, allow, prefer, require, verify-ca, verify-full"));
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
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
