//! Kinds of failures at databases and the codes that users read, both ways.

use dvt_diagnostic::Code;
use dvt_engine::{ErrorKind, PluginFault};

/// The code of a kind; `otherwise` for statements and transport, whose code depends on what was being done.
pub fn code_of(kind: ErrorKind, otherwise: Code) -> Code {
    match kind {
        ErrorKind::Connect => Code::ConnectionFailed,
        ErrorKind::Auth => Code::AuthFailed,
        ErrorKind::Busy => Code::DatabaseBusy,
        ErrorKind::Missing => Code::RelationMissing,
        ErrorKind::Column => Code::ColumnNotFound,
        ErrorKind::Permission => Code::PermissionDenied,
        ErrorKind::Type => Code::PrecisionLost,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Version => Code::EngineVersion,
        ErrorKind::Budget => Code::BudgetExceeded,
        ErrorKind::Statement | ErrorKind::Io => otherwise,
        ErrorKind::Plugin(fault) => match fault {
            PluginFault::Trap => Code::PluginTrap,
            PluginFault::Timeout => Code::PluginTimeout,
            PluginFault::Memory => Code::PluginMemory,
            PluginFault::Output => Code::PluginOutput,
            PluginFault::Contract => Code::PluginContract,
            PluginFault::NotGranted => Code::PluginNotGranted,
        },
    }
}

/// The kind that a plugin's code means.
pub fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::ConnectionFailed => ErrorKind::Connect,
        Code::AuthFailed => ErrorKind::Auth,
        Code::DatabaseBusy => ErrorKind::Busy,
        Code::RelationMissing | Code::DatabaseMissing => ErrorKind::Missing,
        Code::ColumnNotFound => ErrorKind::Column,
        Code::PermissionDenied => ErrorKind::Permission,
        Code::PrecisionLost | Code::UnknownType => ErrorKind::Type,
        Code::Cancelled => ErrorKind::Cancelled,
        Code::EngineVersion => ErrorKind::Version,
        Code::PluginTrap | Code::PluginTimeout | Code::PluginMemory | Code::PluginOutput | Code::PluginContract | Code::PluginNotGranted => {
            ErrorKind::Plugin(fault_of(code))
        }
        // Whatever else a plugin says is its database's word about a statement.
        _ => ErrorKind::Statement,
    }
}

/// The fault of a plugin's code.
pub fn fault_of(code: Code) -> PluginFault {
    match code {
        Code::PluginTimeout => PluginFault::Timeout,
        Code::PluginMemory => PluginFault::Memory,
        Code::PluginOutput => PluginFault::Output,
        Code::PluginContract => PluginFault::Contract,
        Code::PluginNotGranted => PluginFault::NotGranted,
        _ => PluginFault::Trap,
    }
}
