//! The command line as types. What several commands share stands in `options`.

use crate::options;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "dvt", version, about = "Build models over many databases; a dvt project is a dbt project.", disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// A line that was understood.
#[derive(Debug)]
pub struct Cli {
    pub command: Command,
    pub words: Vec<OsString>,
    /// The matches of the innermost command, which hold every option.
    pub leaf: ArgMatches,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a starter project, its profile and DVT home
    Init {
        name: Option<String>,
        /// Write no profile and no computes
        #[arg(long, short = 's')]
        skip_profile_setup: bool,
        /// Changes nothing: connections are checked by `debug`
        #[arg(long)]
        skip_debug: bool,
    },
    /// Read the project and write manifest.json
    Parse,
    /// Render the selected nodes' SQL
    Compile {
        /// Text to render instead of nodes
        #[arg(long)]
        inline: Option<String>,
        #[arg(long, value_enum, ignore_case = true, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Build the selected models
    Run,
    /// Load seeds, build models and snapshots and run their tests in order
    Build,
    /// Load CSV files
    Seed,
    /// Build snapshots
    Snapshot,
    /// Run the selected tests
    Test,
    /// List what a selection selects
    #[command(visible_alias = "list")]
    Ls {
        #[arg(long, value_enum, ignore_case = true, default_value_t = ListOutput::Selector)]
        output: ListOutput,
        /// Keys of --output json; config.materialized reaches inside
        #[arg(long, num_args = 1.., action = ArgAction::Append)]
        output_keys: Vec<String>,
    },
    /// Show the first rows of a node
    Show {
        /// SQL to run instead of a node
        #[arg(long)]
        inline: Option<String>,
        /// SQL to run as it is, without templates
        #[arg(long, hide = true)]
        inline_direct: Option<String>,
        /// Rows; -1 for all
        #[arg(long, default_value_t = 5, allow_negative_numbers = true)]
        limit: i64,
        #[arg(long, value_enum, ignore_case = true, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Check configuration, connections, computes
    Debug {
        /// Files and folders in use
        #[arg(long)]
        config: bool,
        /// The folder of profiles.yml
        #[arg(long)]
        config_dir: bool,
        /// Every target and whether it answers
        #[arg(long)]
        targets: bool,
        /// The active compute and whether it starts
        #[arg(long)]
        computes: bool,
        /// Node counts and time
        #[arg(long)]
        manifest: bool,
        /// One target's connection [default: the run's default target]
        #[arg(long, value_name = "TARGET", num_args = 0..=1, default_missing_value = "")]
        connection: Option<String>,
    },
    /// Show what each source is asked, what stays and why
    Explain {
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Explain a code such as DVT005
    ExplainCode { code: Option<String> },
    /// Remove the folders that clean-targets names
    Clean,
    /// Install the packages of packages.yml
    Deps {
        /// Add NAME@VERSION to packages.yml, then install
        #[arg(long, value_name = "PACKAGE")]
        add_package: Option<String>,
        /// What --add-package names
        #[arg(long, value_parser = ["hub", "git", "local"], default_value = "hub")]
        source: String,
    },
    /// Documentation of the project
    Docs {
        #[command(subcommand)]
        command: DocsCommand,
    },
    /// Sources
    Source {
        #[command(subcommand)]
        command: SourceCommand,
    },
    /// Run a macro
    RunOperation {
        /// NAME or PACKAGE.NAME
        #[arg(value_name = "MACRO", required_unless_present = "sql")]
        name: Option<String>,
        /// Its arguments as a YAML mapping
        #[arg(long, allow_hyphen_values = true, default_value = "{}")]
        args: String,
        /// Text to render and run instead of a macro
        #[arg(long)]
        sql: Option<String>,
    },
    /// Run again what failed or was skipped in the last command
    Retry,
    /// Make relations of another environment visible in this one
    Clone,
    /// Bring plugins, drivers and the Python environment in line with the project's files
    Sync {
        /// The Python environment to work on, when the project has none
        #[arg(long, value_name = "PATH")]
        python_env: Option<PathBuf>,
        /// A folder or address with an index of plugins (also DVT_PLUGIN_INDEX)
        #[arg(long, value_name = "PLACE")]
        plugin_index: Option<String>,
        /// Say what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Take newer plugins of the index
        #[arg(long)]
        upgrade: bool,
        /// Grant plugins what they ask for
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Plugins
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum DocsCommand {
    /// Write manifest.json, catalog.json and the page
    Generate,
    /// Serve the page of target/
    Serve {
        #[arg(long, default_value = "127.0.0.1")]
        host: String,
        /// 0: any free port
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
}

#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// How old the sources' data is
    #[command(visible_alias = "snapshot-freshness")]
    Freshness {
        /// The report [default: target/sources.json]
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Every plugin found, with its version and file
    List {
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// What a plugin file is and asks for; none of it is run
    Inspect {
        file: PathBuf,
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Install a plugin file in DVT home and record it in the project's lock file
    Add {
        file: PathBuf,
        /// Grant what it asks for
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Write a crate to start a plugin from
    New {
        /// Lower-case letters, digits and underscores; profiles say `type: NAME`
        name: String,
        #[arg(long, value_enum, default_value_t = PluginKind::Adapter)]
        kind: PluginKind,
    },
    /// Make a plugin file of a compiled module and its manifest
    Pack {
        /// The .wasm file that the compiler wrote
        module: PathBuf,
        /// plugin.json, or a connector's sheet (TOML)
        manifest: PathBuf,
        /// The plugin file
        #[arg(long, short = 'o')]
        output: PathBuf,
    },
    /// Run the contract suite on a plugin file; with --target also on that target
    Test {
        file: PathBuf,
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PluginKind {
    /// A database by a driver of the host
    Adapter,
    /// A database by a protocol of the plugin's own
    Wire,
    /// A compute engine
    Compute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    Selector,
    Name,
    Path,
    Json,
    /// As selector
    #[value(hide = true)]
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowOutput {
    Text,
    Json,
}

/// Ends the process with code 2 and the usage on an unusable line, 0 after help.
pub fn parse() -> Cli {
    read(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
}

fn grammar() -> clap::Command {
    options::added(Line::command())
}

/// Reads a line of words, the program's name first.
pub fn read(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let matches = grammar().try_get_matches_from(&words)?;
    let line = Line::from_arg_matches(&matches)?;
    let mut leaf = matches;
    while let Some((_, inner)) = leaf.remove_subcommand() {
        leaf = inner;
    }
    Ok(Cli { command: line.command, words, leaf })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Cli, grammar, read};
    use crate::options::{FIELDS, SWITCHES};

    fn line(words: &[&str]) -> Cli {
        read(words.iter().map(Into::into).collect()).unwrap()
    }
    fn on(words: &[&str], name: &str) -> Option<bool> {
        let cli = line(words);
        SWITCHES.iter().find(|s| s.name == name).unwrap().on_line(&cli.words)
    }
    fn values(words: &[&str], name: &str) -> Option<Vec<String>> {
        let cli = line(words);
        FIELDS.iter().find(|f| f.name == name).unwrap().on_line(&cli.leaf)
    }

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command_and_the_last_word_counts() {
        for words in [vec!["dvt", "--target", "x", "--fail-fast", "run"], vec!["dvt", "run", "--target", "x", "--no-fail-fast", "--fail-fast"], vec!["dvt", "-qx", "-t", "x", "run"]] {
            assert_eq!(values(&words, "target").unwrap(), ["x"]);
            assert_eq!(on(&words, "fail-fast"), Some(true));
        }
        assert_eq!(on(&["dvt", "--fail-fast", "run", "--no-fail-fast"], "fail-fast"), Some(false));
        assert_eq!(on(&["dvt", "--no-pushdown", "run", "--pushdown"], "pushdown"), Some(true));
        assert_eq!(on(&["dvt", "run"], "pushdown"), None);
        assert_eq!(on(&["dvt", "docs", "generate", "--no-compile"], "compile"), Some(false));
    }

    #[test]
    fn selections_add_up() {
        let words = ["dvt", "run", "-s", "a", "b", "--select", "c+", "--exclude", "d", "--no-print"];
        assert_eq!(values(&words, "select").unwrap(), ["a", "b", "c+"]);
        assert_eq!(values(&words, "exclude").unwrap(), ["d"]);
        assert_eq!(values(&["dvt", "ls", "--resource-types", "model", "Test"], "resource-type").unwrap(), ["model", "Test"]);
    }
}
