//! Tables of hostile data that can stand in any of four databases, and a query run over them in several ways.
//!
//! Every table also stands in one database of the model's dialect that holds all: what that answers to the query's own text
//! is the truth.
#![allow(dead_code)]

#[path = "../answers/mod.rs"]
pub mod answers;
pub mod spoken;

use answers::Product;
use spoken::Spoken;
use super::servers::PostgresServer;
use super::servers::mariadb::MariadbServer;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_diagnostic::Diagnostic;
use arrow::datatypes::{DataType, Field, Schema};
use dvt_engine::{ComputeSettings, ConnectSpec, Connection, EngineError, ReadCount, Stop, connect};
use dvt_federation::{Budget, Cancellation, Computed, Context, Estimates, ResultColumn, ResultSink, Silent, Sources, Types};
use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::{FederatedPlan, Sink};
use dvt_planner::pushdown::verdict::Rules;
use dvt_planner::{PlanRequest, RelationUse, plan_by};
use dvt_project::{ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use dvt_tests::tpch;
use std::path::Path;

/// How large the planner is told that a table of a few rows is, so that what only pays for many rows is planned too:
/// what the text's first line says (`-- rows: orders 100000, customers 10`), or of every other text any size.
fn told(sql: &str, table: usize, name: &str) -> Option<u64> {
    if let Some((list, _)) = sql.strip_prefix("-- rows: ").and_then(|t| t.split_once('\n')) {
        return list.split(", ").find_map(|one| one.strip_prefix(name)?.trim().parse().ok());
    }
    let large = [10, 1_000, 100_000][(sql.len() >> table) % 3];
    (sql.len() % 2 == 1).then_some(large)
}

/// Name, columns as `name type` (`~` behind text: a loose collation where the database has one), rows in DuckDB's words.
pub const TABLES: [(&str, &str, &str); 5] = [
    (
        "orders",
        "id int64, customer_id int64, status text, amount decimal(15;2), ordered date, note text~, weight float64",
        "(1, 1, 'complete', 10.50, '2024-01-01', 'n', 1.5), (2, 1, 'Complete', -0.01, '2023-12-31', 'N', '-0'),
         (3, 2, '', 9999999999999.99, '9999-12-31', '', 'NaN'), (4, null, null, null, null, null, null),
         (5, 3, 'complete ', 0, '0001-01-01', 'n ', 1e308), (6, 9, 'ß', 1.00, '2024-02-29', 'ß', -1e308),
         (7, 2, 'complete', 10.50, '2024-01-01', 'ss', 'Infinity'), (9223372036854775807, 1, 'it''s', 5, '2024-06-01', 'n', 2),
         (-9223372036854775807, 3, 'İ', -9999999999999.99, '1970-01-01', 'i', 0), (8, 5, 'a', 1, null, null, '-Infinity'),
         (2, 1, 'Complete', -0.01, '2023-12-31', 'n', '0')",
    ),
    (
        "customers",
        "id int64, name text, country text~, active bool, since date, credit decimal(15;2)",
        "(1, 'Ann', 'US', true, '2020-01-01', '10.50'), (2, 'ann', 'us', false, '2024-01-01', '-1.00'),
         (3, 'İ', 'Us', true, null, null), (4, '', '', null, '9999-12-31', '0.01'), (5, null, null, true, '2020-02-29', '7.00'),
         (6, 'a', 'US ', false, '2024-01-01', '10.50'), (1, 'ss', 'ß', null, '1999-12-31', '0.00')",
    ),
    (
        "items",
        "order_id int64, sku text, note text~, qty int32, shipped timestamp, price decimal(15;2)",
        "(1, 'a', 'A', 1, '2024-01-01 00:00:00', 1.00), (1, 'A', 'a', 2, null, 0.01), (2, '', '', 2147483647, '2024-03-31 02:30:00', 10.50),
         (3, null, null, -2147483648, '1999-12-31 23:59:59.999999', null), (7, 'a', 'a ', 5, '2024-10-27 02:30:00', 7.00),
         (null, 'z', 'Z', null, null, -1.00), (5, 'ß', 'ss', 3, '9999-12-31 23:59:59', 99.99), (1, 'a', 'A', 1, '2024-01-01 00:00:00', 1.00)",
    ),
    (
        "lines",
        "order_id int64, line int32, sku text, pieces int32, price decimal(15;2), returned date",
        "(1, 1, 'a', 2147483647, 10.50, null), (1, 2, 'A', 2147483647, -0.01, '2024-01-01'), (2, 1, '', -2147483648, 0.00, '9999-12-31'),
         (7, 1, null, null, null, null), (3, 1, 'a ', 1, 9999999999999.99, '0001-01-01'), (3, 2, 'ß', 2, 9999999999999.99, null),
         (null, 9, 'a', 3, 1.00, '2024-02-29'), (9223372036854775807, 1, 'z', 4, 1.00, '1970-01-01')",
    ),
    (
        "stores",
        "id int64, region text, opened date",
        "(1, 'EU', '2024-01-01'), (2, 'eu', '0001-01-01'), (3, '', null), (5, null, '9999-12-31'), (7, 'ß', '2020-02-29'), (9223372036854775807, 'EU', '1999-12-31')",
    ),
];

/// What the catalog calls unique. Of orders it is not true: no answer may depend on it.
fn unique(table: &str, first: &str) -> Vec<Vec<String>> {
    let names: &[&str] = match table {
        "orders" | "customers" | "stores" if first == "id" => &["id"],
        "orders" => &["o_orderkey"],
        "lines" => &["order_id", "line"],
        "region" => &["r_regionkey"],
        "nation" => &["n_nationkey"],
        "customer" => &["c_custkey"],
        "part" => &["p_partkey"],
        "partsupp" => &["ps_partkey", "ps_suppkey"],
        "supplier" => &["s_suppkey"],
        "lineitem" => &["l_orderkey", "l_linenumber"],
        _ => return Vec::new(),
    };
    vec![names.iter().map(|n| (*n).to_owned()).collect()]
}

/// Which target holds each of [`TABLES`].
pub type Placement = [&'static str; 5];

pub struct World {
    pub specs: BTreeMap<&'static str, ConnectSpec>,
    /// Name and columns, as in [`TABLES`].
    tables: Vec<(String, String)>,
    /// The schema of a target that holds the tables.
    schema: fn(&str) -> &'static str,
    native: fn(&str, &str) -> (&'static str, Collation),
    /// Rows of each table, where its sources are to know them.
    sizes: Vec<Option<u64>>,
    sheets: Sheets,
    /// The dialect that queries are written in.
    pub spoken: Spoken,
    truth: RefCell<Box<dyn Connection>>,
    /// The server of another dialect than the compute's that holds all.
    product: Option<RefCell<Product>>,
    settings: ComputeSettings,
    /// What is open anyway is not opened for every query.
    kept: (dvt_engine::Compute, Box<dyn Connection>),
    folder: tempfile::TempDir,
    servers: (Option<PostgresServer>, Option<MariadbServer>),
}

/// What the executor sees: it wants to be shared between threads.
struct Opened<'a>(&'a BTreeMap<&'static str, ConnectSpec>);

impl Sources for Opened<'_> {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError> {
        connect(&self.0[target.as_str()])
    }
}

/// The database that holds all, without what makes it answer wrongly at times (see `Compute::open`).
fn oracle(specs: &BTreeMap<&'static str, ConnectSpec>) -> Box<dyn Connection> {
    let mut connection = connect(&specs["all"]).unwrap();
    connection.execute("SET disabled_optimizers = 'join_filter_pushdown'").unwrap();
    connection
}

fn spec(driver: &str, options: &[(&str, &str)]) -> ConnectSpec {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ConnectSpec { driver: driver.into(), options, application: "dvt-test".into(), ..ConnectSpec::default() }
}

pub fn schema_of(target: &str) -> &'static str {
    match target {
        "pg" => "public",
        "my" => "src",
        _ => "main",
    }
}

