//! What is built: every materialization on both paths, each with an old state and the one new state a whole run gives.

use super::cli::World;
use super::product::{Direct, Old, Postgres, Product};
use super::proxy::Proxy;

pub struct Scenario {
    /// As the matrix names it.
    pub name: &'static str,
    /// The config of the model; empty for the seed.
    pub config: &'static str,
    pub federated: bool,
    pub old: Old,
    pub words: &'static [&'static str],
}

const RUN: &[&str] = &["run"];

/// Every materialization on the federated path, and natively where publishing differs.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "federated table", config: "materialized='table'", federated: true, old: Old::Table, words: RUN },
    Scenario { name: "federated table under a view", config: "materialized='table'", federated: true, old: Old::TableUnderView, words: RUN },
    Scenario { name: "federated table over a view", config: "materialized='table'", federated: true, old: Old::View, words: RUN },
    Scenario { name: "federated view, built as a table", config: "materialized='view'", federated: true, old: Old::Table, words: RUN },
    Scenario {
        name: "federated incremental, append",
        config: "materialized='incremental', incremental_strategy='append'",
        federated: true,
        old: Old::Table,
        words: RUN,
    },
    Scenario {
        name: "federated incremental, delete+insert",
        config: "materialized='incremental', incremental_strategy='delete+insert', unique_key='id'",
        federated: true,
        old: Old::Table,
        words: RUN,
    },
    Scenario {
        name: "federated incremental, merge",
        config: "materialized='incremental', incremental_strategy='merge', unique_key='id'",
        federated: true,
        old: Old::Table,
        words: RUN,
    },
    Scenario {
        name: "federated incremental, --full-refresh",
        config: "materialized='incremental', unique_key='id'",
        federated: true,
        old: Old::Table,
        words: &["run", "--full-refresh"],
    },
    Scenario { name: "seed", config: "", federated: false, old: Old::Table, words: &["seed"] },
    Scenario { name: "native table", config: "materialized='table'", federated: false, old: Old::Table, words: RUN },
    Scenario { name: "native table over a view", config: "materialized='table'", federated: false, old: Old::View, words: RUN },
    Scenario { name: "native view over a table", config: "materialized='view'", federated: false, old: Old::Table, words: RUN },
    Scenario {
        name: "native incremental, delete+insert",
        config: "materialized='incremental', incremental_strategy='delete+insert', unique_key='id'",
        federated: false,
        old: Old::Table,
        words: RUN,
    },
];

impl Scenario {
    pub fn is_seed(&self) -> bool {
        self.config.is_empty()
    }
    pub fn appends(&self) -> bool {
        self.config.contains("'append'")
    }
}

/// A project whose only node builds `wide`, and the states before and after.
pub struct Stage<'a> {
    pub product: &'a dyn Product,
    pub scenario: &'a Scenario,
    pub world: World,
    /// Rows of `wide` before and after a whole run.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// The relations that a whole run leaves.
    pub relations: Vec<String>,
}

const SEED_OLD: &str = "id,note,name\n1,a,one\n2,b,two\n3,c,\n";
const SEED_NEW: &str = "id,note,name\n1,a,one\n2,B,two\n3,c,\n4,d,\n5,e,\n6,f,\n";

impl<'a> Stage<'a> {
    /// Builds the old state with dvt itself, so that its types are the model's, then the new one.
    pub fn set(product: &'a dyn Product, source: &Postgres, scenario: &'a Scenario, source_proxy: &Proxy, target_port: u16) -> Self {
        let world = World::new();
        world.write("p/dbt_project.yml", "name: p\nprofile: p\nflags: {send_anonymous_usage_stats: false}\n");
        world.write(
            "home/profiles.yml",
            &format!(
                "p:\n  target: wh\n  outputs:\n    wh: {}\n    pg: {}\n    lite: {{type: sqlite, schemas_and_paths: {{main: small.db}}}}\n",
                product.output(target_port),
                Postgres::profile(source_proxy.port, "src")
            ),
        );
        let schema = product.schema();
        world.write(
            "p/models/s.yml",
            &format!(
                "sources:\n  - {{name: pg, connection: pg, schema: src, tables: [{{name: big}}]}}\n  - {{name: lite, connection: lite, schema: main, tables: [{{name: small}}]}}\n  - {{name: here, connection: wh, schema: {schema}, tables: [{{name: base}}]}}\n"
            ),
        );
        if !scenario.is_seed() {
            let filter = if scenario.appends() { "(select max(id) from {{ this }})" } else { "1" };
            let dialect = if scenario.federated { ", dialect='duckdb'" } else { "" };
            let from = if scenario.federated {
                "select b.id, b.note, s.name from {{ source('pg', 'big') }} b left join {{ source('lite', 'small') }} s on s.id = b.id"
            } else {
                "select b.id, b.note, b.name from {{ source('here', 'base') }} b"
            };
            world.write(
                "p/models/wide.sql",
                &format!("{{{{ config({}{dialect}) }}}}\n{from}\n{{% if is_incremental() %}} where b.id > {filter} {{% endif %}}\n", scenario.config),
            );
        }
        let lite = rusqlite::Connection::open(world.path("p/small.db")).unwrap();
        lite.execute_batch("create table small (id integer, name varchar(20)); insert into small values (1, 'one'), (2, 'two')").unwrap();
        source_proxy.arm(None);
        let mut stage = Self { product, scenario, world, before: Vec::new(), after: Vec::new(), relations: Vec::new() };
        product.clear();
        stage.source_is_old(source);
        stage.dvt().ok();
        stage.product.keep(scenario.old);
        stage.product.restore(scenario.old);
        stage.before = stage.rows().unwrap();
        stage.source_is_new(source);
        if !scenario.federated && !scenario.is_seed() && product.file().is_some() {
            // The source of a native model lies in the same file as its old state.
            stage.product.keep(Old::Table);
        }
        stage.dvt().ok();
        stage.after = stage.rows().unwrap();
        stage.relations = stage.product.direct().relations();
        assert_eq!((stage.before.len(), stage.after.len()), (3, 6), "{:?} {:?}", stage.before, stage.after);
        stage
    }

