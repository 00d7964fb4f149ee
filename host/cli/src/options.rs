//! Every option that several commands share, as one table: its spelling, its variable, whom it is for.
//!
//! A switch has a `--no-` form; the last word on the line counts, before or after the command. Options that only dbt
//! needs are taken and said to change nothing. Not here: what options mean.

use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;

/// On or off.
pub struct Switch {
    pub name: &'static str,
    short: Option<char>,
    /// Without its prefix; empty: none.
    env: &'static str,
    /// Leaf names of the commands that take it; empty: all.
    commands: &'static [&'static str],
    help: &'static str,
}

/// With a value, or several.
pub struct Field {
    pub name: &'static str,
    aliases: &'static [&'static str],
    short: Option<char>,
    env: &'static str,
    value: &'static str,
    pub choices: &'static [&'static str],
    pub many: bool,
    commands: &'static [&'static str],
    help: &'static str,
}

const fn switch(name: &'static str, short: Option<char>, env: &'static str, commands: &'static [&'static str], help: &'static str) -> Switch {
    Switch { name, short, env, commands, help }
}

const fn field(name: &'static str, env: &'static str, value: &'static str, choices: &'static [&'static str], help: &'static str) -> Field {
    Field { name, aliases: &[], short: None, env, value, choices, many: false, commands: &[], help }
}

const BUILDS: &[&str] = &["run", "build", "seed", "snapshot", "compile"];
const SELECTS: &[&str] = &["run", "build", "seed", "snapshot", "test", "compile", "show", "generate", "freshness", "clone", "explain", "ls"];
const TYPES: &[&str] = &["build", "test", "clone", "ls"];
const LEVELS: &[&str] = &["debug", "info", "warn", "error", "none"];
const FORMATS: &[&str] = &["text", "debug", "json", "default"];
const KINDS: &[&str] = &[
    "metric", "semantic_model", "saved_query", "source", "analysis", "function", "model", "test", "unit_test", "exposure", "snapshot", "seed", "default", "all",
];

pub const SWITCHES: &[Switch] = &[
    switch("pushdown", None, "", &[], "Let sources compute what they can; --no-pushdown reads whole tables of federated models"),
    switch("full-refresh", Some('f'), "FULL_REFRESH", &[], "Rebuild incremental models and seeds"),
    switch("fail-fast", Some('x'), "FAIL_FAST", &[], "Start nothing more after the first failure"),
    switch("quiet", Some('q'), "QUIET", &[], "Errors and data only"),
    switch("debug", Some('d'), "DEBUG", &[], "Show debug entries too"),
    switch("defer", None, "DEFER", &[], "Read what is not selected from where the manifest in --state has it"),
    switch("favor-state", None, "FAVOR_STATE", &[], "With --defer: even where the relation exists here"),
    switch("warn-error", None, "WARN_ERROR", &[], "Warnings are errors"),
    switch("use-colors", None, "USE_COLORS", &[], "Colours also where no terminal is; --no-use-colors nowhere"),
    switch("use-colors-file", None, "USE_COLORS_FILE", &[], "Changes nothing: the log file has no colours"),
    switch("print", None, "PRINT", &[], "Show what print() in templates says"),
    switch("version-check", None, "VERSION_CHECK", &[], "Heed require-dbt-version and require-dvt-version"),
    switch("write-json", None, "WRITE_JSON", &[], "Write manifest.json and run_results.json"),
    switch("partial-parse", None, "PARTIAL_PARSE", &[], "Keep what was parsed for the next command"),
    switch("show-all-deprecations", None, "SHOW_ALL_DEPRECATIONS", &[], "Show every deprecation instead of the first of each kind"),
    switch("cache-selected-only", None, "CACHE_SELECTED_ONLY", &[], "Changes nothing: relations are looked up when they are needed"),
    switch("populate-cache", None, "POPULATE_CACHE", &[], "Changes nothing: relations are looked up when they are needed"),
    switch("log-cache-events", None, "LOG_CACHE_EVENTS", &[], "Changes nothing: there are no cache events"),
    switch("send-anonymous-usage-stats", None, "SEND_ANONYMOUS_USAGE_STATS", &[], "Changes nothing: nothing is ever sent"),
    switch("upload-to-artifacts-ingest-api", None, "UPLOAD_TO_ARTIFACTS_INGEST_API", &[], "Changes nothing: nothing is ever sent"),
    switch("static-parser", None, "STATIC_PARSER", &[], "Changes nothing: every template is rendered"),
    switch("use-experimental-parser", None, "USE_EXPERIMENTAL_PARSER", &[], "Changes nothing: there is one parser"),
    switch("use-v2-parser", None, "USE_V2_PARSER", &[], "Changes nothing: there is one parser"),
    switch("hints-enabled", None, "HINTS_ENABLED", &[], "Changes nothing: hints stand in the messages"),
    switch("macro-debugging", None, "MACRO_DEBUGGING", &[], "Changes nothing"),
    switch("single-threaded", None, "SINGLE_THREADED", &[], "One node at a time"),
    switch("use-fast-test-edges", None, "USE_FAST_TEST_EDGES", &[], "Changes nothing: the order is the same"),
    switch("partial-parse-file-diff", None, "PARTIAL_PARSE_FILE_DIFF", &[], "Changes nothing"),
    switch("show-resource-report", None, "SHOW_RESOURCE_REPORT", &[], "Changes nothing"),
    switch("empty", None, "EMPTY", BUILDS, "Build from no rows: refs and sources are limited to zero"),
    switch("analyze", None, "", &["explain"], "Run the queries and show what they moved beside what was expected; nothing is written"),
    switch("introspect", None, "INTROSPECT", &["compile", "show"], "Ask the databases while rendering; --no-introspect refuses to"),
    switch("store-failures", None, "STORE_FAILURES", &["test", "build"], "Keep the rows that tests found"),
    switch("show", None, "", &["seed", "build"], "Show the first rows of each seed afterwards"),
    switch("export-saved-queries", None, "EXPORT_SAVED_QUERIES", &["build"], "Changes nothing: saved queries are not exported"),
    switch("include-saved-query", None, "INCLUDE_SAVED_QUERY", &["build"], "Changes nothing: saved queries are not exported"),
    switch("inject-ephemeral-ctes", None, "", &["compile"], "Put ephemeral models into the text"),
    switch("compile", None, "", &["generate"], "Compile the models for the docs"),
    switch("static", None, "", &["generate"], "Also write static_index.html, which holds manifest and catalog"),
    switch("empty-catalog", None, "", &["generate"], "Ask no database: a catalog without relations"),
    switch("browser", None, "", &["serve"], "Open the page in a browser"),
    switch("clean-project-files-only", None, "CLEAN_PROJECT_FILES_ONLY", &["clean"], "Remove nothing outside the project"),
    switch("lock", None, "", &["deps"], "Write package-lock.yml and install nothing"),
    switch("upgrade", None, "", &["deps"], "Look for newer versions than the lock file has"),
];

pub const FIELDS: &[Field] = &[
    field("project-dir", "PROJECT_DIR", "DIR", &[], "Folder of the project file [default: here or the nearest folder above]"),
    // Its variable moves only profiles.yml: dvt-run looks at it.
    field("profiles-dir", "", "DIR", &[], "DVT home: profiles.yml, computes.yml, data, plugins [default: ~/.dvt]"),
    field("profile", "PROFILE", "NAME", &[], "Profile to use instead of the project's"),
    Field { short: Some('t'), ..field("target", "TARGET", "NAME", &[], "Target that every model is built on") },
    field("compute", "", "NAME", &[], "Compute for federated models"),
    field("vars", "", "YAML", &[], "Vars as a YAML mapping"),
    field("threads", "", "N", &[], "Nodes in flight, and sessions per target"),
    field("max-rows-extracted", "MAX_ROWS_EXTRACTED", "N", &[], "Rows that a federated model may read from its sources; its config counts first"),
    field("max-bytes-moved", "MAX_BYTES_MOVED", "BYTES", &[], "Bytes that a federated model may read from its sources; its config counts first"),
    field("target-path", "TARGET_PATH", "DIR", &[], "Folder of artifacts [default: target]"),
    field("state", "STATE", "DIR", &[], "Folder of an earlier manifest, for state: and --defer"),
    field("defer-state", "DEFER_STATE", "DIR", &[], "Another folder than --state for --defer"),
    field("indirect-selection", "INDIRECT_SELECTION", "MODE", &["eager", "cautious", "buildable", "empty"], "Which tests come with the nodes they read"),
    field("log-format", "LOG_FORMAT", "FORMAT", FORMATS, "Form of log lines"),
    field("log-format-file", "LOG_FORMAT_FILE", "FORMAT", FORMATS, "Form of lines in the log file"),
    field("log-level", "LOG_LEVEL", "LEVEL", LEVELS, "Least level that is shown"),
    field("log-level-file", "LOG_LEVEL_FILE", "LEVEL", LEVELS, "Least level that the log file keeps"),
    field("log-path", "LOG_PATH", "DIR", &[], "Folder of dbt.log [default: logs]"),
    field("log-file-max-bytes", "LOG_FILE_MAX_BYTES", "BYTES", &[], "Size at which the log file is moved aside; 0: never"),
    field("printer-width", "PRINTER_WIDTH", "N", &[], "Characters before a line's status"),
    field("warn-error-options", "WARN_ERROR_OPTIONS", "YAML", &[], "Which warnings are errors: {error: [...], warn: [...], silence: [...]}"),
    Field { short: Some('r'), ..field("record-timing-info", "", "FILE", &[], "Changes nothing: times stand in run_results.json") },
    field("maximum-seed-size-mib", "MAXIMUM_SEED_SIZE_MIB", "N", &[], "Seeds above this size are told apart by head and length"),
    field("partial-parse-file-path", "PARTIAL_PARSE_FILE_PATH", "FILE", &[], "Changes nothing: one place is used"),
    field("sqlparse", "SQLPARSE", "YAML", &[], "Changes nothing: there is no such parser"),
    field("v2-parser", "V2_PARSER", "COMMAND", &[], "Changes nothing: there is one parser"),
    Field { commands: &["run", "build"], ..field("event-time-start", "EVENT_TIME_START", "TIME", &[], "First instant of microbatch models") },
    Field { commands: &["run", "build"], ..field("event-time-end", "EVENT_TIME_END", "TIME", &[], "First instant after microbatch models' input") },
    Field { commands: &["run", "build"], ..field("sample", "SAMPLE", "WINDOW", &[], "Build from the rows of a window of event time") },
    Field { short: Some('s'), aliases: &[], many: true, commands: SELECTS, ..field("select", "", "SPEC", &[], "Nodes to take, in dbt's selection language") },
    Field { short: Some('m'), aliases: &["model"], many: true, commands: SELECTS, ..field("models", "", "SPEC", &[], "As --select; for ls: models only") },
    Field { many: true, commands: SELECTS, ..field("exclude", "", "SPEC", &[], "Nodes to leave out") },
    Field { commands: SELECTS, ..field("selector", "", "NAME", &[], "A selector of selectors.yml") },
    Field { aliases: &["resource-types"], many: true, commands: TYPES, ..field("resource-type", "RESOURCE_TYPES", "KIND", KINDS, "Kinds of resources to take") },
    Field {
        aliases: &["exclude-resource-types"],
        many: true,
        commands: TYPES,
        ..field("exclude-resource-type", "EXCLUDE_RESOURCE_TYPES", "KIND", KINDS, "Kinds of resources to leave out")
    },
];

/// Variables of dbt that are no option here.
const OTHER_VARIABLES: &[&str] = &[
    "PROFILES_DIR", "HOST", "DEFER_TO_STATE", "FAVOR_STATE_MODE", "NO_PRINT", "ARTIFACT_STATE_PATH", "INVOCATION_ENV", "RECORDED_FILE_PATH",
    "TEST_STATE_MODIFIED", "PACKAGE_HUB_URL", "DOWNLOAD_DIR", "PP_FILE_DIFF_TEST", "PP_TEST",
];

/// Every variable by its name without prefix.
pub fn variables() -> impl Iterator<Item = &'static str> {
    SWITCHES.iter().map(|s| s.env).chain(FIELDS.iter().map(|f| f.env)).filter(|e| !e.is_empty()).chain(OTHER_VARIABLES.iter().copied())
}

