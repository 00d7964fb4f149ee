//! What every adapter must do on a real target: types there and back, counts, transactions, cancelling.
//!
//! Tables of its own are made in the target's schema and dropped at the end.

use super::adapter::TYPES;
use super::{List, holds, say};
use crate::failure::explained;
use crate::plugins::Plugins;
use crate::native::NativeDrivers;
use crate::pool::{library, spec};
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dvt_engine::{Connection, EngineError, ErrorKind};
use dvt_federation::{arrow_type, drop_table};
use dvt_jinja::YamlStrings;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{Adapter, NativeColumn};
use dvt_project::{ProjectInput, RelationName};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Rows of the table whose product with itself nobody waits for.
const MANY: i32 = 2000;

/// How long a cancelled query may go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// A target to try the plugin on.
#[derive(Debug, Clone)]
pub struct Live {
    /// The text of profiles.yml.
    pub profiles: String,
    /// The only one when there is one.
    pub profile: Option<String>,
    pub target: String,
    pub env: BTreeMap<String, String>,
    /// For a plugin whose driver is a shared library.
    pub drivers: NativeDrivers,
}

/// The target's keys and secrets.
fn keys(plugins: &Plugins, live: &Live) -> Result<(Value, BTreeMap<String, Value>), String> {
    let root = dvt_project::yaml::parse("profiles.yml", &live.profiles).map_err(say)?.root.to_json();
    let names: Vec<&String> = root.as_object().into_iter().flatten().map(|(name, _)| name).filter(|n| *n != "config").collect();
    let name = match (&live.profile, names.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [one]) => (*one).clone(),
        _ => return Err(format!("say which profile with --profile: {}", names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", "))),
    };
    let adapters = plugins.adapters().into_iter().map(|(kind, a)| (kind.to_string(), a.adapter_facts().clone())).collect();
    let input = Arc::new(ProjectInput {
        files: [("dbt_project.yml".to_owned(), format!("name: contract\nprofile: {name}\nversion: '1'\n"))].into(),
        profiles: Some(live.profiles.clone()),
        profile: Some(name.clone()),
        env: live.env.clone(),
        adapters,
        ..ProjectInput::default()
    });
    let outputs = dvt_project::profile::outputs(&input, &name, &YamlStrings::new(input.clone())).map_err(say)?;
    let output = outputs.into_iter().find(|o| o.target.name.as_str() == live.target).ok_or_else(|| format!("profile `{name}` has no output `{}` that can be read", live.target))?;
    Ok((Value::Object(output.target.keys), output.secrets))
}

struct Trial<'a> {
    adapter: &'a Arc<dyn Adapter>,
    connection: Box<dyn Connection>,
    schema: Option<String>,
}

impl Trial<'_> {
    fn words(&self, e: &EngineError) -> String {
        say(explained(Some(self.adapter.as_ref()), e, "the target"))
    }
    fn table(&self, name: &str) -> RelationName {
        RelationName { database: None, schema: self.schema.clone(), identifier: format!("dvt_contract_{}_{name}", std::process::id()) }
    }
    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.connection.execute(sql).map(|_| ()).map_err(|e| self.words(&e))
    }
    fn create(&mut self, name: &str, columns: &[(String, String)]) -> Result<String, String> {
        let sheet = self.adapter.sheet();
        let table = self.table(name);
        let list: Vec<String> = columns.iter().map(|(column, native)| format!("{} {native}", sheet.quote(column))).collect();
        let (dropped, created, rendered) = (drop_table(sheet, &table), format!("create table {} ({})", sheet.render(&table), list.join(", ")), sheet.render(&table));
        self.run(&dropped)?;
        self.run(&created)?;
        Ok(rendered)
    }
    fn native(&self, kind: CanonicalType) -> Result<(String, CanonicalType), String> {
        let native = self.adapter.ddl_types(&[kind]).map_err(say)?.remove(0);
        let mapped = self.adapter.map_native(&[NativeColumn { name: "c".to_owned(), native: native.clone(), collation: None }]).map_err(say)?;
        let back = mapped.first().and_then(|m| m.canonical).ok_or_else(|| format!("{native} cannot be read back"))?;
        Ok((native, back))
    }
    fn load(&mut self, table: &str, batch: &RecordBatch) -> Result<u64, String> {
        let mut rows = std::iter::once(Ok(batch.clone()));
        self.connection.load(table, &batch.schema(), &mut rows).map_err(|e| self.words(&e))
    }
    fn read(&mut self, sql: &str, want: &SchemaRef) -> Result<RecordBatch, String> {
        let mut all = Vec::new();
        self.connection.read(sql, want, &mut |b: RecordBatch| { all.push(b); Ok(()) }).map_err(|e| self.words(&e))?;
        concat_batches(want, &all).map_err(say)
    }
}