fn dialect_of(target: &TargetName) -> Option<DialectName> {
    Some(DialectName::from(match target.as_str() {
        "pg" | "pg2" => "postgres",
        "my" => "mysql",
        "lite" => "sqlite",
        _ => "duckdb",
    }))
}

fn schema_of_tpch(target: &str) -> &'static str {
    if ["pg", "pg2", "my"].contains(&target) { "src" } else { "main" }
}

fn native_of_tpch(target: &str, kind: &str) -> (&'static str, Collation) {
    let target = if target == "pg2" { "pg" } else { target };
    let (native, collation) = native(target, kind);
    (native, if (target, kind) == ("my", "text") { Collation::Loose } else { collation })
}

/// How a target declares a column, and whether its text compares by bytes there.
fn native(target: &str, kind: &str) -> (&'static str, Collation) {
    let text = match (target, kind) {
        ("pg", "text~") => return ("text collate loose", Collation::Loose),
        ("my", "text~") => return ("varchar(60) collate utf8mb4_general_ci", Collation::Loose),
        ("lite", "text~") => return ("text collate nocase", Collation::Loose),
        ("my", "text") => "varchar(60) collate utf8mb4_nopad_bin",
        ("lite", "int64" | "int32") => "integer",
        ("lite", "bool") => "boolean",
        ("lite", "float64") => "real",
        ("lite", _) => "text",
        (_, "int64") => "bigint",
        (_, "int32") => "integer",
        (_, "bool") => "boolean",
        (_, "date") => "date",
        ("my", "timestamp") => "datetime(6)",
        (_, "timestamp") => "timestamp",
        ("my", "float64") => "double",
        (_, "float64") => "double precision",
        (_, "decimal(15;2)") => "decimal(15,2)",
        _ => "text",
    };
    (text, Collation::Binary)
}

