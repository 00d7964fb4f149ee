//! An engine's error as the user sees it: its kind's code, refined by the product's plugin.

use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{EngineError, ErrorKind};
use dvt_plugin_host::Adapter;

pub fn explained(adapter: Option<&dyn Adapter>, error: &EngineError, what: &str) -> Diagnostic {
    let code = match error.kind {
        ErrorKind::Connect => Code::ConnectionFailed,
        ErrorKind::Auth => Code::AuthFailed,
        ErrorKind::Missing => Code::RelationMissing,
        ErrorKind::Column => Code::ColumnNotFound,
        ErrorKind::Permission => Code::PermissionDenied,
        ErrorKind::Type => Code::PrecisionLost,
        ErrorKind::Statement | ErrorKind::Io => Code::DatabaseError,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Version => Code::EngineVersion,
    };
    let mut out = Diagnostic::error(code, format!("{what}: {}", error.message.trim_end()));
    out.hint.clone_from(&error.hint);
    let classified = adapter.and_then(|a| a.classify_error(error.sqlstate.as_deref(), &error.message).ok());
    if let Some(classified) = classified {
        // Where the engine already knows the kind, the plugin only adds advice; what is missing, it can tell apart.
        if matches!(error.kind, ErrorKind::Statement | ErrorKind::Missing)
            && let Ok(code) = classified.code.parse()
        {
            out.code = code;
        }
        out.hint = out.hint.or(classified.hint);
    }
    if error.kind == ErrorKind::Column {
        out.hint.get_or_insert_with(|| "check the name against the columns of the relations that the model reads".to_owned());
    }
    out
}
