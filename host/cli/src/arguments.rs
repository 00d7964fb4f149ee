//! The command line as types. Options of every command may stand before or after its name.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "dvt", version, about = "Build models over many databases; a dvt project is a dbt project.", disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Folder of the project file [default: here or the nearest folder above]
    #[arg(long, global = true, value_name = "DIR")]
    pub project_dir: Option<PathBuf>,
    /// DVT home: profiles.yml, computes.yml, data, plugins [default: ~/.dvt]
    #[arg(long, global = true, value_name = "DIR")]
    pub profiles_dir: Option<PathBuf>,
    /// Profile to use instead of the project's
    #[arg(long, global = true)]
    pub profile: Option<String>,
    /// Target that every model is built on
    #[arg(long, short = 't', global = true)]
    pub target: Option<String>,
    /// Compute for federated models
    #[arg(long, global = true)]
    pub compute: Option<String>,
    /// Vars as a YAML mapping
    #[arg(long, global = true, value_name = "YAML")]
    pub vars: Option<String>,
    /// Nodes in flight, and sessions per target
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Read whole tables of federated models and compute everything locally
    #[arg(long, global = true, overrides_with = "pushdown")]
    pub no_pushdown: bool,
    #[arg(long, global = true, hide = true, overrides_with = "no_pushdown")]
    pub pushdown: bool,
    /// Rebuild incremental models and seeds
    #[arg(long, short = 'f', global = true, overrides_with = "no_full_refresh")]
    pub full_refresh: bool,
    #[arg(long, global = true, hide = true, overrides_with = "full_refresh")]
    pub no_full_refresh: bool,
    /// Start nothing more after the first failure
    #[arg(long, short = 'x', global = true, overrides_with = "no_fail_fast")]
    pub fail_fast: bool,
    #[arg(long, global = true, hide = true, overrides_with = "fail_fast")]
    pub no_fail_fast: bool,
    /// Errors and data only
    #[arg(long, short = 'q', global = true, overrides_with = "no_quiet")]
    pub quiet: bool,
    #[arg(long, global = true, hide = true, overrides_with = "quiet")]
    pub no_quiet: bool,
    /// Keep the rows that tests find
    #[arg(long, global = true, overrides_with = "no_store_failures")]
    pub store_failures: bool,
    #[arg(long, global = true, hide = true, overrides_with = "store_failures")]
    pub no_store_failures: bool,
    /// Read relations without their rows
    #[arg(long, global = true, overrides_with = "no_empty")]
    pub empty: bool,
    #[arg(long, global = true, hide = true, overrides_with = "empty")]
    pub no_empty: bool,
    /// Read a span of time of relations with an event_time: '3 days', or a mapping of start and end
    #[arg(long, global = true, value_name = "SPAN")]
    pub sample: Option<String>,
    /// Where the batches of microbatch models start
    #[arg(long, global = true, value_name = "TIME", requires = "event_time_end")]
    pub event_time_start: Option<String>,
    /// Where the batches of microbatch models end
    #[arg(long, global = true, value_name = "TIME", requires = "event_time_start")]
    pub event_time_end: Option<String>,
    /// No colours
    #[arg(long, alias = "no-use-colors", global = true)]
    pub no_color: bool,
    #[arg(long, global = true, hide = true)]
    pub use_colors: bool,
}