impl World {
    /// Four databases, or two without servers, with nothing in them.
    fn empty(servers: bool, tables: Vec<(String, String)>, schema: fn(&str) -> &'static str, native: fn(&str, &str) -> (&'static str, Collation)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut specs = BTreeMap::from([
            ("lite", spec("sqlite", &[("path", &path("lite.db")), ("create", "true")])),
            ("duck", spec("duckdb", &[("path", &path("duck.duckdb")), ("create", "true")])),
            ("all", spec("duckdb", &[("path", &path("all.duckdb")), ("create", "true")])),
        ]);
        let (pg, my) = (servers.then(PostgresServer::start), servers.then(MariadbServer::start));
        if let (Some(pg), Some(my)) = (&pg, &my) {
            let (pg, my) = (pg.port.to_string(), my.port.to_string());
            // One server stands for two databases where a placement says so.
            for name in ["pg", "pg2"] {
                specs.insert(name, spec("postgres", &[("host", "127.0.0.1"), ("port", &pg), ("user", "dvt"), ("dbname", "postgres"), ("sslmode", "disable")]));
            }
            specs.insert("my", spec("mysql", &[("host", "127.0.0.1"), ("port", &my), ("user", "dvt"), ("sslmode", "disable")]));
        }
        let mut sheets = Sheets::default();
        for product in ["sqlite", "duckdb", "postgres", "mysql"] {
            let sheet = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../plugins/adapters").join(product).join("dialect.toml");
            sheets.add(&std::fs::read_to_string(sheet).unwrap()).unwrap();
        }
        let truth = RefCell::new(oracle(&specs));
        let kept = (dvt_engine::Compute::open(&ComputeSettings::default()).unwrap(), connect(&specs["duck"]).unwrap());
        Self { kept, specs, spoken: spoken::DUCKDB, product: None, sizes: vec![None; tables.len()], tables, schema, native, sheets, truth, settings: ComputeSettings::default(), folder, servers: (pg, my) }
    }

    /// [`TABLES`] in every database that can hold them. `servers`: with PostgreSQL and MariaDB beside SQLite and DuckDB.
    pub fn start(servers: bool) -> Self {
        Self::start_in(servers, spoken::DUCKDB)
    }

    /// As `start`, for models in that dialect.
    pub fn start_in(servers: bool, spoken: Spoken) -> Self {
        let tables = TABLES.iter().map(|(name, columns, _)| ((*name).to_owned(), (*columns).to_owned())).collect();
        let mut world = Self::empty(servers, tables, schema_of, native);
        if servers {
            world.execute("my", "create database src character set utf8mb4");
            world.execute("pg", "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
        }
        for target in world.specs.keys().filter(|t| **t != "pg2") {
            for (name, columns, rows) in TABLES {
                // Some values have no place everywhere: NaN and truth values in MariaDB, NaN in SQLite.
                if !may_hold(spoken, target, name) {
                    continue;
                }
                let rows = spoken.rows(rows);
                let list: Vec<String> = columns.split(", ").map(|c| c.split_once(' ').unwrap()).map(|(n, k)| format!("{n} {}", native(target, k).0)).collect();
                let rows = if *target == "lite" { rows.replace("true", "1").replace("false", "0") } else { rows };
                let table = format!("{}.{name}", schema_of(target));
                world.execute(target, &format!("create table {table} ({})", list.join(", ")));
                world.execute(target, &format!("insert into {table} values {rows}"));
            }
        }
        world.spoken = spoken;
        world.product = spoken.product(&world).map(RefCell::new);
        world
    }

    /// All tables of TPC-H in every database.
    pub fn tpch(scale: f64) -> Self {
        let kinds = |columns: &str| columns.split(", ").map(|c| c.replace(" int", " int64").replace(" dec", " decimal(15;2)")).collect::<Vec<_>>().join(", ");
        let tables: Vec<(String, String)> = tpch::TABLES.iter().map(|(name, columns)| ((*name).to_owned(), kinds(columns))).collect();
        let mut world = Self::empty(true, tables, schema_of_tpch, native_of_tpch);
        let names: Vec<&str> = tpch::TABLES.iter().map(|(t, _)| *t).collect();
        let (Some(pg), Some(my)) = &world.servers else { unreachable!("there are servers") };
        tpch::postgres(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", pg.port), "src", &names, scale).unwrap();
        tpch::mysql(my.port, "src", &names, scale).unwrap();
        for (target, file) in [("lite", "tpch.sqlite"), ("duck", "tpch.duckdb"), ("all", "alltpch.duckdb")] {
            let path = world.folder.path().join(file);
            match target {
                "lite" => tpch::sqlite(&path, &names, scale).unwrap(),
                _ => tpch::duckdb(&path, &names, scale).unwrap(),
            }
            world.specs.get_mut(target).unwrap().options.insert("path".into(), path.to_str().unwrap().into());
        }
        world.kept.1 = connect(&world.specs["duck"]).unwrap();
        world.truth = RefCell::new(oracle(&world.specs));
        world.sizes = names.iter().map(|name| Some(world.counted("all", &format!("select 1 from {name}"), &[("n".to_owned(), "int32")]).rows)).collect();
        world
    }

    /// The rows and bytes that a query gives, its columns named and typed as in [`tpch::TABLES`].
    pub fn counted(&self, target: &str, sql: &str, columns: &[(String, &str)]) -> ReadCount {
        let field = |(name, kind): &(String, &str)| {
            let kind = match *kind {
                "int" => DataType::Int64,
                "int32" => DataType::Int32,
                "dec" => DataType::Decimal128(15, 2),
                "date" => DataType::Date32,
                _ => DataType::Utf8,
            };
            Field::new(name, kind, true)
        };
        let want = std::sync::Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let mut bytes = 0;
        let mut count = |batch: RecordBatch| -> Result<(), Stop> {
            bytes += dvt_engine::batch_bytes(&batch);
            Ok(())
        };
        let read = connect(&self.specs[target]).unwrap().read(sql, &want, &mut count).unwrap_or_else(|e| panic!("{sql}: {}", e.message));
        ReadCount { rows: read.rows, bytes }
    }

    /// As `counted`, typed as the database describes the query; what TPC-H has no type for counts as its text.
    pub fn counted_as_told(&self, target: &str, sql: &str) -> ReadCount {
        let described = connect(&self.specs[target]).unwrap().describe(sql).unwrap_or_else(|e| panic!("{sql}: {}", e.message));
        let kind = |native: &str| match native {
            "bigint" => "int",
            "integer" => "int32",
            "numeric(15,2)" => "dec",
            "date" => "date",
            "text" => "text",
            _ => "other",
        };
        let names: Vec<String> = (0..described.len()).map(|i| format!("c{i}")).collect();
        let kinds: Vec<(String, &str)> = names.iter().cloned().zip(described.iter().map(|d| kind(&d.native))).collect();
        let list = kinds.iter().map(|(name, kind)| if *kind == "other" { format!("{name}::text") } else { name.clone() });
        let list = if kinds.is_empty() { String::new() } else { list.collect::<Vec<_>>().join(", ") };
        self.counted(target, &format!("select {list} from ({sql}) as told ({})", names.join(", ")), &kinds)
    }

    pub fn postgres_port(&self) -> u16 {
        self.servers.0.as_ref().map_or(0, |s| s.port)
    }

    pub fn mariadb_port(&self) -> u16 {
        self.servers.1.as_ref().map_or(0, |s| s.port)
    }

    /// The statements that PostgreSQL wrote down, if it was told to.
    pub fn logged(&self) -> Vec<String> {
        let text = self.servers.0.as_ref().map(|s| std::fs::read_to_string(&s.log).unwrap()).unwrap_or_default();
        let mut out: Vec<String> = Vec::new();
        let mut within = false;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix('\t') {
                if let (true, Some(last)) = (within, out.last_mut()) {
                    last.push(' ');
                    last.push_str(rest);
                }
                continue;
            }
            let said = line.split_once("LOG:  statement: ").map(|s| s.1);
            let executed = line.split_once("LOG:  execute ").filter(|s| !s.1.starts_with("fetch from")).and_then(|s| s.1.split_once(": ")).map(|s| s.1);
            within = said.or(executed).is_some();
            out.extend(said.or(executed).map(str::to_owned));
        }
        out
    }

    pub fn execute(&self, target: &str, sql: &str) {
        connect(&self.specs[target]).unwrap().execute(sql).unwrap_or_else(|e| panic!("{target}: {sql}: {}", e.message));
    }

    /// What one database of the model's dialect answers that holds all tables, whose sources are as in `placement`.
    pub fn truth_of(&self, template: &str, placement: &[&str]) -> Result<Vec<String>, String> {
        let Some(product) = &self.product else { return self.truth(template) };
        let sheet = self.sheets.get(&DialectName::from(self.spoken.dialect)).unwrap();
        let mut sql = template.to_owned();
        for ((name, _), target) in self.tables.iter().zip(placement) {
            let own = RelationName { database: None, schema: Some(self.spoken.schema(target).into()), identifier: name.as_str().into() };
            sql = sql.replace(&format!("{{{name}}}"), &sheet.render(&own));
        }
        product.borrow_mut()(&sql).map(|answer| self.spoken.seen(answer))
    }

    /// What one DuckDB answers that holds all tables; an error in its words.
    pub fn truth(&self, template: &str) -> Result<Vec<String>, String> {
        let answer = self.truth.borrow_mut().query(&template.replace(['{', '}'], ""), None).map_err(|e| e.message)?;
        Ok(rows(&answer.batches))
    }

    pub fn plan(&self, template: &str, placement: &[&str], rules: &Rules, no_pushdown: bool) -> Result<FederatedPlan, Diagnostic> {
        let reference = |name: &str| {
            let target = placement[self.tables.iter().position(|t| t.0 == name).unwrap()];
            let relation = RelationName { database: None, schema: Some((self.schema)(target).into()), identifier: name.into() };
            RelationRef { target: TargetName::from(target), name: relation }
        };
        let dialect = DialectName::from(self.spoken.dialect);
        let sheet = self.sheets.get(&dialect)?;
        let (mut sql, mut rest) = (String::new(), template);
        let mut relations: Vec<RelationUse> = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            sql.push_str(before);
            let relation = reference(name);
            let start = sql.len();
            sql.push_str(&sheet.render(&relation.name));
            relations.push(RelationUse { relation, at: std::iter::once(start..sql.len()).collect() });
            rest = after;
        }
        sql.push_str(rest);
        let mut catalog = Catalog::default();
        for (i, (name, columns)) in self.tables.iter().enumerate() {
            let first = columns.split(' ').next().unwrap_or_default();
            let columns = columns.split(", ").map(|c| {
                let (column, kind) = c.split_once(' ').unwrap();
                let (native, collation) = (self.native)(placement[i], kind);
                let canonical = kind.trim_end_matches('~').replace(';', ",").parse().unwrap();
                ColumnSchema { name: column.into(), native: native.into(), canonical: Some(canonical), refused: None, collation }
            });
            catalog.insert(reference(name), RelationSchema { columns: columns.collect(), rows: self.sizes[i].or_else(|| told(template, i, name)), bytes: None, unique: unique(name, first) });
        }
        let duckdb = DialectName::from("duckdb");
        let request = PlanRequest {
            unique_id: &UniqueId::from("model.t.q"),
            sql: &sql,
            relations: &relations,
            dialect: &dialect,
            compute: &ComputeName::from("default"),
            compute_dialect: &duckdb,
            target_dialect: &dialect_of,
            sheets: &self.sheets,
            catalog: &catalog,
            sink: Sink { target: TargetName::from("all"), relation: reference(&self.tables[0].0).name, materialized: "table".into() },
            no_pushdown,
        };
        plan_by(&request, rules)
    }

    pub fn run(&self, plan: &FederatedPlan) -> Result<(Vec<String>, Computed), Diagnostic> {
        let given = guessed(plan);
        // Nor would they have more keys than are listed: of every third plan they have; of another the keys are one literal.
        let mut few;
        let plan = match plan.scans.iter().map(|s| s.sql.len()).sum::<usize>() % 3 {
            form @ 0..2 if self.sizes.iter().all(Option::is_none) => {
                few = plan.clone();
                few.reductions.iter_mut().for_each(|r| match &mut r.array {
                    Some(array) if form == 1 => array.from = 1,
                    array => (*array, r.most) = (None, if form == 0 { 3 } else { r.most }),
                });
                &few
            }
            _ => plan,
        };
        // Tables of a few rows would never wait for each other: they are told to be large, in an order of no meaning.
        let estimates = if self.sizes.iter().all(Option::is_none) { Estimates::Given(&given) } else { Estimates::WhereNeeded };
        let (sources, cancel) = (Opened(&self.specs), Cancellation::default());
        let context = Context { sources: &sources, settings: &self.settings, types: self.product.as_ref().map(|_| &spoken::Families as &dyn Types), progress: &Silent, cancel: &cancel, outer: None, budget: Budget::default(), estimates, history: None, sharing: None };
        let mut kept = Kept::default();
        let computed = dvt_federation::run(plan, context, &mut kept)?;
        let rows = match &self.product {
            None => rows(&kept.batches),
            Some(_) => {
                let told = |i: usize| kept.batches.first().map_or("other", |b| spoken::family_of(b.column(i).data_type()));
                let columns = kept.columns.iter().enumerate().map(|(i, c)| (c.name.clone(), c.canonical.map_or_else(|| told(i), spoken::family)));
                let columns: Vec<(String, &'static str)> = columns.collect();
                self.spoken.seen(answers::of_batches(&columns, &kept.batches))
            }
        };
        Ok((rows, computed))
    }
}

