//! Adapters whose driver is a shared library (ADBC): what their sheet says of it, and a session through it.
//!
//! `[driver]` of the sheet names the library and how it is used; the manifest must ask for it (`driver:PACKAGE`), since the
//! library runs with all that dvt may do. Which native type a result's column has, the driver says in the column's metadata,
//! and what it becomes the plugin says: rows arrive in those types, exactly or not at all.

use crate::arrow_types::{arrow_type, canonical_type};
use crate::{Adapter, NativeColumn};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::adbc::{AdbcConnection, AdbcDriver, TableName, exact_batch, extension};
use dvt_engine::{BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, EngineError, ErrorKind, Executed, PluginFault, ReadCount, Rows};
use dvt_planner::types::CanonicalType;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The driver that a connect-plan names for it.
pub const LIBRARY_DRIVER: &str = "adbc";
/// The permission's kind.
const PERMISSION: &str = "driver:";

/// `[driver]` of a sheet, as far as the host reads it.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct DriverSheet {
    /// The package of Python's index whose wheel has the library.
    pub package: String,
    /// Which versions of it serve.
    pub versions: String,
    /// The library's path in the wheel.
    pub library: String,
    #[serde(default)]
    entry: Option<String>,
    #[serde(default)]
    connection: BTreeMap<String, String>,
    #[serde(default)]
    statement: BTreeMap<String, String>,
    /// Options of statements whose result is small and kept.
    #[serde(default)]
    kept: BTreeMap<String, String>,
    /// Metadata of a result's column that say its native type; the plugin gets their values with blanks between.
    #[serde(default)]
    native: Vec<String>,
    #[serde(default)]
    version: Option<String>,
    /// A session reaches one database, and the driver's loads do not name it.
    #[serde(default)]
    one_database: bool,
    #[serde(default)]
    begin_snapshot: Vec<String>,
    #[serde(default)]
    end_snapshot: Vec<String>,
}

impl DriverSheet {
    /// What an adapter's sheet says; None where it names no such driver.
    ///
    /// # Errors
    /// `DVT5008` for a section that cannot be read, `DVT5003` where the manifest does not ask for the library.
    pub fn of(adapter: &dyn Adapter) -> Result<Option<Self>, Diagnostic> {
        #[derive(Deserialize)]
        struct Sheet {
            driver: Option<DriverSheet>,
        }
        let id = &adapter.manifest().id;
        let broken = |why: String| Diagnostic::error(Code::PluginContract, format!("plugin `{id}`: `[driver]` of its sheet {why}"));
        let sheet: Sheet = toml::from_str(adapter.sheet_text()).map_err(|e| broken(format!("cannot be read: {}", e.message())))?;
        let Some(driver) = sheet.driver else { return Ok(None) };
        let named = |name: &str, more: &str| !name.is_empty() && !name.starts_with(['-', '.', '/']) && name.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b));
        // They become a word of a command and a path.
        if !named(&driver.package, "-_.") || !named(&driver.library, "-_./") || driver.library.contains("..") {
            return Err(broken("names no package and no file of it".to_owned()));
        }
        if !adapter.manifest().permissions.iter().any(|p| p.strip_prefix(PERMISSION) == Some(&driver.package)) {
            let message = format!("plugin `{id}` uses the library of `{}`, and its manifest does not ask for `{PERMISSION}{}`", driver.package, driver.package);
            return Err(Diagnostic::error(Code::PluginNotGranted, message).hint("a library runs with all that dvt may do; ask the plugin's author for a manifest that says so"));
        }
        Ok(Some(driver))
    }

    fn used(&self, library: std::path::PathBuf) -> AdbcDriver {
        AdbcDriver {
            library,
            entry: self.entry.clone(),
            connection: self.connection.clone(),
            statement: self.statement.clone(),
            kept: self.kept.clone(),
            version: self.version.clone(),
            begin_snapshot: self.begin_snapshot.clone(),
            end_snapshot: self.end_snapshot.clone(),
        }
    }
}

/// A session through the library.
pub struct LibrarySession {
    inner: AdbcConnection,
    adapter: Arc<dyn Adapter>,
    /// See [`DriverSheet::native`].
    native: Vec<String>,
    one_database: bool,
}

fn told(e: Diagnostic) -> EngineError {
    EngineError { hint: e.hint, ..EngineError::new(ErrorKind::Plugin(crate::failure::fault_of(e.code)), e.message) }
}

impl LibrarySession {
    /// `spec.library` is the file.
    pub fn open(adapter: &Arc<dyn Adapter>, spec: &ConnectSpec) -> Result<Self, EngineError> {
        let sheet = DriverSheet::of(adapter.as_ref()).map_err(told)?.ok_or_else(|| {
            let message = format!("plugin `{}` names the driver `{LIBRARY_DRIVER}`, and its sheet has no `[driver]`", adapter.manifest().id);
            EngineError::new(ErrorKind::Plugin(PluginFault::Contract), message)
        })?;
        let library = spec.library.clone().ok_or_else(|| {
            let message = format!("the driver of `{}` is not on this machine", sheet.package);
            EngineError::new(ErrorKind::Version, message).hint("run `dvt sync`, which brings it")
        })?;
        let inner = AdbcConnection::open(spec, sheet.used(library))?;
        Ok(Self { inner, adapter: adapter.clone(), native: sheet.native, one_database: sheet.one_database })
    }

    fn native(&self, field: &Field) -> String {
        let values: Vec<&str> = self.native.iter().filter_map(|key| field.metadata().get(key).map(String::as_str)).collect();
        values.join(" ")
    }