/// The type of the target that the live checks use; None where its profile cannot be read.
pub fn target_type(plugins: &Plugins, live: &Live) -> Option<String> {
    let (keys, _) = keys(plugins, live).ok()?;
    keys.get("type").and_then(Value::as_str).map(str::to_owned)
}

pub fn check(plugins: &Plugins, name: &str, adapter: &Arc<dyn Adapter>, live: &Live, list: &mut List) {
    let what = "a session of the target opens";
    let open = || -> Result<(Box<dyn Connection>, Option<String>), String> {
        let (keys, secrets) = keys(plugins, live)?;
        if keys.get("type").and_then(Value::as_str).is_some_and(|t| t != name) {
            return Err(format!("the target's type is not `{name}`"));
        }
        let known: Vec<String> = secrets.keys().cloned().collect();
        let plan = adapter.connect(&keys, &known).map_err(say)?;
        let schema = adapter.adapter_facts().schema_keys.iter().find_map(|k| keys.get(k)?.as_str().map(str::to_owned)).or_else(|| adapter.adapter_facts().default_schema.clone());
        let library = library(&plan, adapter.as_ref(), &live.drivers).map_err(say)?;
        let connection = dvt_plugin_host::connect(adapter, &spec(&plan, &secrets, library)).map_err(|e| say(explained(Some(adapter.as_ref()), &e, "the target")))?;
        Ok((connection, schema))
    };
    let (connection, schema) = match open() {
        Ok(opened) => opened,
        Err(e) => return list.add(what, Err(e)),
    };
    let mut trial = Trial { adapter, connection, schema };
    let version = trial.connection.server_version().map_err(|e| trial.words(&e));
    list.add(what, version.clone().map(|v| format!("server {v}")));
    list.add("its version says what it can do", version.and_then(|v| adapter.capabilities(&v).map(|_| String::new()).map_err(say)));
    let types = types(&mut trial);
    list.add("values of every type come back as they were loaded", types);
    let catalog = catalog(&mut trial);
    list.add("the catalog shows a table that was made", catalog);
    let rolled = rollback(&mut trial);
    list.add("a load that is rolled back leaves nothing", rolled);
    let missing = missing(&mut trial);
    list.add("a relation that does not exist is told, and the session goes on", missing);
    let small = small(&mut trial);
    list.add("a small result keeps its limit", small);
    for table in ["types", "many"] {
        let sql = drop_table(adapter.sheet(), &trial.table(table));
        // What is left behind is told by the next line at the latest.
        let _ = trial.run(&sql);
    }
    let cancelled = cancel(trial);
    list.add("a running query can be cancelled", cancelled);
}

/// A column of each type: a plain value, the ends of its range, NULL.
fn column(kind: CanonicalType) -> Option<ArrayRef> {
    Some(match kind {
        CanonicalType::Bool => Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None])),
        CanonicalType::Int(8) => Arc::new(Int8Array::from(vec![Some(1), Some(i8::MIN), Some(i8::MAX), None])),
        CanonicalType::Int(16) => Arc::new(Int16Array::from(vec![Some(1), Some(i16::MIN), Some(i16::MAX), None])),
        CanonicalType::Int(32) => Arc::new(Int32Array::from(vec![Some(1), Some(i32::MIN), Some(i32::MAX), None])),
        CanonicalType::Int(_) => Arc::new(Int64Array::from(vec![Some(1), Some(i64::MIN), Some(i64::MAX), None])),
        CanonicalType::UInt(8) => Arc::new(UInt8Array::from(vec![Some(1), Some(0), Some(u8::MAX), None])),
        CanonicalType::UInt(16) => Arc::new(UInt16Array::from(vec![Some(1), Some(0), Some(u16::MAX), None])),
        CanonicalType::UInt(32) => Arc::new(UInt32Array::from(vec![Some(1), Some(0), Some(u32::MAX), None])),
        CanonicalType::UInt(_) => Arc::new(UInt64Array::from(vec![Some(1), Some(0), Some(u64::MAX), None])),
        CanonicalType::Float(32) => Arc::new(Float32Array::from(vec![Some(1.5), Some(-0.1), Some(f32::MAX), None])),
        CanonicalType::Float(_) => Arc::new(Float64Array::from(vec![Some(1.5), Some(-0.1), Some(1e300), None])),
        CanonicalType::Decimal(p, s) => {
            let most = 10_i128.pow(u32::from(p)) - 1;
            Arc::new(Decimal128Array::from(vec![Some(12_300), Some(-most), Some(most), None]).with_precision_and_scale(p, s as i8).ok()?)
        }
        CanonicalType::Text => Arc::new(StringArray::from(vec![Some("plain"), Some(""), Some("ä🦆 '\"\\ \t\n|,end"), None])),
        CanonicalType::Bytes => Arc::new(BinaryArray::from(vec![Some(&b"a"[..]), Some(&b""[..]), Some(&[0, 255, 10, 92, 39][..]), None])),
        CanonicalType::Date => Arc::new(Date32Array::from(vec![Some(19_782), Some(-719_162), Some(2_932_896), None])),
        CanonicalType::Time => Arc::new(Time64MicrosecondArray::from(vec![Some(45_296_789_012), Some(0), Some(86_399_999_999), None])),
        CanonicalType::Timestamp => Arc::new(TimestampMicrosecondArray::from(vec![Some(1_709_251_199_999_999), Some(-1), Some(0), None])),
        CanonicalType::TimestampTz => Arc::new(TimestampMicrosecondArray::from(vec![Some(1_709_251_199_999_999), Some(1_000_001), Some(86_400_000_000), None]).with_timezone("UTC")),
        CanonicalType::Uuid => Arc::new(StringArray::from(vec![Some("12345678-1234-1234-1234-1234567890ab"), Some("00000000-0000-0000-0000-000000000000"), Some("ffffffff-ffff-ffff-ffff-ffffffffffff"), None])),
        CanonicalType::Json => Arc::new(StringArray::from(vec![Some("{\"a\": 1}"), Some("[]"), Some("\"ä\""), None])),
        CanonicalType::Interval => return None,
    })
}

