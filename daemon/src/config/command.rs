//! The command line of `berthd`, made from the table of fields.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::error::ConfigError;
use super::field::FIELDS;
use super::file;
use super::layer::{Layer, Origin};
use super::settings::Settings;
use crate::version;

/// What the program is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Run the daemon.
    Run,
    /// Remove what berth put on the node.
    Uninstall,
}

/// A parsed command line.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What to do.
    pub verb: Verb,
    /// The values given as flags.
    pub flags: Layer,
    /// The file given by `--config` or `BERTH_CONFIG`.
    pub config: Option<PathBuf>,
}

impl Invocation {
    /// The settings of this invocation: flags, then the environment, then the file.
    pub fn settings(
        &self,
        environment: impl Fn(&str) -> Option<String>,
        host_name: impl FnOnce() -> String,
    ) -> Result<Settings, ConfigError> {
        let config = self
            .config
            .clone()
            .or_else(|| environment("BERTH_CONFIG").map(PathBuf::from));
        let file = match config.as_deref().filter(|path| *path != Path::new("")) {
            Some(path) => file::read(path)?,
            None => Layer::default(),
        };
        let environment = Layer::from_environment(environment);
        Settings::resolve(&[&self.flags, &environment, &file], host_name)
    }
}

/// The parser.
pub fn command() -> Command {
    let mut command = Command::new("berthd")
        .version(version::LONG)
        .about("The node daemon of berth: keeps pods attached to the switch")
        .after_help("Every flag is also a key of the file given by --config. A flag wins over the environment, the environment over the file.")
        .subcommand(
            Command::new("uninstall")
                .about("Remove what berth put on this node, except the interfaces of live pods, and list it"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .global(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("TOML file with settings [env: BERTH_CONFIG]"),
        );
    for field in FIELDS {
        let help = match field.default {
            Some(default) => format!("{} [default: {default}] [env: {}]", field.help, field.env),
            None => format!("{} [env: {}]", field.help, field.env),
        };
        command = command.arg(
            Arg::new(field.key)
                .long(field.key)
                .value_name(field.value_name)
                .global(true)
                .help(help),
        );
    }
    command
}

/// Parses a command line, the program's name first. The error prints itself; `--help` and `--version` are such errors.
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Invocation, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let (verb, matches) = match matches.subcommand() {
        Some(("uninstall", below)) => (Verb::Uninstall, below),
        _ => (Verb::Run, &matches),
    };
    Ok(Invocation {
        verb,
        flags: flags(matches),
        config: matches.get_one::<PathBuf>("config").cloned(),
    })
}

fn flags(matches: &ArgMatches) -> Layer {
    let mut layer = Layer::default();
    for field in FIELDS {
        if let Some(value) = matches.get_one::<String>(field.key) {
            layer.give(field, value.clone(), Origin::Flag);
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_taken_before_and_after_the_verb() {
        for arguments in [
            ["berthd", "--state-dir", "/s", "uninstall"],
            ["berthd", "uninstall", "--state-dir", "/s"],
        ] {
            let invocation = parse(arguments).expect("valid");
            assert_eq!(invocation.verb, Verb::Uninstall);
            let given = invocation.flags.get("state-dir").expect("given");
            assert_eq!(given.value, "/s");
        }
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(parse(["berthd", "--nodename", "x"]).is_err());
    }

    #[test]
    fn a_flag_wins_over_the_environment_variable_of_the_same_name() {
        let invocation = parse(["berthd", "--node-name", "flag"]).expect("valid");
        let settings = invocation
            .settings(
                |name| (name == "BERTH_NODE_NAME").then(|| "environment".to_owned()),
                || "host".to_owned(),
            )
            .expect("valid");
        assert_eq!(settings.node_name, "flag");
    }

    #[test]
    fn a_missing_file_named_in_the_environment_is_an_error() {
        let invocation = parse(["berthd"]).expect("valid");
        let error = invocation
            .settings(
                |name| (name == "BERTH_CONFIG").then(|| "/nowhere/b.toml".to_owned()),
                || "host".to_owned(),
            )
            .expect_err("missing");
        assert!(error.to_string().contains("/nowhere/b.toml"), "{error}");
    }
}