/// Which nodes.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Nodes to take, in dbt's selection language
    #[arg(long, short = 's', visible_alias = "models", short_alias = 'm', num_args = 1.., action = ArgAction::Append)]
    pub select: Vec<String>,
    /// Nodes to leave out
    #[arg(long, num_args = 1.., action = ArgAction::Append)]
    pub exclude: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a starter project, its profile and DVT home
    Init {
        name: Option<String>,
        /// Write no profile and no computes
        #[arg(long, short = 's')]
        skip_profile_setup: bool,
    },
    /// Read the project and write manifest.json
    Parse,
    /// Render the selected nodes' SQL
    Compile {
        #[command(flatten)]
        selection: Selection,
        /// Text to render instead of nodes
        #[arg(long)]
        inline: Option<String>,
    },
    /// Build the selected models
    Run {
        #[command(flatten)]
        selection: Selection,
    },
    /// Load seeds, build models and run their tests in order
    Build {
        #[command(flatten)]
        selection: Selection,
    },
    /// Load CSV files
    Seed {
        #[command(flatten)]
        selection: Selection,
        /// Show the first rows of each seed afterwards
        #[arg(long)]
        show: bool,
    },
    /// Take the selected snapshots
    Snapshot {
        #[command(flatten)]
        selection: Selection,
    },
    /// Run the selected tests
    Test {
        #[command(flatten)]
        selection: Selection,
    },
    /// List what a selection selects
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        selection: Selection,
        #[arg(long, value_enum, default_value_t = ListOutput::Selector)]
        output: ListOutput,
        #[arg(long, num_args = 1.., action = ArgAction::Append)]
        output_keys: Vec<String>,
        #[arg(long, visible_alias = "resource-types", num_args = 1.., action = ArgAction::Append)]
        resource_type: Vec<String>,
    },
    /// Show the first rows of a node
    Show {
        #[command(flatten)]
        selection: Selection,
        /// SQL to run instead of a node
        #[arg(long)]
        inline: Option<String>,
        /// Rows; -1 for all
        #[arg(long, default_value_t = 5, allow_negative_numbers = true)]
        limit: i64,
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Check configuration, connections, computes
    Debug {
        /// Files and folders in use
        #[arg(long, visible_alias = "config-dir")]
        config: bool,
        /// Every target and whether it answers
        #[arg(long)]
        targets: bool,
        /// The active compute and whether it starts
        #[arg(long)]
        computes: bool,
        /// Node counts and time
        #[arg(long)]
        manifest: bool,
        /// One target's connection
        #[arg(long, value_name = "TARGET")]
        connection: Option<String>,
    },
    /// Show what each source is asked, what stays and why
    Explain {
        #[command(flatten)]
        selection: Selection,
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Explain a code such as DVT005
    ExplainCode { code: Option<String> },
    /// Remove the folders that clean-targets names
    Clean,
    /// Plugins
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Every plugin found, with its version and file
    List {
        #[arg(long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
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
        /// plugin.json
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowOutput {
    Text,
    Json,
}

/// Ends the process with code 2 and the usage on an unusable line, 0 after help.
pub fn parse() -> Cli {
    let words: Vec<OsString> = std::env::args_os().collect();
    read(&words).unwrap_or_else(|error| error.exit())
}

/// Reads a line of words, the program's name first.
fn read(words: &[OsString]) -> Result<Cli, clap::Error> {
    let mut cli = Cli::try_parse_from(words)?;
    // Before and after the command are two levels to clap; across them too the last word counts.
    let last = |word: &str| words.iter().rposition(|w| w == word);
    let g = &mut cli.global;
    for (on, off, name) in [
        (&mut g.no_pushdown, g.pushdown, "pushdown"),
        (&mut g.full_refresh, g.no_full_refresh, "full-refresh"),
        (&mut g.fail_fast, g.no_fail_fast, "fail-fast"),
        (&mut g.quiet, g.no_quiet, "quiet"),
        (&mut g.store_failures, g.no_store_failures, "store-failures"),
        (&mut g.empty, g.no_empty, "empty"),
    ] {
        if *on && off {
            let negative_last = last(&format!("--no-{name}")) > last(&format!("--{name}"));
            *on = negative_last == (name == "pushdown");
        }
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Cli, Command, read};
    use clap::CommandFactory;

    fn line(words: &[&str]) -> Cli {
        read(&words.iter().map(Into::into).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command_and_the_last_word_counts() {
        for words in [vec!["dvt", "--target", "x", "--fail-fast", "run"], vec!["dvt", "run", "--target", "x", "--no-fail-fast", "--fail-fast"]] {
            let cli = line(&words);
            assert_eq!(cli.global.target.as_deref(), Some("x"));
            assert!(cli.global.fail_fast);
        }
        assert!(!line(&["dvt", "--fail-fast", "run", "--no-fail-fast"]).global.fail_fast);
        assert!(!line(&["dvt", "--no-pushdown", "run", "--pushdown"]).global.no_pushdown);
    }

    #[test]
    fn selections_add_up() {
        let cli = line(&["dvt", "run", "-s", "a", "b", "--models", "c+", "--exclude", "d"]);
        let Command::Run { selection } = cli.command else { panic!("run was asked") };
        assert_eq!((selection.select.join(" ").as_str(), selection.exclude.join(" ").as_str()), ("a b c+", "d"));
    }
}