impl Switch {
    pub fn variable(&self) -> Option<&'static str> {
        Some(self.env).filter(|e| !e.is_empty())
    }
    /// dbt's name in `flags`.
    pub fn flag(&self) -> String {
        self.name.replace('-', "_")
    }

    /// What the line says last.
    pub fn on_line(&self, words: &[OsString]) -> Option<bool> {
        let (yes, no) = (format!("--{}", self.name), format!("--no-{}", self.name));
        let ours = words.iter().skip(1).filter_map(|w| w.to_str()).take_while(|w| *w != "--").filter_map(|word| {
            let short = self.short.is_some_and(|s| {
                let letters = word.strip_prefix('-').filter(|l| !l.starts_with('-') && !l.is_empty());
                // A letter that takes a value ends the switches before it.
                letters.is_some_and(|l| l.chars().take_while(|c| SWITCHES.iter().any(|o| o.short == Some(*c))).any(|c| c == s))
            });
            if word == yes || short { Some(true) } else { (word == no || (self.name == "use-colors" && word == "--no-color")).then_some(false) }
        });
        ours.last()
    }

    fn arguments(&self, global: bool) -> [Arg; 2] {
        let on = Arg::new(self.name).long(self.name).action(ArgAction::SetTrue).global(global).help(self.help);
        let on = if let Some(short) = self.short { on.short(short) } else { on };
        // Names must outlive the grammar, which lives as long as the process.
        let name: &'static str = format!("no-{}", self.name).leak();
        let off = Arg::new(name).long(name).action(ArgAction::SetTrue).global(global).hide(true);
        let off = if self.name == "use-colors" { off.alias("no-color") } else { off };
        [on, off]
    }
}