    /// The command of the scenario, whole and undisturbed.
    pub fn dvt(&self) -> super::cli::Said {
        self.world.dvt("p", self.scenario.words)
    }

    /// What `wide` holds.
    pub fn rows(&self) -> Result<Vec<String>, String> {
        let schema = self.product.schema();
        self.product.direct().rows(&format!("select id, note, name from {schema}.wide order by id, note"))
    }

    /// The source's rows before the run under test.
    fn source_is_old(&self, source: &Postgres) {
        let mut direct = source.direct();
        let rows = "(1, 'a'), (2, 'b'), (3, 'c')";
        direct.run(&format!("drop table if exists src.big; create table src.big (id int, note varchar(20)); insert into src.big values {rows}")).unwrap();
        let schema = self.product.schema();
        let base = "(1, 'a', 'one'), (2, 'b', 'two'), (3, 'c', null)";
        self.product
            .direct()
            .run(&format!("drop table if exists {schema}.base; create table {schema}.base (id integer, note varchar(20), name varchar(20)); insert into {schema}.base values {base}"))
            .unwrap();
        self.world.write("p/seeds/wide.csv", SEED_OLD);
        if !self.scenario.is_seed() {
            std::fs::remove_file(self.world.path("p/seeds/wide.csv")).unwrap();
        }
    }

    /// Its rows now: two changed or three more.
    fn source_is_new(&self, source: &Postgres) {
        self.source_is_as_it_was(source);
        let schema = self.product.schema();
        self.product
            .direct()
            .run(&format!("update {schema}.base set note = 'B' where id = 2; insert into {schema}.base values (4, 'd', null), (5, 'e', null), (6, 'f', null)"))
            .unwrap();
        if self.scenario.is_seed() {
            self.world.write("p/seeds/wide.csv", SEED_NEW);
        }
    }

    /// The source as the run under test finds it, after a test spoiled it.
    pub fn source_is_as_it_was(&self, source: &Postgres) {
        let changed = if self.scenario.appends() { "b" } else { "B" };
        let rows = format!("(1, 'a'), (2, '{changed}'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')");
        source.direct().run(&format!("drop table if exists src.big; create table src.big (id int, note varchar(20)); insert into src.big values {rows}")).unwrap();
    }

    /// What the run must never leave, whatever befell it, once it was run again.
    pub fn nothing_left(&self, what: &str) {
        let mut direct = self.product.direct();
        assert_eq!(direct.relations(), self.relations, "{what}: relations of the target after the rerun");
        settled(direct.as_mut(), what);
        for folder in ["home/data/spool", "home/data/locks", "home/cache/spill"] {
            let left: Vec<_> = std::fs::read_dir(self.world.path(folder)).into_iter().flatten().map(|e| e.unwrap().file_name()).collect();
            assert!(left.is_empty(), "{what}: left in {folder}: {left:?}");
        }
        let part: Vec<_> = std::fs::read_dir(self.world.path("p/target")).unwrap().map(|e| e.unwrap().file_name()).filter(|n| n.to_string_lossy().contains(".part")).collect();
        assert!(part.is_empty(), "{what}: left in target: {part:?}");
        let mdm = duckdb::Connection::open(self.world.path("home/data/mdm.duckdb")).unwrap_or_else(|e| panic!("{what}: the MDM does not open: {e}"));
        let twice: i64 = mdm.query_row("select count(*) from (select 1 from runs group by invocation having count(*) > 1)", [], |r| r.get(0)).unwrap();
        assert_eq!(twice, 0, "{what}: the MDM holds a run twice");
    }
}

/// Waits until no session of dvt is left on the server: it ends them by itself, in its own time.
pub fn settled(direct: &mut dyn Direct, what: &str) {
    let since = std::time::Instant::now();
    loop {
        let sessions = direct.sessions();
        if sessions.is_empty() {
            return;
        }
        assert!(since.elapsed() < std::time::Duration::from_secs(20), "{what}: sessions of dvt stay on the server: {sessions:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