    /// What each column is: by its native type where the driver tells that, else by the driver's own. None: not carried.
    fn canonical(&self, schema: &Schema) -> Result<Vec<Option<CanonicalType>>, EngineError> {
        let natives: Vec<String> = schema.fields().iter().map(|f| self.native(f)).collect();
        let asked: Vec<NativeColumn> = schema.fields().iter().zip(&natives).map(|(f, native)| NativeColumn { name: f.name().clone(), native: native.clone(), collation: None }).collect();
        let mapped = self.adapter.map_native(&asked).map_err(told)?;
        let own = |f: &Field| if extension(f).is_none() { canonical_type(f.data_type()) } else { None };
        Ok(schema.fields().iter().zip(&natives).zip(mapped).map(|((f, native), m)| if native.is_empty() { own(f) } else { m.canonical }).collect())
    }

    /// The schema in which rows are handed on.
    fn meant(&self, schema: &Schema) -> Result<SchemaRef, EngineError> {
        let canonical = self.canonical(schema)?;
        let field = |(f, c): (&Arc<Field>, Option<CanonicalType>)| match c {
            Some(kind) => Ok(Field::new(f.name(), arrow_type(kind), true)),
            None => Err(EngineError::new(ErrorKind::Type, format!("column `{}`: the type {} cannot be carried", f.name(), self.shown(f))).hint("cast the column to text in the query")),
        };
        Ok(Arc::new(Schema::new(schema.fields().iter().zip(canonical).map(field).collect::<Result<Vec<_>, _>>()?)))
    }

    fn shown(&self, field: &Field) -> String {
        let native = self.native(field);
        if native.is_empty() { field.data_type().to_string() } else { native }
    }
}

impl Connection for LibrarySession {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        self.inner.execute(sql)
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let rows = self.inner.rows(sql, limit)?;
        let schema = self.meant(&rows.schema)?;
        let mut before = 0;
        let mut batches = Vec::with_capacity(rows.batches.len());
        for batch in &rows.batches {
            batches.push(exact_batch(batch, &rows.schema, &schema, before)?);
            before += batch.num_rows() as u64;
        }
        Ok(Rows { schema, batches })
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        self.inner.read(sql, want, sink)
    }

    fn load(&mut self, table: &str, schema: &SchemaRef, batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>) -> Result<u64, EngineError> {
        let sheet = self.adapter.sheet();
        let names: Vec<String> = schema.fields().iter().map(|f| sheet.quote(f.name())).collect();
        let sql = format!("SELECT {} FROM {table} WHERE 1 = 0", names.join(", "));
        let columns = self.inner.columns(&sql)?;
        let meant = self.meant(&columns)?;
        // By the names of what is loaded: a product may tell them in another case.
        let fields: Vec<Field> = schema.fields().iter().zip(meant.fields()).map(|(f, m)| Field::new(f.name(), m.data_type().clone(), true)).collect();
        let (open, close) = (&sheet.quote.0, &sheet.quote.1);
        let mut name = unquoted(table, open, close).ok_or_else(|| EngineError::new(ErrorKind::Statement, format!("{table} is no quoted name of a table")))?;
        // That it is this database's own, the server said when it was asked for the columns.
        if self.one_database {
            name.database = None;
        }
        self.inner.load(&name, &Arc::new(Schema::new(fields)), &sql, batches)
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.inner.begin_snapshot()
    }
    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.inner.end_snapshot()
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let columns = self.inner.columns(sql)?;
        let canonical = self.canonical(&columns)?;
        let known: Vec<CanonicalType> = canonical.iter().flatten().copied().collect();
        let mut written = self.adapter.ddl_types(&known).map_err(told)?.into_iter();
        // In the product's own words, as its catalog has them.
        let one = |(f, c): (&Arc<Field>, Option<CanonicalType>)| DescribedColumn { name: f.name().clone(), native: c.and_then(|_| written.next()).unwrap_or_else(|| self.shown(f)) };
        Ok(columns.fields().iter().zip(canonical).map(one).collect())
    }

    fn canceller(&self) -> Canceller {
        self.inner.canceller()
    }
    fn server_version(&mut self) -> Result<String, EngineError> {
        self.inner.server_version()
    }
    fn is_open(&self) -> bool {
        self.inner.is_open()
    }
}

/// The parts of a quoted name: one to three, with points between.
fn unquoted(table: &str, open: &str, close: &str) -> Option<TableName> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = table.trim();
    loop {
        let mut part = String::new();
        rest = rest.strip_prefix(open)?;
        loop {
            let end = rest.find(close)?;
            part.push_str(&rest[..end]);
            rest = &rest[end + close.len()..];
            // A quote that belongs to the name stands twice.
            let Some(more) = rest.strip_prefix(close) else { break };
            part.push_str(close);
            rest = more;
        }
        parts.push(part);
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix('.')?;
    }
    let identifier = parts.pop()?;
    let schema = parts.pop();
    let database = parts.pop();
    parts.is_empty().then_some(TableName { database, schema, identifier })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::unquoted;

    #[test]
    fn a_quoted_name_has_its_parts_and_anything_else_is_none() {
        let parts = |text: &str, open: &str, close: &str| unquoted(text, open, close).map(|t| (t.database, t.schema, t.identifier));
        assert_eq!(parts(r#""s"."a ""b"".c""#, "\"", "\""), Some((None, Some("s".to_owned()), "a \"b\".c".to_owned())));
        assert_eq!(parts("[d].[s].[t]]x]", "[", "]"), Some((Some("d".to_owned()), Some("s".to_owned()), "t]x".to_owned())));
        assert_eq!(parts("`t`", "`", "`"), Some((None, None, "t".to_owned())));
        for wrong in ["t", r#""t"#, r#""a"."b"."c"."d""#, r#""a"."#, r#""a" x"#] {
            assert_eq!(parts(wrong, "\"", "\""), None, "{wrong}");
        }
    }
}