impl Field {
    pub fn variable(&self) -> Option<&'static str> {
        Some(self.env).filter(|e| !e.is_empty())
    }
    pub fn flag(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether a word is one of the choices, where there are any.
    pub fn takes(&self, word: &str) -> bool {
        self.choices.is_empty() || self.choices.iter().any(|c| c.eq_ignore_ascii_case(word))
    }

    /// What the line says; several words of one option add up.
    pub fn on_line(&self, leaf: &ArgMatches) -> Option<Vec<String>> {
        let values = leaf.try_get_many::<String>(self.name).ok().flatten()?;
        Some(values.cloned().collect())
    }

    fn argument(&self, global: bool) -> Arg {
        let arg = Arg::new(self.name).long(self.name).visible_aliases(self.aliases.iter().copied()).value_name(self.value).global(global).help(self.help);
        let arg = if let Some(short) = self.short { arg.short(short) } else { arg };
        let arg = if self.choices.is_empty() { arg } else { arg.value_parser(clap::builder::PossibleValuesParser::new(self.choices)).ignore_case(true) };
        if self.many { arg.action(ArgAction::Append).num_args(1..) } else { arg.action(ArgAction::Set).allow_hyphen_values(self.name == "vars") }
    }
}

/// Adds the table to the command and those below it.
pub fn added(command: Command) -> Command {
    let switches = SWITCHES.iter().filter(|s| s.commands.is_empty()).flat_map(|s| s.arguments(true));
    let fields = FIELDS.iter().filter(|f| f.commands.is_empty()).map(|f| f.argument(true));
    below(command.args(switches).args(fields))
}

fn below(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let leaf = name.clone();
        command.mut_subcommand(name, move |c| {
            let switches = SWITCHES.iter().filter(|s| s.commands.contains(&leaf.as_str())).flat_map(|s| s.arguments(false));
            let fields = FIELDS.iter().filter(|f| f.commands.contains(&leaf.as_str())).map(|f| f.argument(false));
            below(c.args(switches).args(fields))
        })
    })
}