#[derive(Default)]
struct Kept {
    columns: Vec<ResultColumn>,
    batches: Vec<RecordBatch>,
}
impl ResultSink for Kept {
    fn columns(&mut self, columns: Vec<ResultColumn>) -> Result<(), Stop> {
        self.columns = columns;
        Ok(())
    }
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop> {
        self.batches.push(batch);
        Ok(())
    }
}

/// Rows of each scan, a hundred times more from one to the next, in an order that the plan's text decides.
fn guessed(plan: &FederatedPlan) -> Vec<Option<u64>> {
    let text: String = plan.scans.iter().map(|s| s.sql.as_str()).collect();
    let mut seed = text.bytes().fold(plan.scans.len() as u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut order: Vec<usize> = (0..plan.scans.len()).collect();
    for i in (1..order.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        order.swap(i, (seed >> 33) as usize % (i + 1));
    }
    order.into_iter().map(|rank| Some(10 * 100_u64.pow(rank.min(8) as u32))).collect()
}

/// Whether a target can hold a table's values.
pub fn may_hold(spoken: Spoken, target: &str, table: &str) -> bool {
    match table {
        "orders" => matches!(target, "pg" | "duck" | "all") || matches!(spoken.home, "my" | "lite"),
        "customers" => target != "my",
        _ => true,
    }
}

/// Rows as sorted text with types, so that 1 and 1.00 differ.
pub fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut out = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|c| format!("{}:{}", c.data_type(), ArrayFormatter::try_new(c.as_ref(), &options).unwrap().value(row)));
            out.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    out.sort();
    out
}

/// What a source was asked and what the compute ran, to read when two answers differ.
pub fn shown(plan: &FederatedPlan) -> String {
    let mut out: Vec<String> = plan.scans.iter().map(|s| format!("    {} <- {}", s.source, s.sql)).collect();
    out.extend(plan.residual.iter().map(|r| format!("    {}", r.sql)));
    out.join("\n")
}
