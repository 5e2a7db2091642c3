//! `berthctl`: what an operator types.

mod doctor;
mod events;
mod output;
mod ports;
mod services;
mod status;
mod table;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

pub use output::Format;

use crate::version;

/// Exit status: everything is as it must be.
pub const HEALTHY: u8 = 0;
/// Exit status: something is not as it must be, or could not be asked.
pub const NOT_HEALTHY: u8 = 1;
/// Exit status: the command line makes no sense, or asks for what is not there yet.
pub const USAGE: u8 = 2;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "berthctl",
    version = version::LONG,
    about = "Shows how berth does on this node",
    after_help = "Exit status: 0 healthy, 1 not healthy, 2 usage.\nThe JSON and YAML documents are stable: fields are added, never renamed."
)]
pub struct Arguments {
    /// The daemon's control socket
    #[arg(
        long,
        value_name = "PATH",
        global = true,
        env = "BERTH_SOCKET",
        default_value = "/run/berth/berthd.sock"
    )]
    socket: PathBuf,
    /// How to print
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        global = true,
        default_value = "table"
    )]
    output: Format,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How the daemon does, what is wrong, and what happened last
    Status,
    /// The pods' interfaces and their ports
    Ports,
    /// Look for what is known to go wrong, and say what to do
    Doctor {
        /// OVSDB socket to look at when the daemon does not answer
        #[arg(
            long,
            value_name = "SOCKET",
            env = "BERTH_OVSDB",
            default_value = "/run/openvswitch/db.sock"
        )]
        ovsdb: PathBuf,
        /// Leases to look at when the daemon does not answer
        #[arg(
            long,
            value_name = "DIR",
            env = "BERTH_IPAM_DIR",
            default_value = "/var/lib/cni/networks"
        )]
        ipam_dir: PathBuf,
        /// CNI configurations to look at when the daemon does not answer
        #[arg(
            long,
            value_name = "DIR",
            env = "BERTH_CNI_CONF_DIR",
            default_value = "/etc/cni/net.d"
        )]
        cni_conf_dir: PathBuf,
    },
    /// What the daemon saw and did, oldest first
    Events {
        /// Only those after this sequence number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
    /// Services as they are programmed, and what of them is refused
    Services {
        /// One of them, as NAMESPACE/NAME
        name: Option<String>,
    },
    /// Endpoints of Services with their state, and where they come from
    Backends,
}

/// Does what the command line says: text for stdout, and the exit status.
pub async fn run(arguments: Arguments) -> anyhow::Result<(String, u8)> {
    let Arguments {
        socket,
        output,
        verb,
    } = arguments;
    match verb {
        Verb::Status => status::run(&socket, output).await,
        Verb::Ports => ports::run(&socket, output).await,
        Verb::Doctor {
            ovsdb,
            ipam_dir,
            cni_conf_dir,
        } => {
            let scope = crate::doctor::Scope {
                state_dir: state_dir(&socket),
                ovsdb,
                ipam_dir,
                cni_dir: cni_conf_dir,
            };
            doctor::run(&socket, output, &scope).await
        }
        Verb::Events { after } => events::run(&socket, output, after).await,
        Verb::Services { name } => services::run(&socket, output, name.as_deref()).await,
        Verb::Backends => services::backends(&socket, output).await,
    }
}

/// The state directory of a control socket.
fn state_dir(socket: &Path) -> PathBuf {
    socket.parent().unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_parser_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_may_come_before_or_after_the_verb() {
        for line in [
            ["berthctl", "-o", "json", "--socket", "/s/b.sock", "ports"],
            ["berthctl", "ports", "--socket", "/s/b.sock", "-o", "json"],
        ] {
            let arguments = Arguments::try_parse_from(line).expect("valid");
            assert_eq!(arguments.output, Format::Json);
            assert_eq!(state_dir(&arguments.socket), PathBuf::from("/s"));
        }
    }

    #[test]
    fn a_wrong_format_or_verb_is_a_usage_error() {
        for line in [
            vec!["berthctl", "-o", "xml", "ports"],
            vec!["berthctl", "port"],
            vec!["berthctl"],
        ] {
            let error = Arguments::try_parse_from(line).expect_err("refused");
            assert_eq!(error.exit_code(), i32::from(USAGE));
        }
    }
}
