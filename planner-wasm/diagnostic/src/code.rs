//! Every code dvt prints, once, with its explanation (`dvt explain-code`).

use serde::{Deserialize, Serialize};

/// What `dvt explain-code` and the docs show about a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeEntry {
    pub code: Code,
    pub number: u16,
    pub title: &'static str,
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $explanation:literal;)*) => {
        /// A stable error, warning or note number. Prints as `DVT001`, `DVT1001`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            pub fn entry(self) -> CodeEntry {
                match self { $(Self::$name => CodeEntry { code: self, number: $number, title: $title, explanation: $explanation },)* }
            }
        }

        /// All codes in ascending order of number.
        pub fn all_codes() -> &'static [Code] { &[$(Code::$name,)*] }
    };
}

// Ranges (SPEC section 11): 1xxx project and YAML, 2xxx Jinja and resolution, 3xxx SQL,
// 4xxx federation, 5xxx plugins and adapters, 6xxx run and artifacts.
codes! {
    ViewCoerced = 1, "view coerced to table", "A federated model cannot be a view: its inputs live on several databases. It is built as a table. Set materialized: table to silence this.";
    PrecisionLost = 2, "precision lost", "A value does not fit its column's type exactly. Nothing was rounded: the node failed before publishing.";
    NotTranslatable = 3, "not translatable", "The SQL uses something whose meaning in the model's dialect cannot be reproduced in the compute engine. Rewrite it, or declare config(dialect=...) if the text is meant in another dialect.";
    NotPushed = 5, "not pushed down", "This part of the query stays in the compute engine, with the reason. The answer does not depend on it; the rows moved do.";
    ColumnNotFound = 10, "column not found", "The relation has no such column.";
    UnknownType = 11, "type cannot be carried", "A column has a type that dvt cannot move without loss. Cast it in the query or leave it out.";
    ComputesFile = 100, "computes.yml", "computes.yml cannot be read.";
    UnknownCompute = 101, "unknown compute", "A compute name that computes.yml does not define. There is no fallback.";
    ConnectionRequired = 102, "connection required", "strict_connections is on and the source names no connection.";
    ConflictingConnections = 103, "conflicting connections", "The same source is declared with two connections.";
    SnapshotFederated = 104, "snapshot cannot federate", "This snapshot cannot be built from several targets.";
    CrossTargetTest = 105, "test across targets", "This test reads several targets and cannot be federated.";
    SelfReference = 106, "self reference", "A model reads itself outside an incremental run.";
    SchemaChange = 107, "schema change", "The type of a column changed. Run with --full-refresh or set on_schema_change.";
    ProjectNotFound = 1001, "project file not found", "No dbt_project.yml or dvt_project.yml here or in a parent folder.";
    Yaml = 1002, "YAML cannot be read", "The file is not valid YAML.";
    ProjectInvalid = 1003, "invalid project file", "A required key is missing or has the wrong type.";
    ProfileNotFound = 1004, "profile not found", "profiles.yml is missing or does not hold the project's profile.";
    ProfileInvalid = 1005, "invalid profile", "The profile or one of its outputs has a missing or wrong key.";
    PropertyInvalid = 1006, "invalid properties", "A properties file says something that cannot be used.";
    UnknownKey = 1007, "unknown key", "The key is not known here; it is ignored.";
    DuplicateKey = 1008, "duplicate key", "A YAML mapping has the same key twice; the last one counts.";
    DuplicateResource = 1009, "duplicate resource", "Two resources have the same name.";
    TwoProjectFiles = 1010, "two project files", "dbt_project.yml and dvt_project.yml are both present; dbt_project.yml counts.";
    ConfigInvalid = 1011, "invalid config value", "A config has a value that cannot be used.";
    VersionMismatch = 1012, "version out of range", "The project asks for another version.";
    PackageInvalid = 1013, "package cannot be loaded", "A package named in packages.yml cannot be loaded.";
    Dialect = 1014, "dialect sheet invalid", "A dialect sheet cannot be read.";
    Deprecated = 1015, "deprecated", "The project says something in a way that dbt 1.12 calls deprecated. It works as before; the hint says how it is written now. warn_error_options takes its name.";
    JinjaSyntax = 2001, "Jinja syntax error", "The template cannot be parsed.";
    JinjaUndefined = 2002, "undefined in Jinja", "A name or attribute is not defined.";
    JinjaError = 2003, "Jinja error", "A template raised an error while it was rendered.";
    MacroNotFound = 2004, "macro not found", "No macro of that name in the project, its packages or the built-in ones.";
    CompilerRaised = 2005, "raised by the project", "exceptions.raise_compiler_error was called.";
    RefNotFound = 2006, "ref not found", "ref() names a node that does not exist or is disabled.";
    SourceNotFound = 2007, "source not found", "source() names a source table that is not declared.";
    VarNotFound = 2008, "required var not found", "var() without a default names a var that was not given.";
    EnvVarNotFound = 2009, "env var not found", "env_var() without a default names a variable that is not set.";
    Cycle = 2010, "cycle", "The nodes depend on each other in a circle.";
    AmbiguousRef = 2011, "ambiguous ref", "Two packages have a node of that name; use ref('package', 'name').";
    NeedsDatabase = 2012, "needs a database", "The template asks a database while none is connected.";
    AmbiguousRelation = 2013, "ambiguous relation", "A relation name built from parts exists on more than one target.";
    AccessDenied = 2014, "access denied", "A ref reads a model that is private to another group, or protected in a package with restrict-access.";
    TargetNotFound = 2101, "target not found", "The name is not an output of the profile.";
    SelectorInvalid = 2201, "invalid selector", "The selection cannot be read.";
    NothingSelected = 2202, "nothing selected", "The selection matches no node.";
    DialectOverride = 2301, "dialect changed by --target", "--target moves the model to a product with another SQL dialect than the one it was written for.";
    SqlSyntax = 3001, "SQL cannot be parsed", "The compiled SQL of a federated model cannot be parsed in its dialect.";
    SqlTooDeep = 3002, "SQL nested too deep", "The query is nested deeper than the limit.";
    SqlAmbiguous = 3003, "ambiguous column", "A column name exists in several relations of the query.";
    SqlRelationUnknown = 3004, "relation of unknown target", "A federated model reads a relation that is neither a ref nor a source.";
    CollationMix = 3005, "mixed collations", "Text of two collations is compared; say which collation counts.";
    RelationMissing = 4001, "relation does not exist", "A relation that a model reads is not in its database.";
    CountMismatch = 4002, "row counts differ", "Rows read, produced and acknowledged differ. Nothing was published.";
    BudgetExceeded = 4003, "budget exceeded", "The model would move more than max_bytes_moved or max_rows_extracted.";
    ComputeFailed = 4004, "compute failed", "The compute engine could not run the query.";
    LoadFailed = 4005, "load failed", "The target did not take the rows. Nothing was published.";
    ReadFailed = 4006, "read failed", "A source could not be read to the end. Nothing was published.";
    PythonModel = 4007, "python model", "Python models are not run by dvt.";
    MaterializationUnsupported = 4008, "materialization not possible here", "This materialization cannot be built on this path or product.";
    TargetChanged = 4009, "target changed under the run", "Another session dropped or replaced the model's table after the model was compiled as an increment of it. Nothing was published: the rows at hand are only a part.";
    PluginNotFound = 5001, "plugin not found", "No plugin handles this adapter or compute type.";
    PluginInvalid = 5002, "plugin invalid", "The file is not a dvt plugin that this host can load.";
    PluginNotGranted = 5003, "plugin asks for more than granted", "The plugin imports something that it was not granted.";
    PluginTrap = 5004, "plugin trapped", "The plugin crashed. It was restarted; the run goes on.";
    PluginTimeout = 5005, "plugin timed out", "The plugin ran longer than allowed.";
    PluginMemory = 5006, "plugin out of memory", "The plugin wanted more memory than allowed.";
    PluginOutput = 5007, "plugin output too large", "The plugin returned more than allowed.";
    PluginContract = 5008, "plugin contract", "The plugin was built for another contract version or broke the contract.";
    PluginChanged = 5009, "plugin changed", "A plugin's content is not the one that the index or the lock file records.";
    ConnectionFailed = 5101, "connection failed", "The database cannot be reached.";
    AuthFailed = 5102, "authentication failed", "The database refused the user or password.";
    DatabaseMissing = 5103, "database or file missing", "The database or file does not exist.";
    DatabaseError = 5104, "database error", "The database refused a statement.";
    PermissionDenied = 5105, "permission denied", "The user may not do this.";
    EngineVersion = 5106, "file of a newer version", "The database file was written by a newer version than the engine reads.";
    EngineInvalid = 5107, "engine unusable", "An embedded engine lacks something dvt needs.";
    AdapterVersion = 5108, "adapter out of range", "require-adapters asks for another version of the adapter.";
    DatabaseBusy = 5109, "database in use", "Another process has the database file open and did not close it in time.";
    SyncFailed = 5110, "not in line", "The environment cannot be brought in line with the project's files.";
    Artifact = 6001, "artifact cannot be written", "A file under target/ cannot be written.";
    NodeFailed = 6002, "node failed", "A node failed.";
    UpstreamFailed = 6003, "skipped", "A node above failed.";
    TestFailed = 6004, "test failed", "A test found rows.";
    SeedInvalid = 6005, "seed cannot be read", "A seed file is not valid CSV or a value does not fit its type.";
    InitInvalid = 6006, "project cannot be created", "The name is not usable or the folder exists.";
    MdmBusy = 6007, "metadata busy", "the metadata store is in use by another process; the last copy is used.";
    Usage = 6008, "usage", "The command line cannot be used.";
    Internal = 6009, "internal error", "A bug in dvt. Please report it with the log.";
    Cancelled = 6010, "cancelled", "The run was cancelled.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DVT{:03}", self.entry().number)
    }
}

impl From<Code> for String {
    fn from(c: Code) -> Self {
        c.to_string()
    }
}

impl TryFrom<String> for Code {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl std::str::FromStr for Code {
    type Err = String;
    /// Accepts `DVT005`, `dvt5`, `5`.
    fn from_str(s: &str) -> Result<Self, String> {
        let digits = s.trim().trim_start_matches(['D', 'd', 'V', 'v', 'T', 't']);
        let n: u16 = digits.parse().map_err(|_| format!("`{s}` is no code"))?;
        all_codes().iter().copied().find(|c| c.entry().number == n).ok_or_else(|| format!("`{s}` is no code"))
    }
}