/// A type under trial: its name, the product's type for it, what that is read as, its values.
struct Tried {
    text: &'static str,
    native: String,
    back: DataType,
    values: ArrayRef,
}

fn types(trial: &mut Trial<'_>) -> Result<String, String> {
    let (mut tried, mut absent, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for text in TYPES {
        let kind: CanonicalType = text.parse()?;
        match (trial.native(kind), column(kind)) {
            (Ok((native, back)), Some(values)) => tried.push(Tried { text, native, back: arrow_type(back), values }),
            _ => absent.push(text),
        }
    }
    // The largest values of a type may be more than the product holds: then they must be refused by the column's name.
    let table = loop {
        match there(trial, &tried) {
            Ok(table) => break table,
            Err((message, true)) => {
                let named = tried.iter().position(|t| message.contains(&format!("`{}`", t.text))).ok_or(message)?;
                refused.push(tried.remove(named).text);
            }
            Err((message, false)) => return Err(message),
        }
    };
    back_again(trial, &tried, &table)?;
    let mut note = format!("{} types", tried.len());
    for (why, list) in [("no type for", absent), ("refused by name:", refused)] {
        if !list.is_empty() {
            note += &format!("; {why} {}", list.join(", "));
        }
    }
    Ok(note)
}

fn fields(int: &DataType, tried: &[Tried], kind: impl Fn(&Tried) -> DataType) -> SchemaRef {
    let mut fields = vec![Field::new("n", int.clone(), true)];
    fields.extend(tried.iter().map(|t| Field::new(t.text, kind(t), true)));
    Arc::new(Schema::new(fields))
}

/// A table of the types with their values in it; an error says whether the rows were refused for what they hold.
fn there(trial: &mut Trial<'_>, tried: &[Tried]) -> Result<String, (String, bool)> {
    let plain = |e: String| (e, false);
    let (int, _) = trial.native(CanonicalType::Int(32)).map_err(plain)?;
    let mut named = vec![("n".to_owned(), int)];
    named.extend(tried.iter().map(|t| (t.text.to_owned(), t.native.clone())));
    let table = trial.create("types", &named).map_err(plain)?;
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
    let sent = std::iter::once(number).chain(tried.iter().map(|t| t.values.clone())).collect();
    let schema = fields(&DataType::Int32, tried, |t| t.values.data_type().clone());
    let batch = RecordBatch::try_new(schema, sent).map_err(|e| plain(say(e)))?;
    let mut rows = std::iter::once(Ok(batch.clone()));
    match trial.connection.load(&table, &batch.schema(), &mut rows) {
        Ok(4) => Ok(table),
        Ok(rows) => Err((format!("4 rows were loaded, {rows} acknowledged"), false)),
        Err(e) => Err((trial.words(&e), e.kind == ErrorKind::Type)),
    }
}

fn back_again(trial: &mut Trial<'_>, tried: &[Tried], table: &str) -> Result<(), String> {
    let (_, int) = trial.native(CanonicalType::Int(32))?;
    let sheet = trial.adapter.sheet();
    let names: Vec<String> = std::iter::once("n").chain(tried.iter().map(|t| t.text)).map(|n| sheet.quote(n)).collect();
    let sql = format!("select {} from {table} order by {}", names.join(", "), sheet.quote("n"));
    let got = trial.read(&sql, &fields(&arrow_type(int), tried, |t| t.back.clone()))?;
    for (i, t) in tried.iter().enumerate() {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let back = cast_with_options(got.column(i + 1), t.values.data_type(), &options).map_err(|e| format!("{} as {}: {e}", t.text, t.native))?;
        if back.to_data() != t.values.to_data() {
            return Err(format!("{} as {}: sent {:?}, came back {back:?}", t.text, t.native, t.values));
        }
    }
    Ok(())
}

fn catalog(trial: &mut Trial<'_>) -> Result<String, String> {
    let name = trial.table("types");
    for sql in [trial.adapter.catalog_sql(std::slice::from_ref(&name)).map_err(say)?, trial.adapter.list_sql(None, name.schema.as_deref().unwrap_or_default()).map_err(say)?] {
        let rows = trial.connection.query(&sql, None).map_err(|e| trial.words(&e))?;
        let at = rows.schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case("name")).ok_or("a catalog query gives no column `name`")?;
        let found = rows.batches.iter().any(|b| (0..b.num_rows()).any(|row| crate::introspect::cell(b.column(at), row).is_some_and(|n| n.eq_ignore_ascii_case(&name.identifier))));
        if !found {
            return Err(format!("`{}` is not in: {sql}", name.identifier));
        }
    }
    Ok(String::new())
}

