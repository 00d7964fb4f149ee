//! An engine's error as the user sees it: its kind's code, refined by the product's plugin.

use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{EngineError, ErrorKind};
use dvt_plugin_host::{Adapter, code_of};

pub fn explained(adapter: Option<&dyn Adapter>, error: &EngineError, what: &str) -> Diagnostic {
    let code = code_of(error.kind, Code::DatabaseError);
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
