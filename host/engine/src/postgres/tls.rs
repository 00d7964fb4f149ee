//! libpq's `sslmode` words.

use crate::error::{EngineError, ErrorKind};
use crate::tls::{TlsMode, client};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector for `sslmode`; None for `disable`. `verify-ca` checks the host name too, which is stricter.
pub fn connector(sslmode: &str, root_cert: Option<&str>) -> Result<Option<MakeRustlsConnect>, EngineError> {
    let mode = match sslmode {
        "disable" => TlsMode::Off,
        // As libpq: encryption without knowing whom one talks to.
        "allow" | "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" | "verify-full" => TlsMode::Verify,
        other => {
            return Err(EngineError::new(ErrorKind::Connect, format!("`{other}` is no sslmode"))
                .hint("one of disable, allow, prefer, require, verify-ca, verify-full"));
        }
    };
    Ok(client(mode, root_cert)?.map(MakeRustlsConnect::new))
}