fn numbers(rows: i32) -> Result<RecordBatch, String> {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from_iter_values(0..rows))]).map_err(say)
}

fn count(trial: &mut Trial<'_>, table: &str) -> Result<String, String> {
    let rows = trial.connection.query(&format!("select count(*) as n from {table}"), None).map_err(|e| trial.words(&e))?;
    let batch = rows.batches.iter().find(|b| b.num_rows() > 0).ok_or("count(*) gives no row")?;
    Ok(crate::introspect::cell(batch.column(0), 0).unwrap_or_default())
}

fn rollback(trial: &mut Trial<'_>) -> Result<String, String> {
    let (int, _) = trial.native(CanonicalType::Int(32))?;
    let table = trial.create("many", &[("n".to_owned(), int)])?;
    trial.run("BEGIN")?;
    trial.load(&table, &numbers(MANY)?)?;
    trial.run("ROLLBACK")?;
    let left = count(trial, &table)?;
    if left != "0" {
        return Err(format!("{left} rows are left"));
    }
    trial.run("BEGIN")?;
    trial.load(&table, &numbers(MANY)?)?;
    trial.run("COMMIT")?;
    let kept = count(trial, &table)?;
    holds(kept == MANY.to_string(), || format!("after a commit {kept} rows are there, not {MANY}"))
}

fn missing(trial: &mut Trial<'_>) -> Result<String, String> {
    match trial.connection.query("select * from dvt_no_such_relation", None) {
        Ok(_) => Err("it was read".to_owned()),
        Err(e) => {
            let told = explained(Some(trial.adapter.as_ref()), &e, "the target").code;
            trial.connection.query("select 1 as one", None).map_err(|e| trial.words(&e))?;
            Ok(told.to_string())
        }
    }
}

fn small(trial: &mut Trial<'_>) -> Result<String, String> {
    let table = trial.adapter.sheet().render(&trial.table("many"));
    let rows = trial.connection.query(&format!("select * from {table}"), Some(3)).map_err(|e| trial.words(&e))?;
    let rows: usize = rows.batches.iter().map(RecordBatch::num_rows).sum();
    holds(rows == 3, || format!("{rows} rows came, 3 were asked"))
}

/// The last check: it ends the session.
fn cancel(mut trial: Trial<'_>) -> Result<String, String> {
    let (int, _) = trial.native(CanonicalType::Int(32))?;
    let table = trial.create("many", &[("n".to_owned(), int)])?;
    trial.load(&table, &numbers(MANY)?)?;
    let canceller = trial.connection.canceller();
    let endless = format!("select count(*) from {table} a, {table} b, {table} c, {table} d, {table} e where a.n + b.n + c.n + d.n + e.n > -1");
    let (sender, receiver) = channel();
    let mut connection = trial.connection;
    std::thread::spawn(move || {
        let ended = connection.query(&endless, None);
        // A receiver that is gone has lost its patience.
        let _ = sender.send(ended.map(|_| ()));
    });
    let start = Instant::now();
    let outcome = loop {
        match receiver.recv_timeout(Duration::from_millis(200)) {
            Ok(ended) => break ended,
            Err(RecvTimeoutError::Timeout) if start.elapsed() < PATIENCE => canceller(),
            Err(_) => return Err(format!("it went on for {} seconds", PATIENCE.as_secs())),
        }
    };
    match outcome {
        Err(e) if e.kind == ErrorKind::Cancelled => Ok(String::new()),
        Err(e) => Err(format!("it ended as another error: {}", say(explained(Some(trial.adapter.as_ref()), &e, "the target")))),
        Ok(()) => Err("it ran to its end".to_owned()),
    }
}
